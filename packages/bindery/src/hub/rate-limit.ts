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
    const network = networkOf(address);
    const known = this.#windows.get(network);
    const window = known && known.until > now ? known : { until: now + 3_600_000, count: 0 };
    const allowed = window.count < this.#limit;
    if (allowed) window.count++;
    // Set anew so that the map's order is that of use: what is dropped is what was asked for longest ago.
    this.#windows.delete(network);
    this.#windows.set(network, window);
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

/** What one household or machine has: an IPv4 address, or the upper 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail = ''] = address.split('::');
  const [left, right] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: Math.max(0, 8 - (left?.length ?? 0) - (right?.length ?? 0)) }, () => '0');
  return [...(left ?? []), ...zeros, ...(right ?? [])].slice(0, 4).join(':');
}
