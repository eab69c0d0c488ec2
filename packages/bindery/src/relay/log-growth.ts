/** A log is made shorter when it has grown by this much, and to this many times what it was made of. */
const GROWN_BYTES = 1024 * 1024;
const GROWN_TIMES = 4;
/** One that has grown by this much is made shorter when the room leaves memory. */
const GROWN_AT_CLOSE = 64 * 1024;

/** When the log of a room is long enough to be made shorter (`SPEC.md`, T3). All sizes in bytes. */
export class LogGrowth {
  /** How much of the log was one record when it was last made shorter. */
  #madeOf: number;
  #limit: number;
  #isBeingMade = false;

  constructor(bytes: number, madeOf: number) {
    this.#limit = limitOf(bytes);
    this.#madeOf = madeOf;
  }

  isTooLong(bytes: number): boolean {
    return !this.#isBeingMade && bytes >= this.#limit;
  }

  /** Whether it is worth it when nobody needs the document any more. */
  isTooLongToLeave(bytes: number): boolean {
    return bytes > this.#madeOf + GROWN_AT_CLOSE;
  }

  /** It is being made shorter, which ends well or not; `bytes` is asked for then. */
  follow(making: Promise<void>, bytes: () => number): void {
    this.#isBeingMade = true;
    const done = (): void => {
      this.#isBeingMade = false;
      this.#madeOf = bytes();
      this.#limit = limitOf(this.#madeOf);
    };
    // When it fails, the log is what it was, and said so if it is not; the next try comes when it has grown again.
    making.then(done, done);
  }
}

function limitOf(bytes: number): number {
  return Math.max(bytes + GROWN_BYTES, bytes * GROWN_TIMES);
}
