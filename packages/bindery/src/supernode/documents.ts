import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Logger } from '../base/log.ts';
import { systemClock } from '../base/clock.ts';
import { keyIn } from '../base/secrets.ts';
import { STAYS, Turns } from '../base/turns.ts';
import type { Occupant } from '../relay/occupant.ts';
import { Refusal, Relay, type Admission, type RelayOptions } from '../relay/relay.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';
import { parentOf } from './entry-names.ts';
import { FileChanges } from './file-changes.ts';
import { FileIds } from './file-ids.ts';
import { FolderRequests } from './folder-requests.ts';
import { JupyterError, type Answer, type JupyterServer } from './jupyter-server.ts';
import { kindOf, type Kind } from './kinds.ts';
import { Mirror } from './mirror.ts';
import { Moves } from './moves.ts';
import { SessionRequests } from './session-requests.ts';
import { SharedBytes } from './shared-bytes.ts';
import { SharedFile } from './shared-file.ts';
import { SharedFolder } from './shared-folder.ts';

export interface DocumentsOptions {
  readonly server: JupyterServer;
  /** Where documents are kept; made if it is not there. */
  readonly folder: string;
  /** Who may enter which room, by the head of the request. */
  readonly admit: (request: IncomingMessage) => Admission | string;
  /** The address of an output that is too large for its document. */
  readonly blobUrl: (digest: string) => string;
  readonly log: Logger;
  readonly relay?: Pick<RelayOptions, 'maxConnections' | 'maxMessageBytes' | 'idleMs'> | undefined;
  readonly saveMs?: number | undefined;
  readonly watchMs?: number | undefined;
}

/** The room of what the Jupyter server itself has: its kernels, sessions and the like. */
export const SERVER_ROOM = 'server';
/** A room that is no file: of fewer than three parts. */
const TRANSIENT = /^[^:/]*(?::[^:/]*)?$/;
const FILE_ROOM = /^(?<format>[a-z0-9]+):(?<type>[a-z]+):(?<id>[\w-]+)$/;

/** What is in step with something on the disk that may be moved. */
type Moving = Pick<SharedFile | SharedFolder | SharedBytes, 'moved'>;

/** The documents of one Jupyter server: their rooms, the files behind them, and what runs their cells. */
export class Documents {
  readonly blobs: FolderBlobs;
  /** What changes files and folders, so that the documents know. */
  readonly changes: FileChanges;
  readonly #options: DocumentsOptions;
  readonly #ids: FileIds;
  readonly #secret: string;
  readonly #relay: Relay;
  readonly #moves = new Moves();
  readonly #files = new Map<string, SharedFile>();
  readonly #folders = new Map<string, SharedFolder>();
  readonly #bytes = new Map<string, SharedBytes>();
  readonly #turns = new Turns();
  #executions: Executions | undefined;
  #mirror: Mirror | undefined;
  #isClosed = false;

  private constructor(options: DocumentsOptions, ids: FileIds, secret: string) {
    this.#options = options;
    this.#ids = ids;
    this.#secret = secret;
    this.blobs = new FolderBlobs(join(options.folder, 'blobs'), options.blobUrl);
    this.changes = new FileChanges({
      server: options.server,
      move: async (from, to, ask) => this.move(from, to, ask),
      remove: async (path, ask) => this.remove(path, ask),
      idOf: async (path) => (await ids.index(path)).id,
    });
    this.#relay = new Relay({
      folder: join(options.folder, 'rooms'),
      admit: async (request) => options.admit(request),
      occupy: async (name, room) => this.#occupy(name, room),
      ...options.relay,
    });
  }

  static async open(options: DocumentsOptions): Promise<Documents> {
    const { folder } = options;
    await mkdir(join(folder, 'bases'), { recursive: true, mode: 0o700 });
    const [ids, secret] = await Promise.all([FileIds.open(join(folder, 'files.json')), keyIn(join(folder, 'executions.key'))]);
    return new Documents(options, ids, secret);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#relay.upgrade(request, socket, head);
  }

  /** Saves everything that is open and edited, for example before the server ends. */
  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map(async (file) => (file.isBusy() ? file.save() : undefined)));
  }

  /** Saves, sends everybody away to come again, and ends. With `forget`, what is kept on the disk goes too. */
  async close({ forget }: { readonly forget: boolean }): Promise<void> {
    this.#isClosed = true;
    await this.#relay.close();
    this.#executions?.close();
    if (forget) await rm(this.#options.folder, { recursive: true, force: true });
  }

  /** The id of a file, and the history of its document, as far as it can be opened: why not is said to who enters its room. */
  async find(
    path: string,
    { format, type }: Pick<Kind, 'format' | 'type'>,
  ): Promise<{ readonly id: string; readonly isNew: boolean; readonly lineage: string | undefined }> {
    const found = await this.#ids.index(path);
    const room = await this.#relay.room(`${format}:${type}:${found.id}`).catch(() => undefined);
    if (found.isNew) this.#lookAt(parentOf(path));
    return { ...found, lineage: room?.lineage };
  }

  /** The path of the file that a room is of; undefined where it is of none. */
  pathOf(room: string): string | undefined {
    return this.#ids.pathOf(FILE_ROOM.exec(room)?.groups?.['id'] ?? '');
  }

  /** True while the document of a file is open. */
  isOpen(path: string): boolean {
    const id = this.#ids.idOf(path);
    return id !== undefined && of(this.#files, id).length > 0;
  }

  /** Has the server move a file or folder; when it did, the documents know their new paths (I1). */
  async move(from: string, to: string, ask: () => Promise<Answer>): Promise<Answer> {
    return this.#moves.move(async () => {
      const answer = await ask();
      if (answer.status >= 300) return answer;
      const moved = await this.#ids.move(from, to);
      await Promise.all(moved.map(async ({ id, path }) => Promise.all(this.#inStep(id).map(async (each) => each.moved(path)))));
      for (const path of new Set([parentOf(from), parentOf(to)])) this.#lookAt(path);
      return answer;
    });
  }

  /** Has the server delete a file or folder; what comes to be there later is another (I2). */
  async remove(path: string, ask: () => Promise<Answer>): Promise<Answer> {
    return this.#moves.move(async () => {
      const answer = await ask();
      if (answer.status < 300) await this.#ids.remove(path);
      this.#lookAt(parentOf(path));
      return answer;
    });
  }

  /** What runs cells: there with the first notebook, as it needs to know the server's kernels. @throws JupyterError 503 when it is too late */
  async runner(): Promise<Executions> {
    await this.#relay.room(SERVER_ROOM);
    const { server, log } = this.#options;
    const mirror = this.#mirror;
    if (!mirror || this.#isClosed) throw new JupyterError(503, 'The documents of this server are being closed.');
    this.#executions ??= new Executions({
      server,
      secret: this.#secret,
      blobs: this.blobs,
      mirror,
      failed: (document, error) => log.warn({ document, error: error.message }, 'the cells of a document can no longer be run'),
    });
    return this.#executions;
  }

  /** What runs the cells of a document, which is open then. @throws JupyterError 404 for a name of no document, Refusal where it can't be opened */
  async runnerOf(document: string): Promise<Executions> {
    if (!FILE_ROOM.test(document)) throw new JupyterError(404, 'There is no such document.');
    await this.#relay.room(document);
    return this.runner();
  }

  #inStep(id: string): Moving[] {
    return [this.#files, this.#folders, this.#bytes].flatMap((all: ReadonlyMap<string, Moving>) => of(all, id));
  }

  /** Whoever looks at this folder sees at once what was done in it. */
  #lookAt(path: string | undefined): void {
    for (const folder of this.#folders.values()) if (folder.path === path) void folder.look();
  }

  /** A room, opened if it is not. @throws Refusal where it can't be */
  async room(name: string): Promise<RelayRoom> {
    return this.#relay.room(name);
  }

  /** The same, for somebody who goes on looking at it (`Relay.stay`). */
  async stay(name: string, ended: () => void): Promise<{ readonly room: RelayRoom; readonly leave: () => void }> {
    return this.#relay.stay(name, ended);
  }

  /** The document of the server's tables, as they are now. */
  async tables(): Promise<RelayRoom> {
    const room = await this.#relay.room(SERVER_ROOM);
    await this.#mirror?.look();
    return room;
  }

  async #occupy(name: string, room: RelayRoom): Promise<Occupant | undefined> {
    if (name === SERVER_ROOM) return this.#reflect(room);
    const { format = '', type = '', id = '' } = FILE_ROOM.exec(name)?.groups ?? {};
    if (id === '') return undefined;
    const kind = kindOf(format, type);
    const path = this.#ids.pathOf(id);
    if (path === undefined || !isShareable(format, type)) throw new Refusal(4404, 'There is no such file.');
    try {
      if (kind) return await this.#open(name, room, kind, path);
      return type === 'directory' ? await this.#openFolder(name, room, path) : await this.#openBytes(name, room, path);
    } catch (error) {
      throw refusal(error);
    }
  }

  #reflect(room: RelayRoom): Occupant {
    const { server } = this.#options;
    const requests = new SessionRequests({ server, shared: room, look: async () => mirror.look() });
    const isRequest = (id: string): boolean => requests.has(id);
    const mirror = new Mirror({ server, shared: room, isWatched: () => room.size > 0, isRequest });
    this.#mirror = mirror;
    return {
      // What it knows of kernels is needed as long as cells may be run.
      isBusy: () => !this.#isClosed,
      save: async () => 'skipped',
      leave: async () => {
        requests.close();
        mirror.close();
      },
    };
  }

  async #openFolder(name: string, room: RelayRoom, path: string): Promise<Occupant> {
    const { server, watchMs } = this.#options;
    const idOf = (each: string): string | undefined => this.#ids.idOf(each);
    const folder = await SharedFolder.open({ shared: room, server, path, idOf, isWatched: () => room.size > 0, watchMs });
    this.#folders.set(name, folder);
    const requests = new FolderRequests({
      shared: room,
      clock: systemClock,
      inTurn: async (work) => this.#turns.take('changes', STAYS, work),
      carryOut: async (order) => {
        const outcome = await this.changes.carryOut(folder.path, order);
        // Who hears that it is done, sees it.
        await folder.look();
        if (parentOf(outcome.path) !== folder.path) this.#lookAt(parentOf(outcome.path));
        return outcome;
      },
    });
    return {
      isBusy: () => !this.#isClosed && requests.isBusy,
      save: async () => 'skipped',
      leave: async () => {
        await requests.close();
        folder.close();
        this.#folders.delete(name);
      },
    };
  }

  async #openBytes(name: string, room: RelayRoom, path: string): Promise<Occupant> {
    const { server, watchMs } = this.#options;
    const file = await SharedBytes.open({ shared: room, server, path, room: name, isWatched: () => room.size > 0, watchMs });
    this.#bytes.set(name, file);
    return {
      isBusy: () => false,
      save: async () => 'skipped',
      leave: async () => {
        file.close();
        this.#bytes.delete(name);
      },
    };
  }

  async #open(name: string, room: RelayRoom, kind: Kind, path: string): Promise<Occupant> {
    const { server, folder, log, saveMs, watchMs } = this.#options;
    const file = await SharedFile.open({
      room,
      server,
      kind,
      path,
      baseFile: join(folder, 'bases', createHash('sha256').update(name).digest('hex')),
      steady: async (work) => this.#moves.steady(work),
      blobs: this.blobs,
      log,
      saveMs,
      watchMs,
    });
    this.#files.set(name, file);
    const executions = kind.type === 'notebook' ? await this.runner() : undefined;
    executions?.attach(name, room);
    return {
      isBusy: () => !this.#isClosed && (file.isBusy() || executions?.isBusy(name) === true),
      save: async () => file.save(),
      leave: async () => {
        executions?.detach(name);
        await file.leave();
        this.#files.delete(name);
      },
    };
  }
}

/** What of these is open of a file, whose rooms' names end in its id. */
function of<T>(all: ReadonlyMap<string, T>, id: string): T[] {
  return [...all].flatMap(([room, each]) => (room.endsWith(`:${id}`) ? [each] : []));
}

/** True for what has a document: files that are edited together, files of bytes, folders. */
export function isShareable(format: string, type: string): boolean {
  return kindOf(format, type) !== undefined || (format === 'json' && type === 'directory') || (format === 'base64' && type === 'file');
}

/** True for what may be the name of a room. */
export function isRoomName(name: string): boolean {
  return TRANSIENT.test(name) || FILE_ROOM.test(name);
}

/** As the page is told when a room can't be entered: JupyterLab shows the text of 1003, and has a word of its own for 4404. */
function refusal(error: unknown): unknown {
  if (error instanceof JupyterError && error.status === 404) return new Refusal(4404, 'There is no such file.');
  const said = error instanceof JupyterError || error instanceof BinderyError ? error.message : undefined;
  if (said === undefined) return error;
  // The whole has 120 bytes.
  return new Refusal(1003, JSON.stringify({ reason: 'initialization_error', reloadable: false, errorReason: said.slice(0, 48) }));
}
