import type { Clock } from '../base/clock.ts';
import type { Problem } from './answers.ts';
import type { Exchange } from './forward.ts';

/** How long an exchange may go without a byte moving, in milliseconds, by what is waited for (rule L3). As long as bytes move there is no limit. */
export interface Patience {
  /** For more of the request from the client. */
  readonly uploadMs: number;
  /** For the session: its answer's first byte, or the next. */
  readonly answerMs: number;
  /** For the client to read on. */
  readonly downloadMs: number;
}

export const PATIENCE: Patience = { uploadMs: 120_000, answerMs: 3_600_000, downloadMs: 300_000 };
const EVERY_MS = 5000;

/** Requests and WebSockets of one session at once. */
const MOST_AT_ONCE = 1024;

/** What is under way for one session. */
interface Lane {
  exchanges: number;
  /** Open WebSockets, as ways to end them. */
  readonly sockets: Set<() => void>;
}

/** Knows everything under way. Looks at every exchange now and then and ends those in which nothing moves: no timers of their own, so a request costs next to nothing here. */
export class Traffic {
  /**
   * Every exchange knows its place, so that it is removed without a search. A Map or Set here would cost a third of a request: the tables
   * they outgrow stay linked to each other, and keep every request they ever held alive until the next full garbage collection.
   */
  readonly #exchanges: Exchange[] = [];
  readonly #lanes = new Map<string, Lane>();
  readonly #clock: Clock;
  readonly #patience: Patience;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, patience: Patience) {
    this.#everyMs = Math.min(EVERY_MS, ...Object.values(patience).map((ms: number) => ms / 2));
    this.#clock = clock;
    this.#patience = patience;
  }

  /** Exchanges under way. */
  get size(): number {
    return this.#exchanges.length;
  }

  hasRoom(id: string): boolean {
    const lane = this.#lanes.get(id);
    return !lane || lane.exchanges + lane.sockets.size < MOST_AT_ONCE;
  }

  add(exchange: Exchange): void {
    this.#lane(exchange.order.route.id).exchanges++;
    exchange.place = this.#exchanges.length;
    this.#exchanges.push(exchange);
    this.#timer ??= setInterval(() => this.look(), this.#everyMs).unref();
  }

  remove(exchange: Exchange): void {
    const last = this.#exchanges.pop();
    if (last && last !== exchange) {
      this.#exchanges[exchange.place] = last;
      last.place = exchange.place;
    }
    const lane = this.#lanes.get(exchange.order.route.id);
    if (lane) lane.exchanges--;
  }

  /** A WebSocket of this session is open, and ended by `end`. Returns what is to be called when it has closed. */
  join(id: string, end: () => void): () => void {
    const { sockets } = this.#lane(id);
    sockets.add(end);
    return () => sockets.delete(end);
  }

  /** Ends everything of a session. */
  cut(id: string): void {
    const problem: Problem = { code: 'session_ended', message: 'The session ended during the request.' };
    for (const exchange of this.#exchanges.filter(({ order }) => order.route.id === id)) exchange.fail(problem);
    for (const end of this.#lanes.get(id)?.sockets ?? []) end();
    this.#lanes.delete(id);
  }

  look(): void {
    const now = this.#clock.monotonic();
    for (const exchange of this.#exchanges.slice()) {
      const { socket } = exchange.req;
      const bytes = socket.bytesRead + socket.bytesWritten;
      if (exchange.bytes !== bytes) {
        exchange.bytes = bytes;
        exchange.movedAt = now;
      } else this.#judge(exchange, now - exchange.movedAt);
    }
    if (this.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Ends everything. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const exchange of this.#exchanges.slice()) exchange.res.destroy();
    for (const { sockets } of this.#lanes.values()) for (const end of sockets) end();
    this.#lanes.clear();
  }

  #lane(id: string): Lane {
    let lane = this.#lanes.get(id);
    if (!lane) this.#lanes.set(id, (lane = { exchanges: 0, sockets: new Set() }));
    return lane;
  }

  #judge(exchange: Exchange, silentMs: number): void {
    const { req, res } = exchange;
    if (res.writableNeedDrain || res.writableEnded) {
      if (silentMs >= this.#patience.downloadMs) res.destroy();
    } else if (!req.complete && !req.isPaused()) {
      if (silentMs >= this.#patience.uploadMs)
        exchange.fail({
          code: 'request_invalid',
          status: 408,
          message: 'The rest of the request did not come.',
          hint: 'Send the request again.',
        });
    } else if (silentMs >= this.#patience.answerMs) {
      exchange.fail({ code: 'session_timeout', message: 'The notebook server did not answer in time.' });
    }
  }
}
