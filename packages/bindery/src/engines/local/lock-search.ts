import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { Interpreter, LockedPackage } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import { explain } from './lock-explain.ts';
import type { Failure, Wheelless } from './lock-failure.ts';
import { hasOwnIndexes, resolve, type Answer, type Builds, type Question, type ResolveDeps, type Scratch } from './lock-resolve.ts';
import { mergedWithLocked } from './lock-locked.ts';
import { SourceOnly } from './lock-sources.ts';
import { floors, isDirect, normalised, pinsOf, type Wishes } from './lock-wishes.ts';

export interface Search {
  readonly wishes: Wishes;
  /** Best first. */
  readonly candidates: readonly Interpreter[];
  /** What the environment has beside the repository's wishes. */
  readonly additions: (interpreter: Interpreter) => readonly string[];
  /** Full version of the Python that packages are for, where it is not the candidate's own. */
  readonly pythonVersion?: string;
  readonly tree: Tree;
  readonly scratch: Scratch;
  readonly asOf: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why the first candidate is the first. */
  readonly because: string;
}

export interface Found {
  readonly interpreter: Interpreter;
  readonly packages: readonly LockedPackage[];
  readonly notes: readonly string[];
}

/** An interpreter that did not do, and why. */
export interface Unfit {
  readonly interpreter: Interpreter;
  readonly failure: Failure;
}

/** How many interpreters may build from source what has wheels for others, before we give up: each may take minutes. */
const MOST_BUILDING = 2;
/** How many interpreters may fail to build what exists as sources alone. */
const MOST_FAILING = 4;
/** Packages that exist as sources alone, in one resolution. */
const MOST_SOURCES = 40;

/**
 * Tries one interpreter after the other. A package that exists as sources alone may be built (in the sandbox); one that
 * has wheels, but not for this interpreter, is a reason to take the next one. Only when none is left is such a one built, too.
 */
export async function search(search: Search, deps: ResolveDeps): Promise<Found> {
  const sources = await SourceOnly.open(deps.uv.index, deps.signal);
  try {
    const own = await copyOwn(search, deps);
    const attempt: Attempt = (interpreter, builds) => ask(interpreter, builds, own, search, deps);
    const unfit: Unfit[] = [];
    const sourcesAlone = ({ name, version }: Wheelless): Promise<boolean> => sources.has(name, version);
    const common = { attempt, sources, pins: pinsOf(search.wishes), pinned: [], log: deps.log };
    const built = new Map<Interpreter, string[]>();
    for (const interpreter of search.candidates) {
      const only: string[] = [...common.pinned];
      built.set(interpreter, only);
      const answer = await fewestBuilds(interpreter, { ...common, only, mayBuild: sourcesAlone });
      if ('packages' in answer) return found(search, interpreter, answer.packages, unfit);
      unfit.push({ interpreter, failure: answer.failure });
      deps.log.info(`Python ${interpreter.version} does not do: ${shortReason(answer.failure)}`);
      if (isHopeless(unfit)) break;
    }
    // versions that old have wheels for still older interpreters: the oldest one is most likely to build them
    const hopeful = unfit.filter(({ failure }) => failure.kind === 'no-wheel').toReversed();
    for (const { interpreter } of hopeful.slice(0, MOST_BUILDING)) {
      deps.log.info(`Python ${interpreter.version} again, building from source what has no wheel for it.`);
      const answer = await fewestBuilds(interpreter, {
        ...common,
        only: built.get(interpreter) ?? [],
        mayBuild: () => Promise.resolve(true),
      });
      if ('packages' in answer) return found(search, interpreter, answer.packages, []);
      unfit.push({ interpreter, failure: answer.failure });
    }
    throw explain(unfit, search);
  } finally {
    await sources.close();
  }
}

/** The same contradiction twice, and nothing in it about Python, or sources that nowhere build: other interpreters will not mend it. */
function isHopeless(unfit: readonly Unfit[]): boolean {
  const [last, before] = [unfit.at(-1)?.failure, unfit.at(-2)?.failure];
  const same = last?.kind === 'unsatisfiable' && last.text === before?.text && !/python/i.test(last.text);
  return same || unfit.filter(({ failure }) => failure.kind === 'build').length >= MOST_FAILING;
}

type Attempt = (interpreter: Interpreter, builds: Builds) => Promise<Answer>;

interface Building {
  readonly attempt: Attempt;
  readonly sources: SourceOnly;
  /** Versions that the repository names exactly. */
  readonly pins: readonly Wheelless[];
  /** Those of them that exist as sources alone, for every interpreter: grows. */
  readonly pinned: string[];
  /** What is built: grows. */
  readonly only: string[];
  readonly mayBuild: (one: Wheelless) => Promise<boolean>;
  readonly log: StageLog;
}

/** Lets exactly those packages be built that cannot be had otherwise and may be. */
async function fewestBuilds(interpreter: Interpreter, { attempt, sources, pins, pinned, only, mayBuild, log }: Building): Promise<Answer> {
  for (;;) {
    const answer = await attempt(interpreter, { only });
    if ('packages' in answer) return answer;
    const { failure } = answer;
    if (failure.kind === 'must-build') return fewestBuildsAround(interpreter, attempt, sources);
    if (failure.kind !== 'no-wheel' || only.length >= MOST_SOURCES) return answer;
    const fresh = ({ name }: Wheelless): boolean => !only.includes(name);
    const left = failure.packages.map((one) => ({ ...one, name: normalised(one.name) })).filter(fresh);
    // one that is built is never taken as a wheel: first those of which there is none in any version, or in the only one that is wanted
    let more = await chosen(left, ({ name }) => sources.has(name, undefined));
    const found = await chosen(pins.filter(fresh), ({ name, version }) => sources.has(name, version));
    pinned.push(...found);
    more = [...new Set([...more, ...found])];
    if (more.length === 0) more = await chosen(left, mayBuild);
    if (more.length === 0) return answer;
    only.push(...more);
    log.info(`${more.toSorted().join(', ')}: no wheel fits; built to learn what ${more.length === 1 ? 'it needs' : 'they need'}.`);
  }
}

async function chosen(packages: readonly Wheelless[], by: (one: Wheelless) => Promise<boolean>): Promise<string[]> {
  const yes = await Promise.all(packages.map(by));
  return [...new Set(packages.filter((_, index) => yes[index]).map(({ name }) => name))];
}

/**
 * uv can build a package that is no package of the index only when it may build all: so what it then took from source,
 * though wheels of it exist, is forbidden step by step.
 */
async function fewestBuildsAround(interpreter: Interpreter, attempt: Attempt, sources: SourceOnly): Promise<Answer> {
  const allBut: string[] = [];
  for (;;) {
    const answer = await attempt(interpreter, { allBut });
    const suspects = 'packages' in answer ? fromIndexSources(answer.packages) : suspectOf(answer.failure);
    const needless: string[] = [];
    for (const { name, version } of suspects) if (!allBut.includes(name) && !(await sources.has(name, version))) needless.push(name);
    if (needless.length === 0 || allBut.length >= MOST_SOURCES) return answer;
    allBut.push(...needless);
  }
}

function fromIndexSources(packages: readonly LockedPackage[]): readonly { name: string; version: string }[] {
  return packages.filter(({ from, own, requirement }) => from === 'source' && own !== true && !isDirect(requirement));
}

function suspectOf(failure: Failure): readonly { name: string; version: undefined }[] {
  return failure.kind === 'build' && failure.name !== undefined ? [{ name: failure.name, version: undefined }] : [];
}

async function ask(interpreter: Interpreter, builds: Builds, copies: Own, search: Search, deps: ResolveDeps): Promise<Answer> {
  const { wishes, scratch, pythonVersion } = search;
  const { requirements, constraints, locked, options } = wishes;
  const { paths, links } = copies;
  const common = { interpreter, options, links, asOf: search.asOf, builds, ...(pythonVersion === undefined ? {} : { pythonVersion }) };
  const own = search.additions(interpreter);
  const strange = hasOwnIndexes(options) || paths.length + links.length > 0 || [...requirements, ...constraints, ...locked].some(isDirect);
  const question: Question = {
    ...common,
    requirements: [...requirements, ...own],
    constraints: [...constraints, ...(pythonVersion === undefined ? floors(wishes) : [])],
    paths,
    noDependencies: false,
    strange,
  };
  if (locked.length === 0) return resolve(question, scratch, deps);
  const taken = await resolve(
    { ...common, requirements: locked, constraints: [], paths: [], noDependencies: true, strange, asOf: undefined },
    scratch,
    deps,
  );
  if ('failure' in taken) return taken;
  return mergedWithLocked(taken.packages, locked, (pins) =>
    resolve({ ...question, constraints: [...question.constraints, ...pins] }, scratch, deps),
  );
}

/** What of the repository's own files has a say: packages, and folders of wheels. */
type Own = Pick<Question, 'paths' | 'links'>;

/** Copies the repository into the scratch folder, in the sandbox: asking a package for its dependencies may write beside it. */
async function copyOwn({ wishes, scratch, tree }: Search, deps: ResolveDeps): Promise<Own> {
  const { ownLinks } = wishes.options;
  if (wishes.locals.length + ownLinks.length === 0) return { paths: [], links: [] };
  const source = join(scratch.folder, 'source');
  const paths = wishes.locals.map(({ path, extras }) => join(source, path) + (extras.length > 0 ? `[${extras.join(',')}]` : ''));
  const copies = { paths, links: ownLinks.map((path) => join(source, path)) };
  if (existsSync(source)) return copies; // asked before, for the other layout
  await mkdir(source);
  const result = await deps.sandboxed({
    argv: ['cp', '-a', '--', `${tree.folder}/.`, source],
    env: { PATH: '/usr/bin:/bin' },
    readOnly: [tree.folder],
    writable: [scratch.folder],
    network: 'index',
    timeoutMs: deps.config.build.timeout * 1000,
    signal: deps.signal,
  });
  if (result.code !== 0)
    throw new BinderyError('build_failed', 'The repository could not be copied for its package to be read.', {
      logTail: result.stderr.slice(-4000),
    });
  return copies;
}

function found(
  { candidates, because }: Search,
  interpreter: Interpreter,
  packages: readonly LockedPackage[],
  unfit: readonly Unfit[],
): Found {
  const [first] = candidates;
  const why = interpreter === first ? because : `newer ones do not fit`;
  const notes = [`Python ${interpreter.version}: ${why}.`];
  for (const { interpreter: other, failure } of unfit) notes.push(`Not Python ${other.version}: ${shortReason(failure)}`);
  return { interpreter, packages, notes };
}

function shortReason(failure: Failure): string {
  if (failure.kind !== 'no-wheel') return failure.text;
  const [first, ...rest] = failure.packages.map(({ name, version }) => `${name}${version ? ` ${version}` : ''}`);
  return rest.length === 0 ? `${first} has no wheel for it.` : `there is no wheel for it of ${[first, ...rest].join(', ')}.`;
}
