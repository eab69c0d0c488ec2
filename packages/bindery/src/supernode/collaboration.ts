import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Graphql } from '../graphql/graphql.ts';
import { STAYS, Turns } from '../base/turns.ts';
import { percentDecoded, withoutSlashes } from '../base/within.ts';
import { DOCPROVIDER } from '../relay/dialect.ts';
import { roomOf } from '../relay/places.ts';
import type { Admission } from '../relay/relay.ts';
import { Documents, isRoomName, isShareable, type DocumentsOptions } from './documents.ts';
import { GuestDesk, understood } from './guest-desk.ts';
import { mayReach, mustReach, mustRun, ownerOf, type Guest } from './guests.ts';
import { encoded, JupyterError, JupyterServer, type Answer, type JupyterAddress } from './jupyter-server.ts';

export interface CollaborationOptions extends Pick<DocumentsOptions, 'folder' | 'log' | 'relay' | 'saveMs' | 'watchMs'> {
  readonly address: JupyterAddress;
  /** Who sent a request; undefined for somebody who may do nothing at all. */
  readonly guestOf: (request: IncomingMessage) => Guest | undefined;
  /** The page for GraphQL by hand, relative to the server's base address, where there is one. */
  readonly graphqlPage?: string;
}

const MOST_BODY = 1024 * 1024;
/** Characters of a room's name, and of a path. */
const LONGEST_NAME = 512;
const LONGEST_PATH = 4096;

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

const NO_ROLE = 'Nobody may enter without a role.';
const NOT_OFFERED = 'This server keeps no timeline and no forks of documents.';

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

/** JupyterLab's API for the documents of one Jupyter server (`SPEC.md`, A). */
export class Collaboration {
  readonly #options: CollaborationOptions;
  readonly #server: JupyterServer;
  readonly #base: string;
  readonly #turns = new Turns();
  readonly #graphql: Graphql;
  #documents!: Documents;

  private constructor(options: CollaborationOptions) {
    this.#options = options;
    this.#server = new JupyterServer(options.address);
    this.#base = new URL(options.address.url).pathname;
    this.#graphql = new Graphql({ log: options.log, page: options.graphqlPage, understood });
  }

  static async open(options: CollaborationOptions): Promise<Collaboration> {
    const collaboration = new Collaboration(options);
    collaboration.#documents = await Documents.open({
      ...options,
      server: collaboration.#server,
      admit: (request) => collaboration.#admit(request),
      blobUrl: (digest) => `${collaboration.#base}api/bindery/blobs/${digest}`,
    });
    return collaboration;
  }

  /** Answers a request that `isOurs`. Never throws. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const guest = this.#options.guestOf(request);
    if (guest && this.#tail(request) === 'graphql') {
      await this.#graphql.handle(request, response, this.#desk(guest));
      return;
    }
    const { status, type, text, headers = {} } = await this.#answer(request).catch((error: unknown): Reply => problem(error));
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers });
    response.end(text);
  }

  /** Takes an upgrade over. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#tail(request) === 'graphql') {
      const guest = this.#options.guestOf(request);
      this.#graphql.upgrade(request, socket, head, guest ? this.#desk(guest) : NO_ROLE);
      return;
    }
    this.#documents.upgrade(request, socket, head);
  }

  /** Saves everything that is open and edited, for example before the server ends. */
  async flush(): Promise<void> {
    await this.#documents.flush();
  }

  /** Saves, sends everybody away to come again, and ends. With `forget`, what is kept on the disk goes too. */
  async close(how: { readonly forget: boolean } = { forget: false }): Promise<void> {
    this.#graphql.close();
    await this.#documents.close(how);
    await this.#server.close();
  }

  #desk(guest: Guest): GuestDesk {
    return new GuestDesk({ documents: this.#documents, server: this.#server, turns: this.#turns }, guest);
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
    ['PUT', /^api\/collaboration\/session\/(.*)$/, async (call) => this.#session(call)],
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
    if (!isShareable(format, type)) throw new JupyterError(400, `Files of type ${type} in format ${format} can't be shared.`);
    const asPath = withoutSlashes(rest);
    mustReach(guest, asPath);
    const { path } = await this.#server.stat(asPath);
    const { id, isNew, lineage } = await this.#documents.find(path, asked.data);
    return json(isNew ? 201 : 200, { format, type, fileId: id, sessionId: lineage ?? id });
  }

  /** `GET api/contents/{path}?content=0&hash=1`: whether others changed a file, which is of no concern to who has its document (A7). */
  async #check({ request, guest, rest }: Call): Promise<Answer> {
    const path = withoutSlashes(rest);
    mustReach(guest, path);
    const answer = await this.#server.ask('GET', `api/contents/${encoded(path)}?${request.url?.split('?')[1] ?? ''}`);
    if (answer.status !== 200 || !this.#documents.isOpen(path)) return answer;
    const known = JSON.parse(answer.text) as Record<string, unknown>;
    return json(200, { ...known, last_modified: LONG_AGO, hash: null, hash_algorithm: null });
  }

  /** `PATCH api/contents/{path}`: to the server, and then the documents know their new paths (A4). */
  async #rename({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = Rename.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a path.');
    const from = withoutSlashes(rest);
    return this.#documents.move(from, withoutSlashes(body.data.path), async () =>
      this.#server.ask('PATCH', `api/contents/${encoded(from)}`, JSON.stringify(body.data)),
    );
  }

  async #remove({ guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const path = withoutSlashes(rest);
    return this.#documents.remove(path, async () => this.#server.ask('DELETE', `api/contents/${encoded(path)}`));
  }

  /** `POST api/kernels/{id}/execute`: a cell of an open document is run, whatever becomes of who asked (A8). */
  async #execute({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = ExecuteRequest.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a document and a cell.');
    // In the order in which they come, whatever each has to wait for: that of "Run All".
    const execution = await this.#turns.take(rest, STAYS, async () => this.#request(body.data, rest, ownerOf(guest)));
    return json(200, { execution });
  }

  async #request(asked: z.infer<typeof ExecuteRequest>, kernel: string, owner: string): Promise<string> {
    const { document_id: document, cell_id: cell, source_hash: sourceHash, allow_stdin: allowStdin } = asked;
    const executions = await this.#documents.runnerOf(document);
    return executions.request(document, { cell, kernel, owner, allowStdin, ...(sourceHash === undefined ? {} : { sourceHash }) });
  }

  /** `POST api/bindery/stdin/{question}`: a line of text that running code asked for (A9). */
  async #input({ request, guest, rest }: Call): Promise<Answer> {
    mustRun(guest);
    const body = InputReply.safeParse(await jsonBody(request));
    if (!body.success) throw new JupyterError(400, 'The body names a document and a value.');
    (await this.#documents.runner()).answerStdin(body.data.document_id, rest, body.data.value);
    return json(200, {});
  }

  /** `GET api/bindery/blobs/{digest}`: an output that is too large for its document (A10). */
  async #blob({ rest }: Call): Promise<Reply> {
    const blob = await this.#documents.blobs.read(rest);
    if (!blob) throw new JupyterError(404, 'There is no such output.');
    const isShown = /^image\/[\w.+-]+$|^text\/plain$/.test(blob.mime);
    return { status: 200, type: isShown ? blob.mime : 'application/octet-stream', text: blob.bytes, headers: ALONE };
  }

  #admit(request: IncomingMessage): Admission | string {
    const guest = this.#options.guestOf(request);
    if (!guest) return NO_ROLE;
    const tail = this.#tail(request);
    const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
    const stock = decoded(/^api\/collaboration\/room\/(.+)$/.exec(tail)?.[1]);
    const found = stock === undefined ? roomOf(tail.replace(/^api\/bindery/, '')) : { room: stock, dialect: DOCPROVIDER };
    if (!found || found.room.length > LONGEST_NAME) return 'There is no room at this address.';
    if (!isRoomName(found.room)) return 'This is no name of a room.';
    // What everybody does everywhere is told to nobody who was shown a part of it.
    if (!mayReach(guest, this.#documents.pathOf(found.room))) return 'This document is not shared with you.';
    const lineage = query.get('sessionId');
    return { ...found, role: guest.role, user: {}, owner: ownerOf(guest), ...(lineage === null ? {} : { lineage }) };
  }
}

/** True for what a collaboration answers, of all that is below a Jupyter server's base address. */
export function isOurs(method: string, tail: string, query: string): boolean {
  if (method === 'GET' && tail.startsWith('api/contents/')) return isCheck(query);
  return (
    tail === 'graphql' ||
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

/** What a path's pattern caught; undefined for what is malformed or endless. */
function decoded(text: string | undefined): string | undefined {
  return text === undefined || text.length > 3 * LONGEST_PATH ? undefined : percentDecoded(text);
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
