import type { Logger } from 'pino';
import type { Config } from '../base/config.ts';
import type { Clock } from '../base/clock.ts';
import type { Memo } from '../base/memo.ts';
import type { Flight } from '../base/flight.ts';
import type { Engine } from './engine.ts';
import type { Pack } from './pack.ts';
import type { Locks } from './locks.ts';
import type { BuildPlan } from './plan.ts';
import type { Provider } from './provider.ts';
import type { Source, Tree } from './source.ts';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import type { ProgressEvent } from '@bindery/wire/events.ts';
import type { Link } from '@bindery/wire/link.ts';
import type { Turns } from '../base/turns.ts';
import type { Worker } from '../base/worker.ts';

/** One entry of the launch's log before it gets its number and time. */
export type Progress = Omit<ProgressEvent, 'seq' | 'at'>;

/** What one launch asks for, beside its link. */
export interface LaunchRequest {
  readonly launchId: string;
  readonly sessionId: string;
  readonly link: Link;
  readonly options: LaunchOptions;
  /** `BINDER_*` and the like for the session. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the hub gives to every stage. */
export interface Shared {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly engine: Engine;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly packs: readonly Pack[];
  /** Plans made before, by tree and options. */
  readonly plans?: Memo<BuildPlan>;
  /** Links being resolved now or a moment ago, and sources being fetched: shared by all launches (I1). */
  readonly sources: Flight<Source>;
  readonly trees: Flight<Tree, Progress>;
  /** Locks made before or being made. */
  readonly locks: Locks;
  /** Work that must not overlap, such as two fetches into one repository. */
  readonly turns: Turns;
  /** As whom git and uv run. */
  readonly worker: Worker;
}

/** Shared things plus what belongs to one launch. */
export interface Context extends Shared {
  readonly signal: AbortSignal;
  emit(event: Progress): void;
}
