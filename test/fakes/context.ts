import { join } from 'node:path';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { ConfigSchema } from '../../packages/bindery/src/base/config.ts';
import { Flight } from '../../packages/bindery/src/base/flight.ts';
import { LockFolder } from '../../packages/bindery/src/lock/lock-folder.ts';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { Turns } from '../../packages/bindery/src/base/turns.ts';
import { sameUser } from '../../packages/bindery/src/base/worker.ts';
import type { Context, Progress } from '../../packages/bindery/src/contracts/context.ts';
import type { Engine } from '../../packages/bindery/src/contracts/engine.ts';

/** A context for stages that need no engine, with its folders below `folder`; what is emitted is kept in `events`. */
export function stageContext(folder: string, given: Partial<Context> & { settings?: object } = {}): Context & { events: Progress[] } {
  const events: Progress[] = [];
  const { settings, ...rest } = given;
  return {
    config: ConfigSchema.parse({ folders: { cache: join(folder, 'cache'), state: join(folder, 'state') }, ...settings }),
    log: makeLog('silent'),
    clock: systemClock,
    engine: noEngine,
    providers: new Map(),
    packs: [],
    sources: new Flight(systemClock, 1000),
    trees: new Flight(systemClock),
    turns: new Turns(),
    locks: new LockFolder(join(folder, 'cache', 'locks'), systemClock),
    worker: sameUser,
    signal: new AbortController().signal,
    emit: (event) => events.push(event),
    events,
    ...rest,
  };
}

/** Fails whatever it is asked. */
const noEngine = new Proxy({} as Engine, {
  get(_target, name) {
    throw new Error(`this test has no engine to ask for ${String(name)}`);
  },
});
