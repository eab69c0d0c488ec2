import { BinderyError } from '@bindery/wire/errors.ts';
import type { Digest } from '@bindery/wire/ids.ts';
import type { Context } from '../contracts/context.ts';
import type { BuildOrder, Environment, StageLog } from '../contracts/engine.ts';
import type { BuildPlan, Lock } from '../contracts/plan.ts';
import type { Tree } from '../contracts/source.ts';
import { environmentId } from '../lock/lock.ts';
import type { Builds } from './builds.ts';

/** What this stage needs beside the launch's context: the builds of the whole hub. */
export interface BuildContext extends Context {
  readonly builds: Builds;
  /** Builds anew what failed a moment ago. */
  readonly retry?: boolean;
}

/**
 * The environment of a plan and its lock: found by id, or built once however many ask (I1). A build outlives whoever asked for it (I2);
 * each watcher gets its log from the start. Throws the build's own failure.
 */
export async function build(plan: BuildPlan, lock: Lock, tree: Tree, ctx: BuildContext): Promise<Environment> {
  const since = ctx.clock.monotonic();
  const id: Digest = environmentId(plan, lock, tree, ctx.engine);
  const found = await ctx.engine.builder.find(id);
  if (found) {
    ctx.emit({
      phase: 'building',
      kind: 'done',
      message: 'The environment is there',
      ms: ctx.clock.monotonic() - since,
      cached: true,
      environmentId: id,
    });
    return found;
  }
  const order: BuildOrder = { id, plan, lock, tree };
  const log: StageLog = {
    info: (message) => ctx.emit({ phase: 'building', kind: 'info', message }),
    line: (message) => ctx.emit({ phase: 'building', kind: 'log', message }),
  };
  const watcher = {
    log,
    waiting: (position: number) =>
      ctx.emit({ phase: 'waiting', kind: 'info', message: `Waiting for other builds (place ${position})`, position }),
    begins: () => ctx.emit({ phase: 'building', kind: 'begin', message: 'Building the environment' }),
  };
  const environment = await ctx.builds
    .join(order, ctx.engine.builder, watcher, ctx.signal, ctx.retry)
    .catch((error: unknown) => Promise.reject(withWays(error, plan, tree, ctx)));
  ctx.emit({ phase: 'building', kind: 'done', message: 'The environment is built', ms: ctx.clock.monotonic() - since, environmentId: id });
  return environment;
}

const YEAR_MS = 365 * 86_400_000;

/**
 * What else may help: Debian packages that were left out, and where an old repository, which built once, fails with the packages of today,
 * those of its own time.
 */
function withWays(error: unknown, plan: BuildPlan, tree: Tree, { clock, engine }: Pick<BuildContext, 'clock' | 'engine'>): unknown {
  if (!(error instanceof BinderyError) || error.code !== 'build_failed') return error;
  const apt = engine.lacks?.apt === undefined ? undefined : plan.steps.find((step) => step.uses === 'apt');
  const old = plan.asOf === undefined && clock.now() - Date.parse(tree.committedAt) >= YEAR_MS;
  const ways = [
    ...(apt === undefined ? [] : [`${apt.inputs[0]} was not applied here: ${apt.packages.join(', ')}.`]),
    ...(old ? [`The last commit is of ${tree.committedAt.slice(0, 10)}: --as-of commit takes the packages of that time.`] : []),
  ];
  const hint = [error.hint, ...ways].join(' ');
  return new BinderyError(error.code, error.message, { hint, logTail: error.logTail, retryable: error.retryable, cause: error });
}
