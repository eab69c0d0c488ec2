import { digestOf } from '../../base/canonical.ts';
import { instant, type Clock } from '../../base/clock.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { BuildPlan, Interpreter, Lock, LockedPackage, UnkeyedLock } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import type { Interpreters } from './interpreters.ts';
import { jointReason } from './layout.ts';
import { Scratch, type ResolveDeps } from './lock-resolve.ts';
import { search, type Found } from './lock-search.ts';
import { wishesOf, type Wishes } from './lock-wishes.ts';

export interface LockDeps extends Omit<ResolveDeps, 'log' | 'signal'> {
  readonly interpreters: Interpreters;
  readonly clock: Clock;
}

/**
 * Resolves a plan to exact packages: newest fitting interpreter first, wheels of the index only, outside the sandbox;
 * whatever is a stranger's code or address goes into it (I7). Throws `unsatisfiable`, `index_unreachable`,
 * `python_not_found`, `file_invalid`, `sandbox_unavailable`, `build_timeout`.
 */
export async function makeLock(plan: BuildPlan, tree: Tree, deps: LockDeps, log: StageLog, signal: AbortSignal): Promise<UnkeyedLock> {
  const wishes = wishesOf(plan);
  const resolveDeps = { ...deps, log, signal };
  await using scratch = await Scratch.make(deps.config, deps.worker);
  const { interpreters, notes } = await deps.interpreters.candidates(plan.base.python, log, signal);
  const ask = (candidates: readonly Interpreter[], layout: 'split' | 'joint'): Promise<Found> =>
    search(
      { wishes, candidates, layout, tree, scratch, asOf: plan.asOf, now: deps.clock.now(), because: plan.base.python.because },
      resolveDeps,
    );
  let layout: Lock['layout'] = plan.layout === 'joint' ? 'joint' : 'split';
  let layoutBecause = plan.layoutBecause;
  let found = await ask(interpreters, layout);
  if (plan.layout === 'auto') {
    const reason = jointReason(found.packages);
    layoutBecause = reason ?? 'no package touches the server';
    if (reason !== undefined) {
      layout = 'joint';
      found = await ask([found.interpreter, ...interpreters.filter((one) => one !== found.interpreter)], layout);
    }
  }
  log.info(`${found.packages.length} packages for Python ${found.interpreter.version}.`);
  return sealed(
    { python: found.interpreter, layout, packages: found.packages },
    { plan, layoutBecause, wishes, notes: [...notes, ...found.notes], madeAt: instant(deps.clock) },
  );
}

interface Circumstances {
  readonly plan: BuildPlan;
  readonly layoutBecause: string;
  readonly wishes: Wishes;
  readonly notes: readonly string[];
  readonly madeAt: Lock['madeAt'];
}

/** The lock with its id, which covers what is installed and nothing of how it came about: different plans may share it. */
export function sealed(
  content: Pick<Lock, 'python' | 'layout' | 'packages' | 'conda'>,
  { plan, layoutBecause, wishes, notes, madeAt }: Circumstances,
): UnkeyedLock {
  return {
    version: 1,
    id: digestOf({ version: 1, ...content }),
    ...content,
    layoutBecause,
    ...(plan.asOf === undefined ? {} : { asOf: plan.asOf }),
    madeAt,
    notes: [...notes, ...wishes.options.ignored, ...sourceNotes(content.packages)],
    fixed: plan.asOf !== undefined || wishes.exact,
  };
}

function sourceNotes(packages: readonly LockedPackage[]): string[] {
  const names = packages.filter((one) => one.from === 'source').map(({ name, version }) => `${name} ${version}`.trim());
  return names.length === 0 ? [] : [`Built from source, since there is no wheel for this machine: ${names.join(', ')}.`];
}
