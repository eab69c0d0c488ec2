const LOOK_MS = 1000;

/** The looks that keep a document in step with something, again and again until it is closed. They keep no process alive. */
export class Looks {
  readonly #look: () => Promise<unknown>;
  readonly #stops: readonly (() => void)[];
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * @param look what is done each time; it does not fail
   * @param stops what is ended when it is closed
   * @param ms milliseconds from one look to the next: 1000
   */
  constructor(look: () => Promise<unknown>, stops: readonly (() => void)[], ms = LOOK_MS) {
    this.#look = look;
    this.#stops = stops;
    this.#ms = ms;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Begins once it was read for the first time; where that fails, it is closed. @throws what `read` does */
  async begin(read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.close();
      throw error;
    }
    this.wait();
  }

  /** The next look is due from now on. */
  wait(): void {
    this.pause();
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#look().finally(() => this.wait()), this.#ms).unref();
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#isClosed = true;
    this.pause();
    for (const stop of this.#stops) stop();
  }
}
