/** Doing one thing twice at once does it once (I1): callers with the same key share one run and its outcome. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Joins the run under way for `key`, or starts one. Nothing is remembered after it ends. */
  do(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const promise = work().finally(() => this.#running.delete(key));
    this.#running.set(key, promise);
    return promise;
  }

  /** True while a run for `key` is under way. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}
