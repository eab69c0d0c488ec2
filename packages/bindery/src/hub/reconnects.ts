import type { Launch } from './launch.ts';

/** For how long after its end a launch whose stream was cut waits for the same client, in milliseconds. */
const CUT_MS = 60_000;
/** For how long after the hub ended a stream a browser that asks by itself again is told to stop. */
const ENDED_MS = 15_000;
const MOST = 2000;

interface Cut {
  readonly launch: Launch;
  readonly at: number;
}

/**
 * Clients of the old stream that may come back by themselves: browsers' `EventSource` asks again with the very same request
 * when its connection ends, and the old contract gives it no id to say what it has seen. So the request itself, with
 * the client's address, is what a client is known by; nothing is ever launched twice by a reconnect (I2).
 */
export class Reconnects {
  readonly #now: () => number;
  readonly #cut = new Map<string, Cut[]>();
  readonly #ended = new Map<string, number>();

  /** @param now milliseconds of a clock that never jumps */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The stream of this launch was cut before its last event was sent. */
  cut(client: string, launch: Launch): void {
    const waiting = this.#cut.get(client) ?? [];
    this.#cut.delete(client);
    this.#cut.set(client, [...waiting, { launch, at: this.#now() }].slice(-16));
    for (const [other, cuts] of this.#cut) {
      if (cuts.some((cut) => this.#stillWaits(cut)) && this.#cut.size <= MOST) break;
      this.#cut.delete(other);
    }
  }

  /** The launch whose stream this client lost, the oldest first; it is given once. */
  resume(client: string): Launch | undefined {
    const waiting = (this.#cut.get(client) ?? []).filter((cut) => this.#stillWaits(cut));
    const [first, ...others] = waiting;
    if (others.length > 0) this.#cut.set(client, others);
    else this.#cut.delete(client);
    return first?.launch;
  }

  /** The hub itself ended the stream, after its last event and a long wait for the client to leave. */
  ended(client: string): void {
    this.#ended.delete(client);
    this.#ended.set(client, this.#now());
    const oldest = this.#ended.keys().next().value;
    if (this.#ended.size > MOST && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** True, once, for a client that comes back right after that. */
  comesBack(client: string): boolean {
    const at = this.#ended.get(client);
    this.#ended.delete(client);
    return at !== undefined && this.#now() - at < ENDED_MS;
  }

  #stillWaits({ launch, at }: Cut): boolean {
    const { final } = launch.log;
    if (!final) return true;
    return this.#now() - at < CUT_MS;
  }
}
