import type { Seat } from './audience.ts';

/** Bytes that one may say before the welcome. */
const MOST = 8 * 1024 * 1024;

/** What those said who have to wait for their welcome (`SPEC.md`, T7). */
export class Lobby {
  readonly #waiting = new WeakMap<Seat, { readonly messages: Uint8Array[]; bytes: number }>();

  has(seat: Seat): boolean {
    return this.#waiting.has(seat);
  }

  /** Throws for more than anybody has to say before the welcome. */
  add(seat: Seat, message: Uint8Array): void {
    const said = this.#waiting.get(seat) ?? { messages: [], bytes: 0 };
    this.#waiting.set(seat, said);
    said.bytes += message.length;
    if (said.bytes > MOST) throw new Error('That is too much before the welcome.');
    said.messages.push(message);
  }

  /** Its waiting is over. */
  take(seat: Seat): readonly Uint8Array[] {
    const said = this.#waiting.get(seat);
    this.#waiting.delete(seat);
    return said?.messages ?? [];
  }
}
