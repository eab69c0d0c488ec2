import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LaunchEvent } from '@bindery/wire/events.ts';
import { Instant, LaunchId } from '@bindery/wire/ids.ts';
import { Link } from '@bindery/wire/link.ts';
import type { Logger } from '../base/log.ts';
import type { LaunchLog } from './launch-log.ts';

/** First line of a stored launch. The key is kept as its sha256. */
export const LaunchHeader = z.object({ id: LaunchId, link: Link, createdAt: Instant, keyHash: z.string() });
export type LaunchHeader = z.infer<typeof LaunchHeader>;

export interface StoredLaunch {
  readonly header: LaunchHeader;
  readonly events: readonly LaunchEvent[];
}

/** Stored launches that are kept, newest first, and for how long (milliseconds). */
const KEEP = 1000;
const KEEP_MS = 30 * 86_400_000;
/** Entries are written together, this many milliseconds after the first of them. */
const GATHER_MS = 250;

/** The logs of launches on disk, `state/launches/<id>.ndjson`: one header line, then one line an entry. */
export class LaunchStore {
  readonly #folder: string;
  readonly #log: Logger;
  #recordings = new Set<Promise<void>>();
  #recorded = 0;

  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.prune();
  }

  /**
   * Writes a log to its file as it grows, until it ends; resolves then, with whether all of it is there. A disk that fails
   * costs the record, never the launch.
   */
  record(header: LaunchHeader, log: LaunchLog): Promise<boolean> {
    const path = this.#path(header.id);
    const ended = Promise.withResolvers<boolean>();
    let whole = true;
    let written = 0;
    let pending = `${JSON.stringify(header)}\n`;
    let timer: NodeJS.Timeout | undefined;
    let writing = Promise.resolve();
    const flush = (): void => {
      clearTimeout(timer);
      timer = undefined;
      const lines = log.events.slice(written).map((event) => `${JSON.stringify(event)}\n`);
      written += lines.length;
      const text = pending + lines.join('');
      pending = '';
      writing = writing
        .then(() => appendFile(path, text, { mode: 0o600 }))
        .catch((error: unknown) => {
          whole = false;
          this.#log.warn({ err: error, launch: header.id }, 'launch log not written');
        });
      this.#recordings.add(writing);
      const current = writing;
      void writing.then(() => this.#recordings.delete(current));
    };
    const stop = log.watch(() => {
      if (log.final) {
        stop();
        flush();
        void writing.then(() => ended.resolve(whole));
        if (++this.#recorded % 100 === 0) void this.prune();
      } else timer ??= setTimeout(flush, GATHER_MS).unref();
    });
    return ended.promise;
  }

  /** A stored launch, undefined when there is none. What cannot be read (cut by a crash) ends the list of entries. */
  async read(id: string): Promise<StoredLaunch | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path(id), 'utf8');
    } catch {
      return undefined;
    }
    const [first = '', ...lines] = text.split('\n');
    const header = parseLine(LaunchHeader, first);
    if (!header) return undefined;
    const events: LaunchEvent[] = [];
    for (const line of lines) {
      const event = parseLine(LaunchEvent, line);
      if (event?.seq !== events.length) break;
      events.push(event);
    }
    return { header, events };
  }

  /** Removes what is too old or too much. A folder that cannot be read stays as it is. */
  async prune(): Promise<void> {
    try {
      await this.#prune();
    } catch (error) {
      this.#log.warn({ err: error }, 'launch logs not cleaned up');
    }
  }

  async #prune(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.ndjson'));
    const ages = await Promise.all(
      names.map(async (name) => {
        const info = await stat(join(this.#folder, name)).catch(() => undefined);
        return { name, at: info?.mtimeMs ?? 0 };
      }),
    );
    const old = ages.toSorted((a, b) => b.at - a.at).filter(({ at }, index) => index >= KEEP || at < Date.now() - KEEP_MS);
    await Promise.all(old.map(({ name }) => rm(join(this.#folder, name), { force: true })));
  }

  /** Resolves when everything recorded so far is on disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#recordings);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.ndjson`);
  }
}

function parseLine<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
