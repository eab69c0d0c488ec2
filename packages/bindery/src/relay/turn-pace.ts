/** Half the time for which a screen shows one picture, and two of them; in milliseconds. */
const SHORT = 8;
const BEAT = 33;
/** Updates that are not kept waiting for the beat. */
const ENOUGH = 2;
/** Milliseconds for each message, and those that may be sent without waiting; what was sent is forgotten a second later. */
const EACH = 1;
const AT_ONCE = 500;
const FORGOTTEN = 1000;

/** When the turns of rooms end (T1): each by itself while they send little, all on one beat while they send much. */
export class TurnPace {
  /** When all that was sent would have been, one after the other. */
  #until = 0;

  /** So many messages were sent. */
  sent(messages: number, now: number): void {
    const free = now - AT_ONCE * EACH;
    this.#until = Math.min(Math.max(this.#until, free) + messages * EACH, now + FORGOTTEN);
  }

  /** When the turn of a room ends whose last one ended at `last`, and that has gathered so many updates since. */
  end(last: number, gathered: number, now: number): number {
    return gathered < ENOUGH && this.#until > now ? Math.ceil(now / BEAT) * BEAT : last + SHORT;
  }
}
