import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { ROLES } from '@bindery/wire/roles.ts';
import { makeLog } from '../base/log.ts';
import { sameSecret } from '../base/secrets.ts';
import { StateLock } from '../base/state-lock.ts';
import { Collaboration } from './collaboration.ts';
import type { Guest } from './guests.ts';

/**
 * The process that keeps the documents of Jupyter servers, those of a hub's sessions or another (`beside.ts` starts it). It is told by its parent, over
 * the channel that Node makes between the two, where they are, and ends with it. Whoever comes to its socket needs the secret: that is the proxy alone.
 */

const Order = z.discriminatedUnion('type', [
  z.object({ type: z.literal('begin'), folder: z.string(), socketPath: z.string(), secret: z.string(), level: z.string() }),
  z.object({
    type: z.literal('put'),
    id: z.string(),
    url: z.string(),
    socketPath: z.string().optional(),
    token: z.string(),
    kernels: z.string().optional(),
  }),
  z.object({ type: z.literal('flush'), id: z.string(), number: z.number() }),
  z.object({ type: z.literal('remove'), id: z.string() }),
]);
type Order = z.infer<typeof Order>;
type Begin = Extract<Order, { type: 'begin' }>;
type Put = Extract<Order, { type: 'put' }>;

/** Milliseconds that one may take to end whose parent has gone, and that the next one waits for it (D8). */
const END_MS = 15_000;
const WAIT_MS = 20_000;

class Worker {
  readonly #begin: Begin;
  readonly #log;
  /** Held until this process ends, in whatever way; before it is had, nothing is touched. */
  readonly #lock: Promise<StateLock>;
  readonly #sessions = new Map<string, Promise<Collaboration>>();
  /** Ids of sessions by the path that they are below. */
  readonly #places = new Map<string, string>();

  constructor(begin: Begin) {
    this.#begin = begin;
    this.#log = makeLog(begin.level);
    this.#lock = StateLock.await(begin.folder, 'documents', WAIT_MS);
    this.#lock.catch(() => undefined);
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#begin;
    await this.#lock;
    const server = createServer({ noDelay: true }, (request, response) => {
      this.#of(request.url).then(
        async (found) => {
          if (found) await found.handle(request, response);
          else response.writeHead(404).end();
        },
        () => response.writeHead(503, { 'retry-after': '1' }).end(),
      );
    });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      this.#of(request.url).then(
        (found) => (found ? found.upgrade(request, socket, head) : socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')),
        () => socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n'),
      );
    });
    await rm(socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, resolve);
    });
    await chmod(socketPath, 0o600);
  }

  put({ id, url, socketPath, token, kernels }: Put): void {
    const { folder, secret } = this.#begin;
    if (this.#sessions.has(id)) return;
    const opening = this.#lock.then(async () =>
      Collaboration.open({
        address: { url, socketPath, token, kernels },
        folder: join(folder, id),
        guestOf: (request) => guestOf(request, secret),
        graphqlPage: '-/graphql',
        log: this.#log,
      }),
    );
    this.#sessions.set(id, opening);
    this.#places.set(new URL(url).pathname, id);
    opening.catch((error: unknown) => this.#log.error({ err: error, session: id }, 'the documents of a session could not be opened'));
  }

  async flush(id: string): Promise<void> {
    await (await this.#sessions.get(id)?.catch(() => undefined))?.flush();
  }

  async remove(id: string): Promise<void> {
    const session = await this.#sessions.get(id)?.catch(() => undefined);
    this.#sessions.delete(id);
    for (const [place, of] of this.#places) if (of === id) this.#places.delete(place);
    await session?.close({ forget: true });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(async (each) => (await each.catch(() => undefined))?.close()));
  }

  async #of(url = ''): Promise<Collaboration | undefined> {
    // A session's is `/s/<id>/`; no other place begins so.
    const known =
      this.#places.get(url.slice(0, url.indexOf('/', 3) + 1)) ?? [...this.#places].find(([place]) => url.startsWith(place))?.[1];
    return this.#sessions.get(known ?? '');
  }
}

const Told = z.object({ 'x-bindery-role': z.enum(ROLES), 'x-bindery-path': z.string(), 'x-bindery-visitor': z.string() });

/** The proxy has found out who it is, and says so with the secret that only it has (proxy, Z4). */
function guestOf({ headers }: IncomingMessage, secret: string): Guest | undefined {
  if (!sameSecret(headers.authorization ?? '', `Bearer ${secret}`)) return undefined;
  const told = Told.safeParse(headers);
  if (!told.success) return undefined;
  const { 'x-bindery-role': role, 'x-bindery-path': path, 'x-bindery-visitor': owner } = told.data;
  return { role, path: decodeURIComponent(path), owner };
}

let worker: Worker | undefined;

async function obey(order: Order): Promise<void> {
  if (order.type === 'begin') {
    worker = new Worker(order);
    await worker.listen();
    process.send?.({ type: 'ready' });
  } else if (order.type === 'put') worker?.put(order);
  else if (order.type === 'remove') await worker?.remove(order.id);
  else {
    await worker?.flush(order.id);
    process.send?.({ type: 'flushed', number: order.number });
  }
}

async function end(): Promise<void> {
  setTimeout(() => process.exit(1), END_MS).unref();
  await worker?.close();
  process.exit(0);
}

process.on('message', (message) => {
  obey(Order.parse(message)).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
});
// Without its parent nobody finds it; what it has is on the disk.
process.once('disconnect', () => void end());
// A terminal's Ctrl-C reaches all processes of its group: the parent decides when this one ends.
process.on('SIGINT', () => undefined);
process.once('SIGTERM', () => void end());
