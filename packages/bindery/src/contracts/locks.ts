import type { Digest } from '@bindery/wire/ids.ts';
import type { FlightCall } from '../base/flight.ts';
import type { Progress } from './context.ts';
import type { Lock } from './plan.ts';

/** Locks by plan, shared by all launches of a hub. */
export interface Locks {
  /** The kept lock, undefined where there is none that can be used. */
  find(planId: Digest): Promise<Lock | undefined>;
  keep(lock: Lock): Promise<void>;
  /** Makes and keeps a lock once, however many ask at the same time (I1). */
  once(planId: Digest, call: FlightCall<Progress>, make: (call: FlightCall<Progress>) => Promise<Lock>): Promise<Lock>;
  /** True where a renewal may be tried: none is under way, and none failed a short while ago. */
  mayRenew(planId: Digest): boolean;
}
