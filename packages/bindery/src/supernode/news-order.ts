/** Bytes of messages that may wait for the sure way to show where they belong, and messages that either way may be behind by. */
const MOST_WAITING = 16 * 1024 * 1024;
const MOST_AHEAD = 10_000;
/** Milliseconds of silence on the quick way, while it is behind. */
const SILENCE_MS = 500;

/**
 * One sequence of messages that comes on two ways, in order on each: a sure one, and a quick one that begins anywhere. Each message is passed on
 * once, and in its place. The quick way is ahead from the first message that has come on both; of interruptions it has to be told. A message that one
 * of the ways leaves out without a word may be passed on late.
 */
export class NewsOrder<T> {
  readonly #pass: (message: T) => void;
  /** What came on the quick way and was not passed on: where it belongs is not known. */
  readonly #waiting = new Map<string, T>();
  /** What was passed on from the quick way, and has not come on the sure one, in order. */
  readonly #ahead = new Set<string>();
  /** What was passed on from the sure way, and has not come on the quick one, in order. */
  readonly #behind = new Set<string>();
  /** What came on the sure way first, while the quick one is ahead, in order: before it, the quick way may have more. */
  readonly #held = new Map<string, T>();
  #waitingBytes = 0;
  #isLeading = false;
  /** How many messages the quick way was the first to bring, or in their turn. */
  #led = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pass: (message: T) => void) {
    this.#pass = pass;
  }

  /** True when each message is passed on as soon as it comes on the quick way. */
  get isAhead(): boolean {
    return this.#isLeading;
  }

  /**
   * @param id of the message, the same on both ways
   * @param bytes about how much memory it takes
   */
  quick(id: string, message: T, bytes: number): void {
    if (this.#ahead.has(id)) return;
    if (this.#behind.has(id)) {
      forgetUntil(this.#behind, id);
      if (!this.#isLeading) this.#begin();
      return;
    }
    if (this.#isLeading && this.#ahead.size < MOST_AHEAD) {
      this.#lead(id, message);
      return;
    }
    if (this.#isLeading) this.interrupted();
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > MOST_WAITING) this.interrupted();
    else this.#waiting.set(id, message);
  }

  sure(id: string, message: T): void {
    if (this.#ahead.has(id)) {
      // What was held before it, the quick way has left out. What is ahead before it, this way has left out.
      this.#release();
      forgetUntil(this.#ahead, id);
    } else if (this.#isLeading) {
      this.#held.set(id, message);
      this.#timer ??= setTimeout(() => this.#checkSilence(), SILENCE_MS);
    } else if (this.#waiting.has(id)) {
      this.#begin(id);
    } else {
      this.#pass(message);
      this.#leave(id);
    }
  }

  /** The quick way has to show anew where it is: it was interrupted, or the sure one was. */
  interrupted(): void {
    this.#isLeading = false;
    this.#release();
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  /** The ways have met, at this message: what waited before it, the sure one has left out. */
  #begin(id?: string): void {
    const waiting = [...this.#waiting];
    this.interrupted();
    this.#isLeading = true;
    const at = id === undefined ? waiting.length : waiting.findIndex(([each]) => each === id) + 1;
    for (const [, message] of waiting.slice(0, at)) this.#pass(message);
    for (const [next, message] of waiting.slice(at)) this.#lead(next, message);
  }

  #lead(id: string, message: T): void {
    this.#led += 1;
    if (!this.#held.delete(id)) this.#ahead.add(id);
    if (this.#held.size === 0) this.#stopTimer();
    else this.#timer?.refresh();
    this.#pass(message);
  }

  /** What lies in its socket was said: it is taken before it is judged. */
  #checkSilence(): void {
    const [timer, led] = [this.#timer, this.#led];
    setImmediate(() => {
      if (this.#timer === timer && this.#led === led) this.interrupted();
    });
  }

  #release(): void {
    this.#stopTimer();
    const held = [...this.#held];
    this.#held.clear();
    for (const [id, message] of held) {
      this.#pass(message);
      this.#leave(id);
    }
  }

  #leave(id: string): void {
    this.#behind.add(id);
    const [oldest] = this.#behind;
    if (this.#behind.size > MOST_AHEAD && oldest !== undefined) this.#behind.delete(oldest);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function forgetUntil(ids: Set<string>, last: string): void {
  for (const id of ids) {
    ids.delete(id);
    if (id === last) return;
  }
}
