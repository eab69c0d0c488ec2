import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GraphQLError } from 'graphql';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, handleProtocols, makeServer, type Server } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Desk } from './desk.ts';
import type { Flow } from './feed.ts';
import type { Order } from './graphql.ts';
import type { Asking } from './limits.ts';
import type { Problems } from './problems.ts';

/** Connections at once, and operations at once on one of them. */
const MOST_CONNECTIONS = 1000;
const MOST_OPERATIONS = 30;
/** Bytes that wait for one connection while it gets new events, and with which it is ended: it sends on, and does not read. */
const FEW = 256 * 1024;
const MOST = 64 * 1024 * 1024;
/** Milliseconds between two looks whether a connection lives. */
const BEAT_MS = 30_000;

const AWAY = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n';

interface Extra {
  readonly desk: Desk;
  readonly line: Line;
}

export interface SocketsOptions {
  readonly mostBytes: number;
  readonly problems: Problems;
  readonly order: (desk: Desk, flow: Flow, asking: Asking) => Order | readonly GraphQLError[];
}

/** GraphQL over WebSockets (graphql-ws, `graphql-transport-ws`). */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #sockets: WebSocketServer;
  readonly #server: Server<Extra>;
  readonly #quiet = new Set<WebSocket>();
  readonly #beat: ReturnType<typeof setInterval>;

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: options.mostBytes, perMessageDeflate: false, handleProtocols });
    const { problems } = options;
    this.#server = makeServer<Record<string, unknown>, Extra>({
      onSubscribe: ({ subscriptions, extra: { desk, line } }, _id, asking) => {
        if (Object.keys(subscriptions).length > MOST_OPERATIONS) {
          const message = `This connection has ${MOST_OPERATIONS} operations that have not ended.`;
          return [problems.asGraphql(new BinderyError('rate_limited', message, { hint: 'Wait for one to end, or end one.' }))];
        }
        return options.order(desk, line, asking);
      },
      onNext: (_context, _id, _asking, { contextValue }, { errors, ...result }) => {
        (contextValue as Order['contextValue']).budget.renew();
        return { ...result, ...(errors ? { errors: errors.map((error) => problems.tell(error)) } : {}) };
      },
      onError: (_context, _id, _asking, errors) => errors.map((error) => problems.tell(error)),
    });
    this.#beat = setInterval(() => this.#look(), BEAT_MS).unref();
  }

  /** @param desk or why nobody may enter */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, desk: Desk | string): void {
    if (this.#sockets.clients.size >= MOST_CONNECTIONS) {
      socket.end(AWAY);
      return;
    }
    socket.on('error', () => socket.destroy());
    this.#sockets.handleUpgrade(request, socket, head, (open) => this.#opened(open, desk));
  }

  close(): void {
    clearInterval(this.#beat);
    // They come again, and find what there is then.
    for (const open of this.#sockets.clients) open.close(1012, 'The server ends.');
    this.#sockets.close();
  }

  #opened(open: WebSocket, desk: Desk | string): void {
    open.on('error', () => open.terminate());
    open.on('pong', () => this.#quiet.delete(open));
    if (typeof desk === 'string') {
      open.close(CloseCode.Unauthorized, desk);
      return;
    }
    const line = new Line(open);
    const closed = this.#server.opened(
      {
        protocol: open.protocol === GRAPHQL_TRANSPORT_WS_PROTOCOL ? open.protocol : '',
        send: async (text) => line.send(text),
        close: (code, reason) => open.close(code, reason),
        onMessage: (take) =>
          open.on('message', (data: Buffer) => {
            take(data.toString()).catch((error: unknown) => {
              this.#options.problems.tell(error);
              open.close(CloseCode.InternalServerError, 'This is a fault of the server.');
            });
          }),
      },
      { desk, line },
    );
    open.once('close', (code, reason) => {
      this.#quiet.delete(open);
      line.end();
      void closed(code, reason.toString());
    });
  }

  /** Ends connections that did not answer since the last look. */
  #look(): void {
    for (const open of this.#sockets.clients) {
      if (this.#quiet.has(open)) open.terminate();
      else {
        this.#quiet.add(open);
        open.ping();
      }
    }
  }
}

/** What goes to one connection: events one after the other, each when those before it have gone (`SPEC.md`, S2). */
class Line implements Flow {
  readonly #open: WebSocket;
  readonly #waiting: (() => void)[] = [];
  #isEnded = false;

  constructor(open: WebSocket) {
    this.#open = open;
  }

  async send(text: string): Promise<void> {
    if (this.#open.readyState !== this.#open.OPEN) return;
    if (this.#open.bufferedAmount > MOST) {
      this.#open.terminate();
      return;
    }
    await new Promise<void>((resolve) => {
      this.#open.send(text, () => {
        resolve();
        this.#next();
      });
    });
  }

  async ready(): Promise<void> {
    if (this.#isEnded || (this.#waiting.length === 0 && this.#hasRoom)) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#isEnded = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  get #hasRoom(): boolean {
    return this.#open.bufferedAmount < FEW;
  }

  /** One at a time: what it says is counted before the next is let go. */
  #next(): void {
    if (this.#waiting.length === 0 || !this.#hasRoom) return;
    this.#waiting.shift()?.();
    setImmediate(() => this.#next());
  }
}
