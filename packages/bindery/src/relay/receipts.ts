import type { Audience, Seat } from './audience.ts';

/** Who is to be told when a write is safe: those whose updates are in it, each once (`SPEC.md`, T2). */
export class Receipts {
  readonly #senders = new Map<Seat, { readonly number: number; readonly count: number }>();

  /** Notes an update by its number. Returns how many there are of this sender. */
  add(seat: Seat, number: number): number {
    const count = (this.#senders.get(seat)?.count ?? 0) + 1;
    this.#senders.set(seat, { number, count });
    return count;
  }

  tell(audience: Pick<Audience, 'tellSafe'>): void {
    for (const [seat, { number }] of this.#senders) audience.tellSafe(seat, number);
  }
}
