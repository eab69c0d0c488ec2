import type { Instant } from '@bindery/wire/ids.ts';

/** Time as a dependency, so that tests can set it. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The clock's wall time as an instant of the wire. */
export function instant(clock: Clock): Instant {
  return new Date(clock.now()).toISOString();
}
