/** Milliseconds for each commit, as many as may come at once without waiting, and the longest that one waits. */
const EACH = 40;
const AT_ONCE = 10;
const LONGEST = 1000;
/** Those that wait are due together, as often as this: the disk and the loop are woken once for all of them. */
const BEAT = 100;

/** How often the logs of many rooms are written (L9): while few come, at once; when many do, each waits, and takes with it what comes meanwhile. */
export class CommitPace {
  /** When all that were let go would have been, one after the other. */
  #until = 0;

  /** Milliseconds that the next commit is to wait. */
  wait(now = performance.now()): number {
    const free = now - EACH * AT_ONCE;
    this.#until = Math.min(Math.max(this.#until, free) + EACH, now + LONGEST);
    if (this.#until <= now) return 0;
    return Math.ceil(Math.min(this.#until, now + LONGEST - BEAT) / BEAT) * BEAT - now;
  }
}
