import type { Clock } from './clock.ts';

/** One piece of work that several callers share: each may leave, and the last to leave ends it. */
interface Shared<T, E> {
  readonly promise: Promise<T>;
  readonly listeners: Set<(event: E) => void>;
  readonly told: E[];
  readonly abort: AbortController;
  waiting: number;
  /** When it ended, on the monotonic clock; undefined while it runs. */
  endedAt?: number;
}

export interface FlightCall<E> {
  /** Leaves; the work goes on for the others. */
  readonly signal: AbortSignal;
  /** What the work tells on its way, from its beginning on, also to those who join late. */
  readonly tell: (event: E) => void;
}

const REMEMBERED = 1000;
const TOLD = 200;

/**
 * Doing one thing twice at once does it once (I1), with progress for every caller, and with a short memory of the outcome,
 * good or bad. Unlike a plain single flight, one caller's abort does not end the work of the others.
 */
export class Flight<T, E = never> {
  readonly #shared = new Map<string, Shared<T, E>>();
  readonly #clock: Clock;
  readonly #keepMs: number;

  /** @param keepMs milliseconds for which an outcome is given again without doing the work; 0 for none. */
  constructor(clock: Clock, keepMs = 0) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  async do(key: string, call: FlightCall<E>, work: (call: FlightCall<E>) => Promise<T>): Promise<T> {
    call.signal.throwIfAborted();
    const shared = this.#find(key) ?? this.#start(key, work);
    for (const event of shared.told) call.tell(event);
    shared.listeners.add(call.tell);
    shared.waiting += 1;
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(call.signal.reason as Error);
    call.signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([shared.promise, left.promise]);
    } finally {
      call.signal.removeEventListener('abort', leave);
      shared.listeners.delete(call.tell);
      shared.waiting -= 1;
      if (shared.waiting === 0 && shared.endedAt === undefined) {
        this.#shared.delete(key);
        shared.abort.abort(call.signal.reason);
      }
    }
  }

  #find(key: string): Shared<T, E> | undefined {
    const shared = this.#shared.get(key);
    if (shared?.endedAt === undefined || this.#clock.monotonic() - shared.endedAt < this.#keepMs) return shared;
    this.#shared.delete(key);
    return undefined;
  }

  #start(key: string, work: (call: FlightCall<E>) => Promise<T>): Shared<T, E> {
    const abort = new AbortController();
    const listeners = new Set<(event: E) => void>();
    const told: E[] = [];
    const tell = (event: E): void => {
      if (told.length < TOLD) told.push(event);
      for (const listener of listeners) listener(event);
    };
    const promise = Promise.resolve().then(() => work({ signal: abort.signal, tell }));
    const shared: Shared<T, E> = { promise, listeners, told, abort, waiting: 0 };
    const end = (): void => {
      shared.endedAt = this.#clock.monotonic();
      if (this.#keepMs === 0 && this.#shared.get(key) === shared) this.#shared.delete(key);
    };
    promise.then(end, end);
    this.#shared.set(key, shared);
    this.#forget();
    return shared;
  }

  #forget(): void {
    for (const [key, shared] of this.#shared) {
      if (this.#shared.size <= REMEMBERED) return;
      if (shared.endedAt !== undefined) this.#shared.delete(key);
    }
  }
}
