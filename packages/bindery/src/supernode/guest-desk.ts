import { z } from 'zod';
import { includes, type Role } from '@bindery/wire/roles.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { STAYS, type Turns } from '../base/turns.ts';
import { withoutSlashes } from '../base/within.ts';
import type { Desk, Least, NotebookFile, RunRequest } from '../graphql/desk.ts';
import { Refusal } from '../relay/relay.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import type { Documents } from './documents.ts';
import { Entry, Listing, roomNameOf } from './entries.ts';
import { mayReach, mustReach, mustRun, ownerOf, type Guest } from './guests.ts';
import { encoded, isThere, JupyterError, succeeded, type JupyterServer } from './jupyter-server.ts';
import { kindOf, type Kind } from './kinds.ts';

const NOTEBOOK = kindOf('json', 'notebook') as Kind;
/** Folders that are looked through for notebooks, and how deep. */
const MOST_FOLDERS = 500;
const DEEPEST = 20;

const Sessions = z.array(z.object({ id: z.string(), path: z.string(), kernel: z.object({ id: z.string() }).nullish() }));
const Session = Sessions.element;

/** What all guests of one server share. */
export interface DeskParts {
  readonly documents: Documents;
  readonly server: JupyterServer;
  /** By kernel and path: what is asked for is done in the order in which it comes. */
  readonly turns: Turns;
}

/** A Jupyter server and its documents for one guest, with the rights that he has everywhere (`graphql/SPEC.md`, Q2). */
export class GuestDesk implements Desk {
  readonly #parts: DeskParts;
  readonly #guest: Guest;

  constructor(parts: DeskParts, guest: Guest) {
    this.#parts = parts;
    this.#guest = guest;
  }

  get role(): Role {
    return this.#guest.role;
  }

  get path(): string {
    return this.#guest.path;
  }

  must(least: Least): void {
    if (least === 'execute') mustRun(this.#guest);
    else if (!includes(this.role, least)) throw new JupyterError(403, `This needs the role ${least}, and yours is ${this.role}.`);
  }

  async notebooks(folder: string | undefined, most: number): Promise<readonly NotebookFile[]> {
    const start = withoutSlashes(folder ?? (includes(this.role, 'execute') ? '' : this.path));
    mustReach(this.#guest, start);
    const files: NotebookFile[] = [];
    const first = await found(start, this.#json(`api/contents/${encoded(start)}?content=0`, Entry));
    if (first.type === 'notebook') return [fileOf(first)];
    // One folder after the other: the first ones in their order, whatever lies below.
    const waiting = first.type === 'directory' ? [start] : [];
    for (let looked = 0; looked < MOST_FOLDERS && files.length < most; looked++) {
      const at = waiting.shift();
      if (at === undefined) break;
      const { content } = await this.#json(`api/contents/${encoded(at)}?type=directory`, Listing).catch((error: unknown) => {
        // One that is gone, or closed to the server, hides no others.
        if (at === start) throw error;
        return { content: [] };
      });
      for (const entry of content) {
        if (entry.type === 'notebook') files.push(fileOf(entry));
        if (entry.type === 'directory' && !entry.name.startsWith('.') && at.split('/').length < DEEPEST) waiting.push(entry.path);
      }
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1)).slice(0, most);
  }

  async documentOf(asked: string): Promise<string> {
    const path = this.#reached(asked);
    if (!this.#parts.documents.isOpen(path)) await this.#mustBe(path);
    const { id } = await this.#parts.documents.find(path, NOTEBOOK);
    return roomNameOf('notebook', id);
  }

  pathOf(document: string): string | undefined {
    return this.#parts.documents.pathOf(document);
  }

  sees(document: string): boolean {
    return mayReach(this.#guest, this.pathOf(document));
  }

  async room(document: string): Promise<RelayRoom> {
    this.#mustSee(document);
    return this.#parts.documents.room(document);
  }

  async stay(document: string, ended: () => void): Promise<{ readonly room: RelayRoom; readonly leave: () => void }> {
    this.#mustSee(document);
    return this.#parts.documents.stay(document, ended);
  }

  async server(): Promise<RelayRoom> {
    mustRun(this.#guest);
    return this.#parts.documents.tables();
  }

  async create(asked: string, kernel: string | undefined): Promise<void> {
    mustRun(this.#guest);
    const path = notebookPath(asked);
    await this.#parts.turns.take(`create ${path}`, STAYS, async () => {
      const { documents, server } = this.#parts;
      if (documents.isOpen(path) || (await isThere(server, path)))
        throw new BinderyError('file_exists', `There is a file ${path} already.`);
      const metadata = kernel === undefined ? {} : { kernelspec: await this.#spec(kernel) };
      await server.write(path, { ...NOTEBOOK, content: JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells: [] }) });
    });
  }

  async rename(asked: string, askedTo: string): Promise<void> {
    mustRun(this.#guest);
    const [from, to] = [withoutSlashes(asked), notebookPath(askedTo)];
    await this.#mustBe(from);
    const { documents, server } = this.#parts;
    succeeded(
      await documents.move(from, to, async () => server.ask('PATCH', `api/contents/${encoded(from)}`, JSON.stringify({ path: to }))),
      `There is a file ${to} already.`,
    );
    // Its kernel goes with it.
    for (const { id, path } of await this.#json('api/sessions', Sessions))
      if (path === from)
        await server.json('PATCH', `api/sessions/${encodeURIComponent(id)}`, JSON.stringify({ path: to, name: to, type: 'notebook' }));
  }

  async remove(asked: string): Promise<void> {
    mustRun(this.#guest);
    const path = withoutSlashes(asked);
    await this.#mustBe(path);
    const { documents, server } = this.#parts;
    succeeded(await documents.remove(path, async () => server.ask('DELETE', `api/contents/${encoded(path)}`)));
  }

  async kernelOf(path: string): Promise<string | undefined> {
    mustRun(this.#guest);
    const sessions = await this.#json('api/sessions', Sessions);
    return sessions.find((each) => each.path === path)?.kernel?.id;
  }

  async startKernel(path: string, name: string | undefined): Promise<string> {
    mustRun(this.#guest);
    return this.#parts.turns.take(`kernel ${path}`, STAYS, async () => {
      const known = await this.kernelOf(path);
      if (known !== undefined) return known;
      if (name !== undefined) await this.#spec(name);
      const order = { path, name: path, type: 'notebook', kernel: name === undefined ? {} : { name } };
      const { kernel } = Session.parse(await this.#parts.server.json('POST', 'api/sessions', JSON.stringify(order)));
      if (!kernel) throw new BinderyError('execution_refused', 'The server started no kernel.');
      return kernel.id;
    });
  }

  async run({ document, ...request }: RunRequest): Promise<string> {
    mustRun(this.#guest);
    this.#mustSee(document);
    // In the order in which they come, also those of the HTTP API: that of "Run All".
    return this.#parts.turns.take(request.kernel, STAYS, async () => {
      const executions = await this.#parts.documents.runnerOf(document);
      return executions.request(document, { ...request, owner: ownerOf(this.#guest) });
    });
  }

  async cancel(document: string, execution: string): Promise<boolean> {
    mustRun(this.#guest);
    return (await this.#parts.documents.runnerOf(document)).cancel(document, execution);
  }

  async interrupt(kernel: string): Promise<void> {
    mustRun(this.#guest);
    await (await this.#parts.documents.runner()).interrupt(kernel);
  }

  async restart(kernel: string): Promise<void> {
    mustRun(this.#guest);
    await (await this.#parts.documents.runner()).restart(kernel);
  }

  async answer(document: string, question: string, value: string): Promise<void> {
    mustRun(this.#guest);
    (await this.#parts.documents.runnerOf(document)).answerStdin(document, question, value);
  }

  blobUrl(digest: string): string {
    return this.#parts.documents.blobs.link(digest);
  }

  #reached(asked: string): string {
    const path = withoutSlashes(asked);
    mustReach(this.#guest, path);
    return path;
  }

  #mustSee(document: string): void {
    if (!this.sees(document)) throw new JupyterError(403, 'This document is not shared with you.');
  }

  async #mustBe(path: string): Promise<void> {
    const { type } = await found(path, this.#parts.server.stat(path));
    if (type !== NOTEBOOK.type) throw new BinderyError('request_invalid', `${path} is no notebook.`, { hint: 'Notebooks end in .ipynb.' });
  }

  /** What a notebook says of its kernel. */
  async #spec(name: string): Promise<object> {
    const Specs = z.object({
      kernelspecs: z.record(z.string(), z.object({ spec: z.object({ display_name: z.string(), language: z.string() }) })),
    });
    const { kernelspecs } = await this.#json('api/kernelspecs', Specs);
    const found = Object.hasOwn(kernelspecs, name) ? kernelspecs[name] : undefined;
    if (!found) throw new BinderyError('kernel_not_found', `The server has no kernelspec ${name}.`);
    return { name, display_name: found.spec.display_name, language: found.spec.language };
  }

  async #json<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return schema.parse(await this.#parts.server.json('GET', path));
  }
}

/** What went wrong, for whoever asked; undefined for what is nobody's business. */
export function understood(error: unknown): BinderyError | undefined {
  if (error instanceof BinderyError) return error;
  if (error instanceof Refusal)
    return error.code === 4404
      ? new BinderyError('not_found', error.message, { hint: 'Look whether the file was moved or deleted.' })
      : new BinderyError('notebook_invalid', reasonOf(error.message));
  if (!(error instanceof JupyterError)) return undefined;
  const { status, message } = error;
  if (status === 403) return new BinderyError('forbidden', message, { hint: 'Ask whoever shared it for a link that allows more.' });
  if (status === 404) return new BinderyError('not_found', message, { hint: 'Look whether the file was moved or deleted.' });
  if (status === 409) return new BinderyError('file_exists', message);
  if (status >= 400 && status < 500)
    return new BinderyError('request_invalid', message, { hint: 'The message is that of the Jupyter server.' });
  return new BinderyError('session_unreachable', 'The Jupyter server did not answer as it should.');
}

/** What a page is told when a room can't be entered (`documents.ts`). */
function reasonOf(text: string): string {
  try {
    const { errorReason } = JSON.parse(text) as { errorReason?: unknown };
    return typeof errorReason === 'string' ? errorReason : text;
  } catch {
    return text;
  }
}

/** Says of a file that is not there which. */
async function found<T>(path: string, asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => {
    if (error instanceof JupyterError && error.status === 404) throw new JupyterError(404, `There is no file ${path}.`, error);
    throw error;
  });
}

function notebookPath(asked: string): string {
  const path = withoutSlashes(asked);
  if (!/[^/]\.ipynb$/.test(path) || path.split('/').includes('..') || path.includes('\0'))
    throw new BinderyError('request_invalid', `${JSON.stringify(asked)} is no path of a notebook.`, { hint: 'Notebooks end in .ipynb.' });
  return path;
}

function fileOf({ path, name, last_modified: lastModified, size, writable }: Entry): NotebookFile {
  return { path, name, lastModified, size: size ?? null, writable: writable ?? true };
}
