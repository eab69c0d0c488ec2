/** Milliseconds for each commit, as many as may come at once without waiting, and the longest that one waits. */
const EACH = 40;
const AT_ONCE = 10;
const LONGEST = 1000;

/** How often the logs of many rooms are written (L9): while few come, at once; when many do, each waits, and takes with it what comes meanwhile. */
export class CommitPace {
  /** When all that were let go would have been, one after the other. */
  #until = 0;

  /** Milliseconds that the next commit is to wait. */
  wait(now = performance.now()): number {
    const free = now - EACH * AT_ONCE;
    this.#until = Math.min(Math.max(this.#until, free) + EACH, now + LONGEST);
    return Math.max(0, this.#until - now);
  }
}
