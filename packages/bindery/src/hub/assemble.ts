import { join } from 'node:path';
import { PlanView, type PlanQuery } from '@bindery/wire/api.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import { Flight } from '../base/flight.ts';
import { makeLog } from '../base/log.ts';
import { Memo } from '../base/memo.ts';
import { Turns } from '../base/turns.ts';
import { loweredTo, sameUser, type Worker } from '../base/worker.ts';
import { Builds } from '../build/builds.ts';
import { removeUnused } from '../checkout/unused.ts';
import type { Progress, Shared } from '../contracts/context.ts';
import type { BuildPlan } from '../contracts/plan.ts';
import type { Source, Tree } from '../contracts/source.ts';
import { createLocalEngine, type LocalEngine } from '../engines/local/engine.ts';
import { readLink } from '../link/link.ts';
import { LockFolder } from '../lock/lock-folder.ts';
import { launch, planOf } from '../pipeline.ts';
import type { Pipeline } from './hub.ts';
import { packs } from './packs.ts';
import { isOpen } from './exposure.ts';
import { makeProviders } from './providers.ts';

/** First of the uids that a root hub's helpers, builds and sessions run as: above those of people, services and common sub-uid ranges. */
const FIRST_UID = 0x0b1d_0000;
const RESOLVED_MS = 1000;
const PLANS = 1000;
/** Age after which fetched repositories are removed by a clean-up, in milliseconds: 30 days. */
const UNUSED_MS = 30 * 86_400_000;

/** What a hub is made of on this machine, and the story it tells with it. */
export interface Assembly {
  readonly shared: Shared & { readonly engine: LocalEngine };
  readonly pipeline: Pipeline;
}

/** As whom this hub runs git and uv: a root hub lowers them. */
export function helperUser(): Worker {
  return process.getuid?.() === 0 && process.platform === 'linux' ? loweredTo(FIRST_UID) : sameUser;
}

/** Puts a real hub's parts together from its configuration. `say` hears what is being installed. */
export async function assemble(given: Config, say: (message: string) => void = () => {}): Promise<Assembly> {
  const config = withGitLimits(given);
  const log = makeLog(config.hub.log);
  const clock = systemClock;
  const worker = helperUser();
  const engine = await createLocalEngine({ config, log, clock, worker, variables: process.env, say });
  await removeUnused(config.folders.cache, 0, clock.now()); // what a crash left half-fetched
  const turns = new Turns();
  const shared = {
    config,
    log,
    clock,
    engine,
    worker,
    packs,
    turns,
    providers: makeProviders({ config, clock, worker, turns }),
    plans: new Memo<BuildPlan>(PLANS),
    locks: new LockFolder(join(config.folders.cache, 'locks'), clock),
    sources: new Flight<Source>(clock, RESOLVED_MS),
    trees: new Flight<Tree, Progress>(clock),
  };
  const builds = new Builds(clock, config.build.concurrent);
  return { shared, pipeline: makePipeline(engine, builds, config, clock) };
}

/** A hub for everybody opens no folders of its own machine, and nothing of private networks unless its operator says so. */
function withGitLimits(config: Config): Config {
  if (!isOpen(config)) return config;
  const { protocols, privateHosts = false } = config.git;
  return { ...config, git: { ...config.git, privateHosts, protocols: protocols.filter((protocol) => protocol !== 'file') } };
}

function makePipeline(engine: LocalEngine, builds: Builds, config: Config, clock: Clock): Pipeline {
  return {
    launch: (request, ctx) => launch(request, { ...ctx, builds }),
    plan: async (query, ctx) => {
      const link = readLink(query.link, optionsOf(query));
      return PlanView.parse({ link, ...(await planOf({ link, options: optionsOf(query) }, ctx)) });
    },
    collect: async (all) => {
      const collected = await engine.collect(all);
      const now = clock.now();
      const sources = await removeUnused(config.folders.cache, all ? now : now - UNUSED_MS, now);
      return { ...collected, freedBytes: collected.freedBytes + sources.freedBytes };
    },
  };
}

function optionsOf({ link: _link, ...options }: PlanQuery): Omit<PlanQuery, 'link'> {
  return options;
}
