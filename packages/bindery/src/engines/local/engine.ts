import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Config } from '../../base/config.ts';
import type { Logger } from '../../base/log.ts';
import type { Worker } from '../../base/worker.ts';
import { findUv, type Uv } from '../../clients/uv.ts';
import type { Builder, Engine, Launcher, SavedWork, Session, StageLog } from '../../contracts/engine.ts';
import { LocalBuilder } from './builder.ts';
import { startEgress, type Egress } from './egress/egress.ts';
import { findInterpreters, type Interpreters } from './interpreters.ts';
import { LocalLauncher } from './launcher.ts';
import { makeLock } from './lock.ts';
import { preparePlace, type Place } from './place.ts';
import { probe, type Probe } from './probe.ts';
import { serverRuntime, type ServerRuntime } from './server-runtime.ts';

export interface LocalEngineOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly worker: Worker;
  /** The hub's environment variables: index, proxy and certificate settings are read from them. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Sentences about what is being installed. */
  readonly say: StageLog;
}
