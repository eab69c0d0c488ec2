import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { BuildPlan, Interpreter, LockedPackage, PythonBase, Step } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import { condaTool, solveConda, type CondaDeps, type CondaPackage } from './conda.ts';
import { INSIDE } from './sandbox.ts';
import { jointReason } from './layout.ts';
import type { Scratch } from './lock-resolve.ts';
import { search } from './lock-search.ts';
import { JOINT, normalised, type Wishes } from './lock-wishes.ts';

export type CondaStep = Extract<Step, { uses: 'conda' }>;

export interface CondaFound {
  readonly python: Interpreter;
  readonly layout: 'split' | 'joint';
  readonly layoutBecause: string;
  readonly conda: readonly CondaPackage[];
  readonly packages: readonly LockedPackage[];
  readonly notes: readonly string[];
}

/**
 * Conda packages from channels first, Python itself among them, then what else the repository wants from the Python index,
 * resolved for that Python, with what conda brings as it is. Throws also `channel_unreachable`.
 */
export async function lockConda(
  {
    plan,
    steps,
    wishes,
    tree,
    scratch,
    now,
  }: { plan: BuildPlan; steps: readonly CondaStep[]; wishes: Wishes; tree: Tree; scratch: Scratch; now: number },
  deps: CondaDeps,
): Promise<CondaFound> {
  const tool = await condaTool(deps);
  const channels = [
    ...new Set(steps.flatMap((step) => step.channels).flatMap((name) => channelUrls(name, deps.config.python.channelAlias))),
  ];
  const specs = steps.flatMap((step) => step.specs).map((spec) => withChannel(spec, deps.config.python.channelAlias));
  const own = [...(names(specs).has('python') ? [] : [pythonSpec(plan.base.python)]), 'pip'];
  const folder = join(scratch.folder, 'conda');
  await mkdir(folder);
  const solve = (more: readonly string[]): Promise<readonly CondaPackage[]> =>
    solveConda(
      tool,
      { task: 'solve', channels, specs: [...specs, ...own, ...more], platform: platformName(), before: plan.asOf },
      folder,
      deps,
    );
  deps.log.info(`Solving ${specs.length} conda specifications from ${channels.join(', ')}`);
  const conda = await solve(['ipykernel']).catch((error: unknown) => {
    // the channel has none, or none that goes with the rest: then it comes from the Python index
    if (error instanceof BinderyError && /\bipykernel\b/.test(error.message)) return solve([]);
    throw error;
  });
  const python = interpreterOf(conda);
  const machine = await nearestInterpreter(python.version, deps);
  const kernel = conda.some(({ name }) => name === 'ipykernel') ? [] : ['ipykernel'];
  const ask = async (joint: boolean): Promise<readonly LockedPackage[]> =>
    fromIndex([...kernel, ...(joint ? JOINT : [])], { wishes, tree, scratch, now, plan, conda, python, machine }, deps);
  let packages = await ask(plan.layout === 'joint');
  const reason = plan.layout === 'auto' ? jointReason([...conda, ...packages]) : undefined;
  if (reason !== undefined) packages = await ask(true);
  return {
    python,
    layout: plan.layout === 'joint' || reason !== undefined ? 'joint' : 'split',
    layoutBecause: plan.layout === 'auto' ? (reason ?? 'no package touches the server') : plan.layoutBecause,
    conda,
    packages,
    notes: [`Python ${python.version}: from ${channels.join(', ')}.`],
  };
}

/** Where a channel's name leads. `defaults` stands for Anaconda's own two. */
export function channelUrls(name: string, alias: string): string[] {
  const base = alias.replace(/\/+$/, '');
  if (name === 'nodefaults') return [];
  if (name === 'defaults') return [`${base}/main`, `${base}/r`];
  return [name.includes('://') ? name.replace(/\/+$/, '') : `${base}/${name}`];
}

/** conda's name of this platform. */
function platformName(): string {
  const system = process.platform === 'darwin' ? 'osx' : 'linux';
  const machine = process.arch === 'x64' ? '64' : process.platform === 'darwin' ? 'arm64' : 'aarch64';
  return `${system}-${machine}`;
}

function withChannel(spec: string, alias: string): string {
  const [, channel, rest] = /^([\w./-]+)::(.+)$/.exec(spec) ?? [];
  return channel === undefined ? spec : `${channelUrls(channel, alias)[0] ?? channel}::${rest}`;
}

function names(specs: readonly string[]): Set<string> {
  return new Set(
    specs.map((spec) => /([A-Za-z0-9_][\w.-]*)\s*(?:[\s=<>!~[(].*)?$/.exec(spec.split('::').at(-1) ?? '')?.[1]?.toLowerCase() ?? ''),
  );
}

/** conda has `3.10.*` where PEP 440 has `==3.10.*`. */
function pythonSpec({ requires, prefer }: PythonBase): string {
  if (prefer !== 'newest' && !requires.includes('==')) return `python ${prefer}.*`;
  const clauses = requires.split(',').map((clause) => clause.trim().replace(/^==(.*\*)$/, '$1'));
  return requires === '' ? 'python' : `python ${clauses.join(',')}`;
}

function interpreterOf(conda: readonly CondaPackage[]): Interpreter {
  const python = conda.find(({ name }) => name === 'python');
  if (!python) throw new BinderyError('unsatisfiable', 'The conda environment holds no Python, which the kernel needs.');
  const file =
    python.url
      .split('/')
      .at(-1)
      ?.replace(/\.(?:conda|tar\.bz2)$/, '') ?? '';
  return {
    path: `${INSIDE.environment}/bin/python`,
    version: python.version,
    prefix: INSIDE.environment,
    build: `conda-${platformName()}-${file}`,
    from: 'managed',
  };
}

/** Resolving needs some interpreter of this machine; uv is told which one it is meant for. */
async function nearestInterpreter(version: string, { interpreters, log, signal }: CondaDeps): Promise<Interpreter> {
  const prefer = version.split('.').slice(0, 2).join('.');
  const all = await interpreters.list(signal);
  const found = all.find((one) => one.version.startsWith(`${prefer}.`)) ?? all[0];
  return (
    found ??
    (await interpreters.candidates({ requires: '', prefer: 'newest', because: 'resolving packages' }, log, signal)).interpreters[0]!
  );
}

interface IndexQuestion {
  readonly wishes: Wishes;
  readonly tree: Tree;
  readonly scratch: Scratch;
  readonly now: number;
  readonly plan: BuildPlan;
  readonly conda: readonly CondaPackage[];
  readonly python: Interpreter;
  readonly machine: Interpreter;
}

/** Packages of the Python index beside conda's. What conda brings is not installed again; a version of its own that the index lacks is left open. */
async function fromIndex(own: readonly string[], question: IndexQuestion, deps: CondaDeps): Promise<readonly LockedPackage[]> {
  const { wishes, tree, scratch, now, plan, conda, python, machine } = question;
  if (own.length + wishes.requirements.length + wishes.locked.length + wishes.locals.length === 0) return [];
  const brought = new Set(conda.map(({ name }) => normalised(name)));
  const pins = conda.filter(({ record }) => needsPython(record)).map(({ name, version }) => `${normalised(name)}==${version}`);
  const ask = (constraints: readonly string[]): Promise<{ packages: readonly LockedPackage[] }> =>
    search(
      {
        wishes: { ...wishes, constraints: [...wishes.constraints, ...constraints] },
        candidates: [machine],
        additions: () => own,
        pythonVersion: python.version,
        tree,
        scratch,
        now,
        asOf: plan.asOf,
        because: 'from conda',
      },
      deps,
    );
  const { packages } = await ask(pins).catch((error: unknown) => {
    if (error instanceof BinderyError && error.code === 'unsatisfiable') return ask([]);
    throw error;
  });
  return packages.filter(({ name }) => !brought.has(name));
}

function needsPython(record: string): boolean {
  const { depends } = JSON.parse(record) as { depends?: unknown };
  return Array.isArray(depends) && depends.some((one) => typeof one === 'string' && /^python(?:_abi)?(?:\s|$)/.test(one));
}
