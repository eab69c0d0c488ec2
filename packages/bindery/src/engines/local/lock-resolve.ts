import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../../base/config.ts';
import type { RunResult } from '../../base/run.ts';
import type { Worker } from '../../base/worker.ts';
import type { Uv } from '../../clients/uv.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { Interpreter, LockedPackage } from '../../contracts/plan.ts';
import type { IndexOptions } from './lock-wishes.ts';
import { failureOf, type Failure } from './lock-failure.ts';
import { packagesOf } from './lock-pylock.ts';

/** A program run in the walls of a build, if there are any: what a repository brings may run in it. */
export interface SandboxOrder {
  readonly argv: readonly [string, ...string[]];
  /**
   * The whole environment, but for what is the way out's: proxies, and the index where it has credentials. Whoever runs the
   * order adds them, so that no code of a repository sees a credential.
   */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly readOnly: readonly string[];
  /** Existing folders; whoever runs the order gives them to the build's user. */
  readonly writable: readonly string[];
  /** HTTP and HTTPS to public addresses, and to the configured index wherever it is. */
  readonly network: 'index';
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
}
export type Sandboxed = (order: SandboxOrder) => Promise<RunResult>;

export interface ResolveDeps {
  readonly uv: Uv;
  readonly worker: Worker;
  readonly config: Config;
  readonly sandboxed: Sandboxed;
  readonly log: StageLog;
  readonly signal: AbortSignal;
}

/** One question to uv: which packages exactly, on this interpreter? */
export interface Question {
  readonly interpreter: Interpreter;
  /** Full version that packages are for, where it is not the interpreter's. */
  readonly pythonVersion?: string;
  readonly requirements: readonly string[];
  readonly constraints: readonly string[];
  /** Folders of packages of the repository, with extras: `/scratch/source/.[test]`. */
  readonly paths: readonly string[];
  /** Folders of wheels of the repository: `/scratch/source/wheels`. */
  readonly links: readonly string[];
  readonly options: IndexOptions;
  readonly asOf: string | undefined;
  readonly noDependencies: boolean;
  readonly builds: Builds;
  /** True where addresses or code of the repository come into play: then uv runs in the sandbox. */
  readonly strange: boolean;
}

/** Which packages may be built to learn their dependencies: the named ones only, or all but the named ones. */
export type Builds = { readonly only: readonly string[] } | { readonly allBut: readonly string[] };

export type Answer = { readonly packages: readonly LockedPackage[] } | { readonly failure: Failure };

/** Longest resolution, in milliseconds: from wheels, and with packages that are built to learn what they need. */
const RESOLVING_MS = 180_000;
const BUILDING_MS = 300_000;
const TOO_LONG = 'Asking packages that have no wheel for what they need took longer than five minutes.';

/** A folder for one lock's files, removed at the end. */
export class Scratch implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(config: Config, worker: Worker): Promise<Scratch> {
    const all = join(config.folders.cache, 'scratch');
    const folder = join(all, randomUUID());
    await mkdir(folder, { recursive: true });
    await removeOld(all);
    await worker.give(folder);
    return new Scratch(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** What hubs that died left behind; no resolution takes a day. */
async function removeOld(scratches: string): Promise<void> {
  for (const name of await readdir(scratches)) {
    const { mtimeMs } = await stat(join(scratches, name)).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > 86_400_000) await rm(join(scratches, name), { recursive: true, force: true });
  }
}

/** Asks uv. Throws what no other interpreter could mend (see `failureOf`). */
export async function resolve(question: Question, scratch: Scratch, deps: ResolveDeps): Promise<Answer> {
  const { uv, signal, log } = deps;
  const elsewhere = hasOwnIndexes(question.options);
  const folder = join(scratch.folder, randomUUID());
  await mkdir(folder);
  await writeFile(join(folder, 'requirements.in'), lines([...question.requirements, ...question.paths]));
  await writeFile(join(folder, 'constraints.txt'), lines(question.constraints));
  const args = compileArguments(question, folder);
  const onLine = (line: string, from: string): void => {
    // why an attempt failed is said once it is known whether another one did not
    if (from === 'stderr' && line.trim() && !/^\s*(?:error|cause|hint|Caused by)\b/.test(line)) log.line(uv.index.redact(line));
  };
  const building = 'allBut' in question.builds || question.builds.only.length > 0;
  const timeoutMs = Math.min(deps.config.build.timeout * 1000, building ? BUILDING_MS : RESOLVING_MS);
  const reach = [folder, question.interpreter.prefix];
  const result =
    question.strange || building
      ? await deps.sandboxed({
          argv: [uv.path, ...args],
          env: publicPart(uv.environment(join(scratch.folder, 'cache')), uv),
          readOnly: [uv.path, ...reach, ...uv.index.files.filter((file) => existsSync(file))],
          writable: [scratch.folder],
          network: 'index',
          timeoutMs,
          signal,
          onLine,
        })
      : await uv.run(args, { reach: { read: reach }, timeoutMs, signal });
  if (result.timedOut && building) return { failure: { kind: 'build', name: undefined, text: TOO_LONG } };
  if (result.timedOut) throw new BinderyError('build_timeout', 'Resolving the packages took too long.', { logTail: tail(result, uv) });
  const stderr = uv.index.redact(result.stderr);
  // files without an upload time are left out by uv with a warning only, so packages would seem to be missing
  if (result.code !== 0 || (question.asOf && /missing an upload date/.test(stderr)))
    return { failure: failureOf(stderr, uv.index, question.asOf, [...question.requirements, ...question.constraints]) };
  return { packages: packagesOf(uv.index.redact(result.stdout), elsewhere) };
}

export function hasOwnIndexes(options: IndexOptions): boolean {
  return options.index !== undefined || options.extra.length > 0 || options.findLinks.length > 0;
}

function compileArguments(question: Question, folder: string): string[] {
  const { builds, options } = question;
  const building =
    'only' in builds
      ? ['--only-binary', ':all:', ...builds.only.flatMap((name) => ['--no-binary', name])]
      : builds.allBut.flatMap((name) => ['--only-binary', name]);
  return [
    'pip',
    'compile',
    '--python',
    question.interpreter.path,
    ...(question.pythonVersion === undefined ? [] : ['--python-version', question.pythonVersion]),
    '--format',
    'pylock.toml',
    '--generate-hashes',
    '--no-header',
    '--no-annotate',
    ...building,
    ...(question.noDependencies ? ['--no-deps'] : []),
    ...(question.asOf ? ['--exclude-newer', question.asOf, ...notBefore(question.asOf)] : []),
    ...(options.prereleases ? ['--prerelease', 'allow'] : []),
    // pip takes the best version of all indexes, and repositories are written for pip
    ...(options.extra.length > 0 ? ['--index-strategy', 'unsafe-best-match'] : []),
    ...(options.index === undefined ? [] : ['--default-index', options.index]),
    ...options.extra.flatMap((address) => ['--extra-index-url', address]),
    ...[...options.findLinks, ...question.links].flatMap((address) => ['--find-links', address]),
    ...options.more,
    ...(question.constraints.length > 0 ? ['--constraints', join(folder, 'constraints.txt')] : []),
    join(folder, 'requirements.in'),
  ];
}

/** What cannot be as old as all that: uv builds packages without a pyproject.toml by setuptools 40.8 or newer, and kernels have floors. */
const NOT_BEFORE: Readonly<Record<string, string>> = {
  setuptools: '2019-03-01T00:00:00.000Z',
  ipykernel: '2018-03-01T00:00:00.000Z',
  ipython: '2017-05-01T00:00:00.000Z',
};

function notBefore(asOf: string): string[] {
  return Object.entries(NOT_BEFORE).flatMap(([name, at]) => (asOf < at ? ['--exclude-newer-package', `${name}=${at}`] : []));
}

function publicPart(env: Record<string, string>, { index }: Uv): Record<string, string> {
  const hidden = (name: string): boolean => name.endsWith('_PROXY') || (index.secret && /^UV_(?:DEFAULT_)?INDEX$/.test(name));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden(name)));
}

function lines(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join('');
}

function tail(result: RunResult, uv: Uv): string {
  return uv.index.redact(result.stderr.slice(-4000));
}
