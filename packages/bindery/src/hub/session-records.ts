import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LaunchOptions, SessionView } from '@bindery/wire/api.ts';
import { LaunchId, SessionId } from '@bindery/wire/ids.ts';
import type { Logger } from '../base/log.ts';

/** What the hub itself knows of a session beside what the engine tells; secrets only as their sha256. */
export const SessionRecord = z.object({
  launchId: LaunchId,
  /** sha256 of the launch's key. */
  keyHash: z.string(),
  /** Path below the session's base path to open. */
  open: z.string(),
  /** sha256 of each token that was given to programs. */
  tokens: z.array(z.string()),
  /** How its environment was chosen, to choose the same again. */
  options: LaunchOptions.pick({ python: true, conda: true, epoch: true, layout: true, strict: true }).optional(),
  /** As it was last seen. */
  view: SessionView,
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/** Records of sessions on disk, `state/routes/<id>.json`, so that links, tokens and reasons outlive the hub (I3). */
export class SessionRecords {
  readonly #folder: string;
  readonly #log: Logger;
  readonly #writing = new Map<string, Promise<void>>();

  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Every record there is; what cannot be read is passed over. */
  async load(): Promise<SessionRecord[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const names = (await readdir(this.#folder)).filter((name) => SessionId.safeParse(name.replace(/\.json$/, '')).success);
    const records = await Promise.all(names.map((name) => this.#read(name)));
    return records.filter((record) => record !== undefined);
  }

  /** Writes a record, after what is being written for the same session. A disk that fails costs the record only. */
  save(record: SessionRecord): Promise<void> {
    const path = this.#path(record.view.id);
    const text = `${JSON.stringify(record)}\n`;
    return this.#after(record.view.id, async () => {
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    });
  }

  remove(id: string): Promise<void> {
    return this.#after(id, () => rm(this.#path(id), { force: true }));
  }

  /** Resolves when everything saved so far is on disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  #after(id: string, work: () => Promise<void>): Promise<void> {
    const done = (this.#writing.get(id) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown) => this.#log.warn({ err: error, session: id }, 'session record not written'))
      .finally(() => {
        if (this.#writing.get(id) === done) this.#writing.delete(id);
      });
    this.#writing.set(id, done);
    return done;
  }

  async #read(name: string): Promise<SessionRecord | undefined> {
    try {
      return SessionRecord.parse(JSON.parse(await readFile(join(this.#folder, name), 'utf8')));
    } catch (error) {
      this.#log.warn({ err: error, name }, 'session record not readable');
      return undefined;
    }
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}
