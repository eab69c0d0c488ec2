import { BinderyError } from '@bindery/wire/errors.ts';
import { digestOf } from '../../base/canonical.ts';
import { instant, type Clock } from '../../base/clock.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { BuildPlan, Interpreter, Lock, LockedPackage, UnkeyedLock } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import type { Interpreters } from './interpreters.ts';
import { jointReason } from './layout.ts';
import { lockConda, type CondaFound, type CondaStep } from './lock-conda.ts';
import { Scratch, type ResolveDeps } from './lock-resolve.ts';
import { search, type Found } from './lock-search.ts';
import { SourceOnly } from './lock-sources.ts';
import { additions, nameOf, wishesOf, type Wishes } from './lock-wishes.ts';

export interface LockDeps extends Omit<ResolveDeps, 'log' | 'signal'> {
  readonly interpreters: Interpreters;
  readonly clock: Clock;
}

/**
 * Resolves a plan to exact packages: newest fitting interpreter first, wheels of the index only, outside the sandbox;
 * whatever is a stranger's code or address goes into it (I7). Throws `unsatisfiable`, `index_unreachable`,
 * `python_not_found`, `file_invalid`, `build_timeout`.
 */
export async function makeLock(plan: BuildPlan, tree: Tree, deps: LockDeps, log: StageLog, signal: AbortSignal): Promise<UnkeyedLock> {
  const { wishes, absent } = await onIndex(wishesOf(plan), plan, deps, signal);
  const all = { ...deps, log, signal };
  await using scratch = await Scratch.make(deps.config, deps.worker);
  const asked: Asked = { plan, wishes, tree, scratch, now: deps.clock.now() };
  const conda = plan.steps.filter((step): step is CondaStep => step.uses === 'conda' && step.from === 'channels');
  const found = conda.length > 0 ? await lockConda({ ...asked, steps: conda }, all) : await lockPython(asked, all).catch(sayConda(plan));
  return sealed(found, plan, {
    notes: [
      ...absent,
      ...found.notes,
      ...(plan.asOf === undefined ? [] : [`Packages as of ${plan.asOf.slice(0, 10)}.`]),
      ...wishes.options.ignored,
      ...sourceNotes(found.packages),
    ],
    madeAt: instant(deps.clock),
    fixed: plan.asOf !== undefined || (wishes.exact && conda.length === 0),
  });
}

/** What goes together in conda need not on the Python index, whose packages say more strictly what they want. */
function sayConda(plan: BuildPlan): (error: unknown) => never {
  return (error) => {
    const translated = plan.steps.some((step) => step.uses === 'conda' && step.from === 'pypi');
    if (!(error instanceof BinderyError) || !translated) throw error;
    const channels = "from conda's channels, where these can be reached.";
    const more =
      error.code === 'unsatisfiable'
        ? `What a conda file pins need not go together on PyPI: without --conda pypi it comes ${channels}`
        : error.code === 'python_not_found'
          ? `Without --conda pypi Python comes ${channels}`
          : undefined;
    if (more === undefined) throw error;
    const hint = `${error.hint} ${more}`;
    throw new BinderyError(error.code, error.message, { hint, logTail: error.logTail, cause: error });
  };
}

interface Asked {
  readonly plan: BuildPlan;
  readonly wishes: Wishes;
  readonly tree: Tree;
  readonly scratch: Scratch;
  readonly now: number;
}

type Resolved = Omit<CondaFound, 'conda'> & { readonly conda?: CondaFound['conda'] };

/** Everything from the Python index, for an interpreter of this machine. */
async function lockPython({ plan, wishes, tree, scratch, now }: Asked, deps: LockDeps & ResolveDeps): Promise<Resolved> {
  const { interpreters, notes } = await deps.interpreters.candidates(plan.base.python, deps.log, deps.signal);
  const ask = (candidates: readonly Interpreter[], layout: 'split' | 'joint', because = plan.base.python.because): Promise<Found> => {
    const own = (interpreter: Interpreter): readonly string[] => additions(wishes, layout, interpreter.version);
    return search({ wishes, candidates, additions: own, tree, scratch, asOf: plan.asOf, now, because }, deps);
  };
  const said = (found: Found, layout: 'split' | 'joint', layoutBecause: string): Resolved => ({
    python: found.interpreter,
    layout,
    layoutBecause,
    packages: found.packages,
    notes: [...notes, ...found.notes],
  });
  const split = plan.layout === 'joint' ? undefined : await ask(interpreters, 'split');
  const touched = split === undefined || plan.layout === 'split' ? undefined : jointReason(split.packages);
  if (split !== undefined && touched === undefined)
    return said(split, 'split', plan.layout === 'split' ? plan.layoutBecause : 'no package touches the server');
  const first = interpreters.toSorted((a, b) => Number(b === split?.interpreter) - Number(a === split?.interpreter));
  const reason = touched ?? plan.layoutBecause;
  try {
    return said(await ask(first, 'joint', first[0] === interpreters[0] ? undefined : 'newer ones do not fit'), 'joint', reason);
  } catch (error) {
    if (!(error instanceof BinderyError) || error.code !== 'unsatisfiable') throw error;
    const apart =
      split ??
      (await ask(interpreters, 'split').catch((): never => {
        throw error;
      }));
    const why = 'what the repository wants leaves no server that can be started here';
    const { notes: own, ...rest } = said(apart, 'split', why);
    return { ...rest, notes: [...own, `One environment for server and kernel was wanted (${reason}), but ${why}: ours is beside it.`] };
  }
}

/** Leaves out what a conda file names and the Python index does not have; it is listed for people. */
async function onIndex(
  wishes: Wishes,
  plan: BuildPlan,
  { uv }: LockDeps,
  signal: AbortSignal,
): Promise<{ wishes: Wishes; absent: readonly string[] }> {
  const translated = new Set(plan.steps.flatMap((step) => (step.uses === 'conda' && step.from === 'pypi' ? step.specs : [])));
  if (translated.size === 0) return { wishes, absent: [] };
  const sources = await SourceOnly.open(uv.index, signal);
  try {
    const absent = await sources.unknown([...translated], (spec) => nameOf(spec) ?? spec);
    const names = [...absent].map((spec) => nameOf(spec) ?? spec).join(', ');
    return {
      wishes: { ...wishes, requirements: wishes.requirements.filter((line) => !absent.has(line)) },
      absent: absent.size === 0 ? [] : [`Left out, since the Python index has nothing of that name: ${names}.`],
    };
  } finally {
    await sources.close();
  }
}

/** The lock with its id, which covers what is installed and nothing of how it came about: different plans may share it. */
function sealed(found: Resolved, plan: BuildPlan, about: Pick<Lock, 'notes' | 'madeAt' | 'fixed'>): UnkeyedLock {
  const { python, layout, layoutBecause, packages, conda } = found;
  const content = { python, layout, packages, ...(conda === undefined ? {} : { conda }) };
  return {
    version: 1,
    id: digestOf({ version: 1, ...content }),
    ...content,
    layoutBecause,
    ...(plan.asOf === undefined ? {} : { asOf: plan.asOf }),
    ...about,
  };
}

function sourceNotes(packages: readonly LockedPackage[]): string[] {
  const named = (some: readonly LockedPackage[]): string => some.map(({ name, version }) => `${name} ${version}`.trim()).join(', ');
  const own = packages.filter((one) => one.own);
  const built = packages.filter((one) => one.from === 'source' && !one.own);
  return [
    ...(own.length === 0 ? [] : [`From the repository's own folders: ${named(own)}.`]),
    ...(built.length === 0 ? [] : [`Built from source, since there is no wheel for this machine: ${named(built)}.`]),
  ];
}
