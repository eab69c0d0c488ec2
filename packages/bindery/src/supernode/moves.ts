/** Work that needs every file to stay where it is, and moves, for which all such work is done first. */
export class Moves {
  readonly #steady = new Set<Promise<unknown>>();
  #moving: Promise<unknown> = Promise.resolve();

  /** Runs work during which nothing is moved. */
  async steady<T>(work: () => Promise<T>): Promise<T> {
    for (let moving; moving !== this.#moving; await moving) moving = this.#moving;
    const doing = work();
    this.#steady.add(doing);
    try {
      return await doing;
    } finally {
      this.#steady.delete(doing);
    }
  }

  /** Runs a move, when all steady work that had begun is done. */
  async move<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#moving;
    const doing = (async () => {
      await before.catch(() => undefined);
      await Promise.allSettled(this.#steady);
      return work();
    })();
    this.#moving = doing.catch(() => undefined);
    return doing;
  }
}
