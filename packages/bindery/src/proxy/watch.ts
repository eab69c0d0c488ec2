import type { Clock } from '../base/clock.ts';
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

interface Progress {
  bytes: number;
  at: number;
}

/** Looks at every exchange under way now and then, and ends those in which nothing moves. No timers of their own: a request costs nothing here. */
export class Watch {
  readonly #exchanges = new Map<Exchange, Progress | undefined>();
  readonly #clock: Clock;
  readonly #patience: Patience;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, patience: Patience) {
    this.#everyMs = Math.min(EVERY_MS, ...Object.values(patience).map((ms: number) => ms / 2));
    this.#clock = clock;
    this.#patience = patience;
  }

  get size(): number {
    return this.#exchanges.size;
  }

  add(exchange: Exchange): void {
    this.#exchanges.set(exchange, undefined);
    this.#timer ??= setInterval(() => this.look(), this.#everyMs).unref();
  }

  delete(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  look(): void {
    const now = this.#clock.monotonic();
    for (const [exchange, progress] of this.#exchanges) {
      const { socket } = exchange.req;
      const bytes = socket.bytesRead + socket.bytesWritten;
      if (progress?.bytes !== bytes) this.#exchanges.set(exchange, { bytes, at: now });
      else this.#judge(exchange, now - progress.at);
    }
    if (this.#exchanges.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const exchange of this.#exchanges.keys()) exchange.res.destroy();
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
