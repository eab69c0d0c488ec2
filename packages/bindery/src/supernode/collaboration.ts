import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { includes, type Role } from '@bindery/wire/roles.ts';
import type { Logger } from '../base/log.ts';
import { keyIn } from '../base/secrets.ts';
import { Turns } from '../base/turns.ts';
import { DOCPROVIDER } from '../relay/dialect.ts';
import { roomOf } from '../relay/places.ts';
import { Refusal, Relay, type Admission, type RelayOptions } from '../relay/relay.ts';
import type { Occupant, RelayRoom } from '../relay/relay-room.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';
import { FileIds } from './file-ids.ts';
import { encoded, JupyterError, JupyterServer, type Answer, type JupyterAddress } from './jupyter-server.ts';
import { kindOf, type Kind } from './kinds.ts';
import { Mirror } from './mirror.ts';
import { Moves } from './moves.ts';
import { SharedFile } from './shared-file.ts';

/** What somebody may do, and with which files: those at or below this path, all where it is empty. */
export interface Guest {
  readonly role: Role;
  readonly path: string;
}

export interface CollaborationOptions {
  readonly address: JupyterAddress;
  /** Where documents are kept; made if it is not there. */
  readonly folder: string;
  /** Who sent a request; undefined for somebody who may do nothing at all. */
  readonly guestOf: (request: IncomingMessage) => Guest | undefined;
  readonly log: Logger;
  readonly relay?: Pick<RelayOptions, 'maxConnections' | 'maxMessageBytes' | 'idleMs'>;
  readonly saveMs?: number;
  readonly watchMs?: number;
}

const MOST_BODY = 1024 * 1024;
/** Characters of a room's name, and of a path. */
const LONGEST_NAME = 512;
const LONGEST_PATH = 4096;

/** The room of what the Jupyter server itself has: its kernels, sessions and the like. */
const SERVER_ROOM = 'server';
/** A room that is no file: of fewer than three parts. */
const TRANSIENT = /^[^:/]*(?::[^:/]*)?$/;
const FILE_ROOM = /^(?<format>[a-z0-9]+):(?<type>[a-z]+):(?<id>[\w-]+)$/;
const SessionRequest = z.object({ format: z.string(), type: z.string() });
const ExecuteRequest = z.object({
  document_id: z.string().max(LONGEST_NAME),
  cell_id: z.string().max(LONGEST_NAME),
  source_hash: z.string().optional(),
  allow_stdin: z.boolean().default(true),
});
const InputReply = z.object({ document_id: z.string().max(LONGEST_NAME), value: z.string() });
const Rename = z.object({ path: z.string().max(LONGEST_PATH) });

/** No file that a page knows is older. */
const LONG_AGO = new Date(0).toISOString();

const NOT_OFFERED = 'This server keeps no timeline and no forks of documents.';

/** A request that was taken is done, also when who asked has gone. */
const STAYS = new AbortController().signal;

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What somebody's code has made is nothing that runs, wherever it is opened. It never changes. */
const ALONE = { 'content-security-policy': "sandbox; default-src 'none'", 'cache-control': 'private, max-age=31536000, immutable' };

/** A part of JupyterLab's collaboration API that is answered here: method and path below the server's base address. */
interface Call {
  readonly request: IncomingMessage;
  readonly guest: Guest;
  /** What the path's pattern caught, decoded. */
  readonly rest: string;
}

/** Everything that the documents of one Jupyter server need: rooms, the files behind them, and JupyterLab's API for both (`SPEC.md`, A). */
export class Collaboration {
  readonly #options: CollaborationOptions;
  readonly #server: JupyterServer;
  readonly #ids: FileIds;
  readonly #relay: Relay;
  readonly #base: string;
  readonly #moves = new Moves();
  readonly #turns = new Turns();
  readonly #files = new Map<string, SharedFile>();
  readonly #blobs: FolderBlobs;
  readonly #secret: string;
  #executions: Executions | undefined;
  #mirror: Mirror | undefined;
  #isClosed = false;

  private constructor(options: CollaborationOptions, ids: FileIds, secret: string) {
    this.#options = options;
    this.#server = new JupyterServer(options.address);
    this.#base = new URL(options.address.url).pathname;
    this.#ids = ids;
    this.#blobs = new FolderBlobs(join(options.folder, 'blobs'), (digest) => `${this.#base}api/bindery/blobs/${digest}`);
    this.#secret = secret;
    this.#relay = new Relay({
      folder: join(options.folder, 'rooms'),
      admit: async (request) => this.#admit(request),
      occupy: async (name, room) => this.#occupy(name, room),
      ...options.relay,
    });
  }

  static async open(options: CollaborationOptions): Promise<Collaboration> {
    await mkdir(join(options.folder, 'bases'), { recursive: true, mode: 0o700 });
    const [ids, secret] = await Promise.all([
      FileIds.open(join(options.folder, 'files.json')),
      keyIn(join(options.folder, 'executions.key')),
    ]);
    return new Collaboration(options, ids, secret);
  }

  /** Answers a request that `isOurs`. Never throws. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, text, headers = {} } = await this.#answer(request).catch((error: unknown): Reply => problem(error));
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers });
    response.end(text);
  }

  /** Takes an upgrade over. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#relay.upgrade(request, socket, head);
  }

  /** Saves everything that is open and edited, for example before the server ends. */
  async flush(): Promise<void> {
    await Promise.all([...this.#files.values()].map(async (file) => (file.isBusy() ? file.save() : undefined)));
  }

  /** Saves, sends everybody away to come again, and ends. With `forget`, what is kept on the disk goes too. */
  async close(how: { readonly forget: boolean } = { forget: false }): Promise<void> {
    this.#isClosed = true;
    await this.#relay.close();
    this.#executions?.close();
    await this.#server.close();
    if (how.forget) await rm(this.#options.folder, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const guest = this.#options.guestOf(request);
    if (!guest) throw new JupyterError(403, 'Nobody may do this without a role.');
    const path = this.#tail(request);
    const { method = 'GET' } = request;
    for (const [of, pattern, answer] of this.#api) {
      const rest = of === method ? decoded(pattern.exec(path)?.[1]) : undefined;
      if (rest !== undefined) return answer({ request, guest, rest });
    }
    throw new JupyterError(404, 'There is nothing at this address.');
  }

  readonly #api: readonly (readonly [string, RegExp, (call: Call) => Promise<Reply>])[] = [
    ['PUT', /^api\/collaboration\/session\/(.+)$/, async (call) => this.#session(call)],
    ['GET', /^api\/contents\/(.+)$/, async (call) => this.#check(call)],
    ['PATCH', /^api\/contents\/(.+)$/, async (call) => this.#rename(call)],
    ['DELETE', /^api\/contents\/(.+)$/, async (call) => this.#remove(call)],
    ['POST', /^api\/kernels\/([^/]+)\/execute$/, async (call) => this.#execute(call)],
    ['POST', /^api\/bindery\/stdin\/([^/]+)$/, async (call) => this.#input(call)],
    ['GET', /^api\/bindery\/blobs\/([0-9a-f]{64})$/, async (call) => this.#blob(call)],
    ['GET', /^api\/collaboration\/(?:timeline|fork)(\/.*|)$/, notOffered],
    ['PUT', /^api\/collaboration\/(?:undo_redo|fork)(\/.*|)$/, notOffered],
    ['DELETE', /^api\/collaboration\/fork(\/.*|)$/, notOffered],
  ];

  /** Below the server's base address, without the query. */
  #tail({ url = '' }: IncomingMessage): string {
    const [path = ''] = url.split('?');
    return path.startsWith(this.#base) ? path.slice(this.#base.length) : '';
  }

  /** `PUT api/collaboration/session/{path}`: the id of a file and the name of its document's history (A1). */
  async #session({ request, guest, rest }: Call): Promise<Answer> {
    const asked = SessionRequest.safeParse(await jsonBody(request));
    if (!asked.success) throw new JupyterError(400, 'The body names a format and a type.');
    const { format, type } = asked.data;
    if (!kindOf(format, type)) throw new JupyterError(400, `Files of type ${type} in format ${format} can't be shared.`);
    const path = cleaned(rest);
    mustReach(guest, path);
    const stat = await this.#server.stat(path);
    const { id, isNew } = await this.#ids.index(stat.path);
    // Why it can't be opened is said where the page can show it: when it enters the room.
    const room = await this.#relay.room(`${format}:${type}:${id}`).catch(() => undefined);
    return json(isNew ? 201 : 200, { format, type, fileId: id, sessionId: room?.lineage ?? id });
  }

  /** `GET api/contents/{path}?content=0&hash=1`: whether others changed a file, which is of no concern to who has its document (A7). */
  async #check({ request, guest, rest }: Call): Promise<Answer> {
    const path = cleaned(rest);
    mustReach(guest, path);
    const answer = await this.#server.ask('GET', `api/contents/${encoded(path)}?${request.url?.split('?')[1] ?? ''}`);
    const id = this.#ids.idOf(path);
    if (answer.status !== 200 || id === undefined || this.#filesOf(id).length === 0) return answer;
    const known = JSON.parse(answer.text) as Record<string, unknown>;
    return json(200, { ...known, last_modified: LONG_AGO, hash: null, hash_algorithm: null });
  }

  /** `PATCH api/contents/{path}`: to the server, and then the documents know their new paths (A4). */
  async #rename({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = Rename.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a path.');
    return this.#moves.move(async () => {
      const from = cleaned(rest);
      const answer = await this.#server.ask('PATCH', `api/contents/${encoded(from)}`, JSON.stringify(body.data));
      if (answer.status < 300) {
        const moved = await this.#ids.move(from, cleaned(body.data.path));
        await Promise.all(moved.map(async ({ id, path }) => Promise.all(this.#filesOf(id).map(async (file) => file.moved(path)))));
      }
      return answer;
    });
  }

  async #remove({ guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    return this.#moves.move(async () => {
      const path = cleaned(rest);
      const answer = await this.#server.ask('DELETE', `api/contents/${encoded(path)}`);
      if (answer.status < 300) await this.#ids.remove(path);
      return answer;
    });
  }

  /** `POST api/kernels/{id}/execute`: a cell of an open document is run, whatever becomes of who asked (A8). */
  async #execute({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = ExecuteRequest.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a document and a cell.');
    // In the order in which they come, whatever each has to wait for: that of "Run All".
    const execution = await this.#turns.take(rest, STAYS, async () => this.#request(body.data, rest, guest.role));
    return json(200, { execution });
  }

  async #request(asked: z.infer<typeof ExecuteRequest>, kernel: string, owner: string): Promise<string> {
    const { document_id: document, cell_id: cell, source_hash: sourceHash, allow_stdin: allowStdin } = asked;
    if (!FILE_ROOM.test(document)) throw new JupyterError(404, 'There is no such document.');
    await this.#relay.room(document);
    const executions = await this.#runner();
    return executions.request(document, { cell, kernel, owner, allowStdin, ...(sourceHash === undefined ? {} : { sourceHash }) });
  }

  /** `POST api/bindery/stdin/{question}`: a line of text that running code asked for (A9). */
  async #input({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = InputReply.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a document and a value.');
    (await this.#runner()).answerStdin(body.data.document_id, rest, body.data.value);
    return json(200, {});
  }

  /** `GET api/bindery/blobs/{digest}`: an output that is too large for its document (A10). */
  async #blob({ rest }: Call): Promise<Reply> {
    const blob = await this.#blobs.read(rest);
    if (!blob) throw new JupyterError(404, 'There is no such output.');
    const isShown = /^image\/[\w.+-]+$|^text\/plain$/.test(blob.mime);
    return { status: 200, type: isShown ? blob.mime : 'application/octet-stream', text: blob.bytes, headers: ALONE };
  }

  #filesOf(id: string): SharedFile[] {
    return [...this.#files].flatMap(([room, file]) => (room.endsWith(`:${id}`) ? [file] : []));
  }

  #admit(request: IncomingMessage): Admission | string {
    const guest = this.#options.guestOf(request);
    if (!guest) return 'Nobody may enter without a role.';
    const tail = this.#tail(request);
    const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
    const stock = decoded(/^api\/collaboration\/room\/(.+)$/.exec(tail)?.[1]);
    const found = stock === undefined ? roomOf(tail.replace(/^api\/bindery/, '')) : { room: stock, dialect: DOCPROVIDER };
    if (!found || found.room.length > LONGEST_NAME) return 'There is no room at this address.';
    if (!TRANSIENT.test(found.room) && !FILE_ROOM.test(found.room)) return 'This is no name of a room.';
    const file = FILE_ROOM.exec(found.room)?.groups?.['id'];
    const path = file === undefined ? undefined : this.#ids.pathOf(file);
    // What everybody does everywhere is told to nobody who was shown a part of it.
    if (!mayRun(guest) && (path === undefined || !isWithin(guest.path, path))) return 'This document is not shared with you.';
    const lineage = query.get('sessionId');
    return { ...found, role: guest.role, user: {}, ...(lineage === null ? {} : { lineage }) };
  }

  /** What runs cells: there with the first notebook, as it needs to know the server's kernels. */
  async #runner(): Promise<Executions> {
    await this.#relay.room(SERVER_ROOM);
    const mirror = this.#mirror;
    if (!mirror || this.#isClosed) throw new JupyterError(503, 'The documents of this server are being closed.');
    const { log } = this.#options;
    this.#executions ??= new Executions({
      server: this.#server,
      secret: this.#secret,
      blobs: this.#blobs,
      mirror,
      failed: (document, error) => log.warn({ document, error: error.message }, 'the cells of a document can no longer be run'),
    });
    return this.#executions;
  }

  #reflect(room: RelayRoom): Occupant {
    const mirror = new Mirror({ server: this.#server, shared: room, isWatched: () => room.size > 0 });
    this.#mirror = mirror;
    return {
      // What it knows of kernels is needed as long as cells may be run.
      isBusy: () => !this.#isClosed,
      save: async () => 'skipped',
      leave: async () => mirror.close(),
    };
  }

  async #occupy(name: string, room: RelayRoom): Promise<Occupant | undefined> {
    if (name === SERVER_ROOM) return this.#reflect(room);
    const { format = '', type = '', id = '' } = FILE_ROOM.exec(name)?.groups ?? {};
    if (id === '') return undefined;
    const kind = kindOf(format, type);
    const path = this.#ids.pathOf(id);
    if (!kind || path === undefined) throw new Refusal(4404, 'There is no such file.');
    try {
      return await this.#open(name, room, kind, path);
    } catch (error) {
      throw refusal(error);
    }
  }

  async #open(name: string, room: RelayRoom, kind: Kind, path: string): Promise<Occupant> {
    const { folder, log, saveMs, watchMs } = this.#options;
    const file = await SharedFile.open({
      room,
      server: this.#server,
      kind,
      path,
      baseFile: join(folder, 'bases', createHash('sha256').update(name).digest('hex')),
      steady: async (work) => this.#moves.steady(work),
      blobs: this.#blobs,
      log,
      ...(saveMs === undefined ? {} : { saveMs }),
      ...(watchMs === undefined ? {} : { watchMs }),
    });
    this.#files.set(name, file);
    const executions = kind.type === 'notebook' ? await this.#runner() : undefined;
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

/** True for what a collaboration answers, of all that is below a Jupyter server's base address. */
export function isOurs(method: string, tail: string, query: string): boolean {
  if (method === 'GET' && tail.startsWith('api/contents/')) return isCheck(query);
  return (
    /^api\/(?:collaboration|bindery)\//.test(tail) ||
    (method === 'POST' && /^api\/kernels\/[^/]+\/execute$/.test(tail)) ||
    ((method === 'PATCH' || method === 'DELETE') && /^api\/contents\/[^?]/.test(tail) && !/\/checkpoints(?:\/[^/]*)?$/.test(tail))
  );
}

/** What JupyterLab asks before it saves, and nothing else does. */
function isCheck(query: string): boolean {
  const asked = new URLSearchParams(query);
  return asked.get('content') === '0' && asked.get('hash') === '1';
}

/** As the page is told when a room can't be entered: JupyterLab shows the text of 1003, and has a word of its own for 4404. */
function refusal(error: unknown): unknown {
  if (error instanceof JupyterError && error.status === 404) return new Refusal(4404, 'There is no such file.');
  const said = error instanceof JupyterError || error instanceof BinderyError ? error.message : undefined;
  if (said === undefined) return error;
  // The whole has 120 bytes.
  return new Refusal(1003, JSON.stringify({ reason: 'initialization_error', reloadable: false, errorReason: said.slice(0, 48) }));
}

function problem(error: unknown): Answer {
  if (error instanceof JupyterError) return json(error.status === 0 ? 502 : error.status, { message: error.message });
  if (error instanceof BinderyError) return json(error.status, { message: error.message });
  return json(500, { message: 'This is a fault of the server.' });
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json', text: JSON.stringify(body) };
}

async function notOffered(): Promise<Answer> {
  return json(501, { message: NOT_OFFERED });
}

function mayRun({ role }: Guest): boolean {
  return includes(role, 'execute');
}

/** What changes files or runs code is for those who may do so. */
function mustRun(guest: Guest): void {
  if (!mayRun(guest)) throw new JupyterError(403, `This needs the role execute, and yours is ${guest.role}.`);
}

/** Those who may not run code get what was shared with them. */
function mustReach(guest: Guest, path: string): void {
  if (!mayRun(guest) && !isWithin(guest.path, path)) throw new JupyterError(403, 'This file is not shared with you.');
}

/** True for the path itself, and what is below it. */
function isWithin(shared: string, path: string): boolean {
  return shared === '' || path === shared || path.startsWith(`${shared}/`);
}

/** A path of the Contents API as it names files: without slashes at its ends. */
function cleaned(path: string): string {
  return path.replaceAll(/^\/+|\/+$/g, '');
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined || text.length > 3 * LONGEST_PATH ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

async function jsonBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BODY) throw new JupyterError(413, 'The body is too large.');
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw new JupyterError(400, 'The body is no JSON.');
  }
}
