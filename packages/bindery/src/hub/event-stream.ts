import type { ServerResponse } from 'node:http';
import { isFinal, type LaunchEvent } from '@bindery/wire/events.ts';
import type { LaunchLog } from './launch-log.ts';

/** Entries that are written at once, at most. */
const BATCH = 256;
/** Silence after which a comment keeps proxies from cutting the stream, in milliseconds: the old contract's interval. */
const KEEPALIVE_MS = 25_000;

/** A log's entries after `after`, in batches, as they come, up to the final one; ends early when the signal aborts. */
export async function* follow(log: LaunchLog, after: number, signal: AbortSignal): AsyncGenerator<readonly LaunchEvent[]> {
  let next = after + 1;
  let wake = (): void => {};
  const stop = log.watch(() => wake());
  const leave = (): void => wake();
  signal.addEventListener('abort', leave);
  try {
    while (!signal.aborted) {
      const batch = log.events.slice(next, next + BATCH);
      next += batch.length;
      const last = batch.at(-1);
      if (last) yield batch;
      if (last ? isFinal(last) : log.final) return;
      if (!last)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    stop();
    signal.removeEventListener('abort', leave);
  }
}

/** A stream of events to one client, never faster than the client reads. */
export class EventResponse {
  readonly #res: ServerResponse;
  readonly #gone = new AbortController();
  readonly #keepalive: NodeJS.Timeout;

  /** Sends the head. `headers` are what is to be sent beside the type. */
  constructor(res: ServerResponse, type: string, headers: Readonly<Record<string, string>>) {
    this.#res = res;
    res.on('close', () => this.#gone.abort());
    res.on('error', () => this.#gone.abort());
    res.writeHead(200, { ...headers, 'content-type': type, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
    res.flushHeaders();
    const comment = type === 'text/event-stream' ? ':keepalive\n\n' : '\n';
    this.#keepalive = setInterval(() => {
      if (res.writableLength === 0) res.write(comment);
    }, KEEPALIVE_MS).unref();
  }

  /** Aborts when the client is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Writes, and waits where the client is slow. */
  async write(text: string): Promise<void> {
    if (text === '' || this.gone.aborted || this.#res.write(text)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#res.off('drain', go);
        this.gone.removeEventListener('abort', go);
        resolve();
      };
      this.#res.on('drain', go);
      this.gone.addEventListener('abort', go);
    });
  }

  /** Resolves after this many milliseconds, or when the client is gone. */
  async linger(ms: number): Promise<void> {
    if (this.gone.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.gone.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  end(): void {
    clearInterval(this.#keepalive);
    this.#res.end();
  }
}
