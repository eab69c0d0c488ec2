/** Addresses that are remembered. */
const MOST = 10_000;

export interface RateState {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the count begins anew. */
  readonly resetSeconds: number;
}

/** Counts launches of each address in windows of an hour. */
export class RateLimit {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #windows = new Map<string, { until: number; count: number }>();

  /** @param limit launches an hour; @param now milliseconds of a clock that never jumps */
  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  take(address: string): RateState {
    const now = this.#now();
    const known = this.#windows.get(address);
    const window = known && known.until > now ? known : { until: now + 3_600_000, count: 0 };
    const allowed = window.count < this.#limit;
    if (allowed) window.count++;
    // Set anew so that the map's order is that of use: what is dropped is what was asked for longest ago.
    this.#windows.delete(address);
    this.#windows.set(address, window);
    const oldest = this.#windows.keys().next().value;
    if (this.#windows.size > MOST && oldest !== undefined) this.#windows.delete(oldest);
    return {
      allowed,
      limit: this.#limit,
      remaining: this.#limit - window.count,
      resetSeconds: Math.ceil((window.until - now) / 1000),
    };
  }
}
