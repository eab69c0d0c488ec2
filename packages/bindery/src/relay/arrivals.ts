import type { Seat } from './audience.ts';
import type { TurnPace } from './turn-pace.ts';

/** Bytes that may arrive before they are taken in without waiting for the turn's end. */
const HEAP = 8 * 1024 * 1024;

/** An update as it came. */
export interface Arrival {
  readonly seat: Seat;
  readonly number: number;
  readonly update: Uint8Array;
}

/** What arrives in one turn of a room (`SPEC.md`, T1). */
export class Arrivals {
  readonly #pace: Pick<TurnPace, 'end'> | undefined;
  readonly #turn: () => void;
  #arrived: Arrival[] = [];
  #bytes = 0;
  #lastTurn = Number.NEGATIVE_INFINITY;
  /** When the turn ends that was begun. */
  #planned: { readonly end: number; readonly timer: NodeJS.Timeout | undefined } | undefined;

  /**
   * @param pace when a turn ends; without it, with that of the event loop
   * @param turn takes in what arrived
   */
  constructor(pace: Pick<TurnPace, 'end'> | undefined, turn: () => void) {
    this.#pace = pace;
    this.#turn = turn;
  }

  get isEmpty(): boolean {
    return this.#arrived.length === 0;
  }

  add(arrival: Arrival): void {
    this.#arrived.push(arrival);
    this.#bytes += arrival.update.length;
    if (this.#bytes > HEAP) this.#turn();
    this.#plan();
  }

  /** All of it, by whose they are; those who may more are the first. The turn is over. */
  take(): readonly (readonly Arrival[])[] {
    const arrived = this.#arrived;
    const [first] = arrived;
    if (!first) return [];
    this.#arrived = [];
    this.#bytes = 0;
    if (this.#pace) this.#lastTurn = performance.now();
    if (arrived.every(({ seat }) => seat.group === first.seat.group)) return [arrived];
    const groups = Map.groupBy(arrived, ({ seat }) => seat.group);
    return [...groups].toSorted(([a], [b]) => (a > b ? -1 : 1)).map(([, those]) => those);
  }

  /** Plans the turn's end: sooner than it was planned, where so much has arrived by now. */
  #plan(): void {
    const now = performance.now();
    const end = this.#pace?.end(this.#lastTurn, this.#arrived.length, now) ?? now;
    if (this.#planned && this.#planned.end <= end) return;
    clearTimeout(this.#planned?.timer);
    const turn = (): void => {
      this.#planned = undefined;
      this.#turn();
    };
    const isEarly = end - now > 1;
    this.#planned = { end, timer: isEarly ? setTimeout(turn, end - now).unref() : undefined };
    if (!isEarly) setImmediate(turn);
  }
}
