import type { Digest } from '@bindery/wire/ids.ts';
import { digestOf } from '../base/canonical.ts';
import type { FlightCall } from '../base/flight.ts';
import type { Context, Progress } from '../contracts/context.ts';
import type { StageLog } from '../contracts/engine.ts';
import type { BuildPlan, Lock, Step } from '../contracts/plan.ts';
import type { Tree } from '../contracts/source.ts';
import { planId } from '../plan/plan.ts';

/** What locking needs of a launch's context. */
export interface LockContext extends Pick<Context, 'clock' | 'config' | 'emit' | 'locks' | 'log' | 'signal'> {
  readonly engine: { readonly builder: Pick<Context['engine']['builder'], 'lock'> };
  /** Called with a renewed lock before launches get it: builds its environment, so that no launch waits for that. */
  readonly renewed?: (plan: BuildPlan, lock: Lock, tree: Tree) => Promise<void>;
}

/** How a plan writes `--find-links` of a folder in the repository. */
const OWN_LINKS = '--find-links=./';

/** The rules by which environments are made from locks; a change makes every environment anew. */
const BUILDER_EPOCH = 1;

/**
 * Which packages exactly? A lock that was made before is used at once; one that is not fixed and older than
 * `build.refreshAfter` is renewed in the background, never on a launch's path. Throws what `Builder.lock` throws.
 */
export async function lockPlan(plan: BuildPlan, tree: Tree, ctx: LockContext): Promise<Lock> {
  const since = ctx.clock.monotonic();
  const id = lockKey(plan, tree);
  const found = await ctx.locks.find(id);
  if (found && isOld(found, ctx)) renew(id, plan, tree, ctx);
  if (!found) ctx.emit({ phase: 'locking', kind: 'begin', message: 'Choosing the exact packages' });
  const lock =
    found ?? (await ctx.locks.once(id, { signal: ctx.signal, tell: ctx.emit.bind(ctx) }, (call) => make(id, plan, tree, ctx, call)));
  for (const note of lock.notes) ctx.emit({ phase: 'locking', kind: 'info', message: note });
  ctx.emit({
    phase: 'locking',
    kind: 'done',
    message: summary(lock),
    ms: ctx.clock.monotonic() - since,
    cached: found !== undefined,
  });
  return lock;
}

/**
 * Names the lock of a plan. What the repository's own packages need, and which wheels lie in its folders, stands in no plan: where they count,
 * the tree does too. `postBuild` reads the tree as well, but has no say in which packages are chosen.
 */
function lockKey(plan: BuildPlan, tree: Pick<Tree, 'id'>): Digest {
  const reads = plan.steps.some(
    (step) => step.uses === 'local' || ('options' in step && step.options?.some((option) => option.startsWith(OWN_LINKS)) === true),
  );
  return reads ? digestOf({ plan: planId(plan), tree: tree.id }) : planId(plan);
}

/** What of an engine decides how an environment comes out, beside plan and lock. */
export interface EngineFacts {
  /** Steps that the engine leaves out. */
  readonly lacks?: Readonly<Partial<Record<Step['uses'], string>>>;
  /** Where environments are mounted, if not at the place that is the same everywhere. */
  readonly place?: string | undefined;
}

/**
 * Names an environment: the lock, the steps after it, the tree where building reads it, the rules of building. Plans that
 * differ only in how they came to the same lock share one.
 */
export function environmentId(plan: BuildPlan, lock: Lock, tree: Pick<Tree, 'id'>, facts: EngineFacts = {}): Digest {
  const after = plan.steps.filter(
    ({ uses }) => (uses === 'apt' || uses === 'local' || uses === 'run') && facts.lacks?.[uses] === undefined,
  );
  return digestOf({
    epoch: BUILDER_EPOCH,
    lock: lock.id,
    steps: after.map((step) => ({ ...step, because: undefined, inputs: undefined })),
    env: after.length > 0 ? plan.env : {},
    tree: plan.reads === 'tree' ? tree.id : undefined,
    place: facts.place,
  });
}

function isOld(lock: Lock, { clock, config }: LockContext): boolean {
  return !lock.fixed && clock.now() - Date.parse(lock.madeAt) > config.build.refreshAfter * 1000;
}

async function make(id: Digest, plan: BuildPlan, tree: Tree, ctx: LockContext, call: FlightCall<Progress>): Promise<Lock> {
  const log: StageLog = {
    info: (message) => call.tell({ phase: 'locking', kind: 'info', message }),
    line: (message) => call.tell({ phase: 'locking', kind: 'log', message }),
  };
  return { ...(await ctx.engine.builder.lock(plan, tree, log, call.signal)), planId: id };
}

/** Belongs to no launch: nothing waits for it, its log goes nowhere, and the old lock stays where it fails. */
function renew(id: Digest, plan: BuildPlan, tree: Tree, ctx: LockContext): void {
  if (!ctx.locks.mayRenew(id)) return;
  const alone = { signal: new AbortController().signal, tell: () => {} };
  const work = async (call: FlightCall<Progress>): Promise<Lock> => {
    const lock = await make(id, plan, tree, ctx, call);
    await ctx.renewed?.(plan, lock, tree);
    return lock;
  };
  ctx.locks.once(id, alone, work).catch((error: unknown) => ctx.log.warn({ planId: id, err: error }, 'a lock could not be renewed'));
}

function summary({ packages, python, conda }: Lock): string {
  const count = packages.length + (conda?.length ?? 0);
  return `${count} ${count === 1 ? 'package' : 'packages'} for Python ${python.version}`;
}
