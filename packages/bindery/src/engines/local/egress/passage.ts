import type { LookupAddress } from 'node:dns';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Dial } from './dial.ts';
import type { Target, Verdict } from './decision.ts';

export interface PassageParts {
  readonly decide: (target: Target) => Promise<Verdict>;
  readonly dial: Dial;
  readonly limits: PassageLimits;
  /** Called for every target that was turned away. */
  readonly onDenied: (target: Target, why: string) => void;
}

export interface PassageLimits {
  /** Tunnels and requests at once. */
  readonly connections: number;
  /** Milliseconds without a byte either way after which a connection is closed. */
  readonly idleMs: number;
}

/** Totals since the start. */
export interface Counters {
  open: number;
  total: number;
  denied: number;
  bytesUp: number;
  bytesDown: number;
}

/** Why something is not done, for the client. */
export interface Refusal {
  readonly status: number;
  /** Fit for a status line, which is all that pip and curl show of a refused CONNECT. */
  readonly why: string;
  readonly hint: string;
}

const BUSY: Refusal = { status: 503, why: 'Too many connections', hint: 'Close some, then try again.' };

/** The one way from a client to the outside: counted, bounded, decided, connected. */
export class Passage {
  readonly counters: Counters = { open: 0, total: 0, denied: 0, bytesUp: 0, bytesDown: 0 };
  readonly #parts: PassageParts;

  constructor(parts: PassageParts) {
    this.#parts = parts;
  }

  /** Counts a client's tunnel or request until it closes. */
  enter(client: Duplex | ServerResponse): void {
    this.counters.open++;
    this.counters.total++;
    client.once('close', () => this.counters.open--);
  }

  /** A connection to the target that ends when the client leaves, or why there is none. */
  async reach(target: Target, client: Duplex | ServerResponse): Promise<Socket | Refusal> {
    const addresses = await this.#admit(target);
    if ('status' in addresses) return addresses;
    const left = new AbortController();
    const leave = (): void => left.abort();
    client.once('close', leave);
    if (client.destroyed) leave();
    try {
      return this.#watched(await this.#parts.dial(target, addresses, left.signal), client);
    } catch (error) {
      return unreachable(target, error as NodeJS.ErrnoException);
    } finally {
      client.off('close', leave);
    }
  }

  async #admit(target: Target): Promise<readonly LookupAddress[] | Refusal> {
    if (this.counters.open > this.#parts.limits.connections) return BUSY;
    const verdict = await this.#parts.decide(target);
    if (verdict.ok) return verdict.addresses;
    this.counters.denied++;
    this.#parts.onDenied(target, verdict.why);
    return verdict;
  }

  #watched(upstream: Socket, client: Duplex | ServerResponse): Socket {
    upstream.setTimeout(this.#parts.limits.idleMs, () => upstream.destroy());
    upstream.once('close', () => {
      this.counters.bytesUp += upstream.bytesWritten;
      this.counters.bytesDown += upstream.bytesRead;
    });
    client.once('close', () => upstream.destroy());
    if (client.destroyed) upstream.destroy();
    return upstream;
  }
}

export function unreachable({ host, port }: Target, error: NodeJS.ErrnoException): Refusal {
  return { status: 502, why: `No connection to ${host} port ${port}`, hint: error.code ?? error.message };
}

/** Answers a request that is not done. */
export function refuse(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) return void response.destroy();
  const text = body(refusal);
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text), connection: 'close' };
  response.writeHead(refusal.status, refusal.why, headers);
  response.end(text);
}

/** The whole answer to a CONNECT that is not done. */
export function refusalText(refusal: Refusal): string {
  const text = body(refusal);
  const headers = ['Content-Type: text/plain; charset=utf-8', `Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close'];
  return [`HTTP/1.1 ${refusal.status} ${refusal.why}`, ...headers, '', text].join('\r\n');
}

function body({ why, hint }: Refusal): string {
  return `${why}. ${hint}\n`;
}
