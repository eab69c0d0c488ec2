import { z } from 'zod';
import type { OperationKind } from '@bindery/rtc/tables/files.ts';
import { Entry, roomNameOf } from './entries.ts';
import { folderPath, inFolder, knownName, newName, newPath } from './entry-names.ts';
import { encoded, isThere, JupyterError, succeeded, type Answer, type JupyterServer } from './jupyter-server.ts';

/** Bytes of an upload that is a record: it is told to all who look at the folder. */
const MOST_UPLOAD = 4 * 1024 * 1024;

const NOTEBOOK = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };
const EMPTY: Readonly<Record<string, { readonly format: string; readonly content: unknown }>> = {
  notebook: { format: 'json', content: NOTEBOOK },
  file: { format: 'text', content: '' },
  directory: { format: 'json', content: null },
};

const Sessions = z.array(z.object({ id: z.string(), path: z.string().default('') }));

/** What is asked to be done in a folder; the fields are those of a record of `operations`. */
export interface FileOrder {
  readonly kind: OperationKind;
  readonly name: string;
  readonly to: string;
  readonly type: string;
  readonly format: string;
  readonly content: string;
  readonly replace: boolean;
}

export interface FileOutcome {
  readonly path: string;
  /** What holds the content; empty where it was not opened. */
  readonly room: string;
}

export interface FileChangesOptions {
  readonly server: Pick<JupyterServer, 'ask' | 'json' | 'stat'>;
  /** Moves and removals of files, of which the documents know. */
  readonly move: (from: string, to: string, ask: () => Promise<Answer>) => Promise<Answer>;
  readonly remove: (path: string, ask: () => Promise<Answer>) => Promise<Answer>;
  /** The id of a file, by which its room is called. */
  readonly idOf: (path: string) => Promise<string>;
}

/** What is done to files and folders on a Jupyter server, by its Contents API (`SPEC.md`, F). Each throws `JupyterError`, with the server's words. */
export class FileChanges {
  readonly #options: FileChangesOptions;

  constructor(options: FileChangesOptions) {
    this.#options = options;
  }

  /** @param folder the path of the folder that it is asked of */
  async carryOut(folder: string, order: FileOrder): Promise<FileOutcome> {
    const { kind, name, to, type, format, content, replace } = order;
    if (kind === 'create') return this.create(folder, type, name);
    if (kind === 'upload') return done(await this.#upload(folder, name, content, replace));
    const path = inFolder(folder, knownName(name));
    if (kind === 'rename') return done(await this.#rename(path, newPath(folder, to)));
    if (kind === 'copy') return done(await this.#copy(path, folderPath(folder, to)));
    if (kind === 'delete') return done(await this.#delete(path));
    return this.open(path, format);
  }

  /** Makes something empty; a name that is free where none is given. What is there is never replaced. */
  async create(folder: string, type: string, name: string): Promise<FileOutcome> {
    const empty = EMPTY[type];
    if (!empty)
      throw new JupyterError(
        400,
        `Files of type ${JSON.stringify(type.slice(0, 80))} can't be made. Make a notebook, a file or a directory.`,
      );
    if (name === '') return done(await this.#made('POST', folder, { type, ...(type === 'file' ? { ext: '.txt' } : {}) }));
    const path = inFolder(folder, newName(name));
    await this.#mustBeFree(path);
    return done(await this.#made('PUT', path, { type, ...empty }));
  }

  /** The room of what is in a file or folder. @param format of a file: `text` (where it is empty too) or `base64` */
  async open(path: string, format: string): Promise<FileOutcome> {
    const { type } = await this.#options.server.stat(path);
    const found = Entry.shape.type.parse(type);
    if (!['', 'text', 'base64'].includes(format)) throw new JupyterError(400, 'A file is opened as text or as base64.');
    return { path, room: roomNameOf(found, await this.#options.idOf(path), format || 'text') };
  }

  async #upload(folder: string, name: string, content: string, replace: boolean): Promise<string> {
    const path = inFolder(folder, newName(name));
    if (content.length > (MOST_UPLOAD / 3) * 4 + 4) {
      const most = `${MOST_UPLOAD / 1024 / 1024} MiB`;
      throw new JupyterError(413, `${JSON.stringify(name)} has more than ${most}. Send it by HTTP: PUT api/contents/${encoded(path)}.`);
    }
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content) || content.length % 4 !== 0)
      throw new JupyterError(400, `What was to be put into ${JSON.stringify(name)} is no base64 text.`);
    if (!replace) await this.#mustBeFree(path);
    return this.#made('PUT', path, { type: 'file', format: 'base64', content });
  }

  async #rename(from: string, to: string): Promise<string> {
    mustNotBeInside(from, to);
    const body = JSON.stringify({ path: to });
    const { server } = this.#options;
    const path = pathOf(await this.#options.move(from, to, async () => server.ask('PATCH', `api/contents/${encoded(from)}`, body)));
    // It is done, whatever becomes of these.
    await this.#takeSessions(from, path).catch(() => undefined);
    return path;
  }

  /** What runs for a notebook is found by its path: it is told the new one, as JupyterLab's pages do for those that they have open. */
  async #takeSessions(from: string, to: string): Promise<void> {
    const { server } = this.#options;
    const sessions = Sessions.parse(await server.json('GET', 'api/sessions'));
    for (const { id, path } of sessions) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      const next = to + path.slice(from.length);
      const body = { path: next, name: next.slice(next.lastIndexOf('/') + 1) };
      await server.ask('PATCH', `api/sessions/${encodeURIComponent(id)}`, JSON.stringify(body));
    }
  }

  async #copy(from: string, folder: string): Promise<string> {
    mustNotBeInside(from, folder);
    return this.#made('POST', folder, { copy_from: from });
  }

  async #delete(path: string): Promise<string> {
    succeeded(await this.#options.remove(path, async () => this.#options.server.ask('DELETE', `api/contents/${encoded(path)}`)));
    return path;
  }

  /** Composed or not, it is the same name for people. */
  async #mustBeFree(path: string): Promise<void> {
    for (const each of new Set([path, path.normalize('NFD')])) {
      if (await isThere(this.#options.server, each))
        throw new JupyterError(409, `${JSON.stringify(path)} is there already. Choose another name.`);
    }
  }

  async #made(method: string, path: string, body: object): Promise<string> {
    return pathOf(await this.#options.server.ask(method, `api/contents/${encoded(path)}`, JSON.stringify(body)));
  }
}

function done(path: string): FileOutcome {
  return { path, room: '' };
}

function mustNotBeInside(from: string, to: string): void {
  if (to === from || to.startsWith(`${from}/`)) throw new JupyterError(400, `${JSON.stringify(from)} can't be put into itself.`);
}

function pathOf(answer: Answer): string {
  const parsed = Entry.safeParse(JSON.parse(succeeded(answer)));
  if (!parsed.success) throw new JupyterError(502, "The Jupyter server's answer describes no file.");
  return parsed.data.path;
}
