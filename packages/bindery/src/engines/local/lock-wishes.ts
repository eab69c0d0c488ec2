import { BinderyError } from '@bindery/wire/errors.ts';
import type { BuildPlan, Step } from '../../contracts/plan.ts';

/** Where else a repository wants packages from, and how; credentials are not among it. */
export interface IndexOptions {
  readonly index?: string;
  readonly extra: readonly string[];
  readonly findLinks: readonly string[];
  /** Folders of the repository with wheels: `./wheels`. */
  readonly ownLinks: readonly string[];
  readonly prereleases: boolean;
  /** Arguments that uv takes as they are. */
  readonly more: readonly string[];
  /** What is left out, in sentences. */
  readonly ignored: readonly string[];
}

/** Everything of a plan that Python packages are resolved from. */
export interface Wishes {
  readonly requirements: readonly string[];
  readonly constraints: readonly string[];
  /** Lines of a lock file of the repository: taken as they are. */
  readonly locked: readonly string[];
  /** Packages in the repository itself, whose dependencies belong to the lock. */
  readonly locals: readonly Extract<Step, { uses: 'local' }>[];
  readonly options: IndexOptions;
  /** True when every requirement names one version exactly. */
  readonly exact: boolean;
}

/** What the server is made of where it shares the environment, no older than serve.py can start. */
export const JOINT: readonly string[] = ['jupyterlab>=3', 'jupyter-server>=1.11', 'notebook', 'jupytext'];

/** Collects what the plan's steps ask for. Throws `file_invalid` for a line that is more than a requirement. */
export function wishesOf(plan: BuildPlan): Wishes {
  const of = <Uses extends Step['uses']>(uses: Uses): Extract<Step, { uses: Uses }>[] =>
    plan.steps.filter((step): step is Extract<Step, { uses: Uses }> => step.uses === uses);
  const python = of('python');
  const fromConda = of('conda').filter((step) => step.from === 'pypi');
  const requirements = [...python.flatMap((step) => step.requirements), ...fromConda.flatMap((step) => step.specs)].map(checked);
  const lockFiles = of('locked-python');
  const locked = lockFiles.flatMap((step) => step.requirements).map(checked);
  return {
    requirements,
    constraints: python.flatMap((step) => step.constraints).map(checked),
    locked,
    locals: of('local'),
    options: optionsOf([...python, ...lockFiles].flatMap((step) => step.options ?? [])),
    exact: requirements.length + locked.length > 0 && of('local').length === 0 && requirements.every(isExact),
  };
}

/** What every environment has beside the repository's wishes: the kernel, pip for `%pip`, and the server where it shares the environment. */
export function additions(wishes: Wishes, layout: 'split' | 'joint', pythonVersion: string): readonly string[] {
  const named = new Set([...wishes.requirements, ...wishes.locked].map(nameOf));
  const old = Number(pythonVersion.split('.')[1]) < 12;
  return [
    'ipykernel',
    'pip',
    // before 3.12 environments had it, and old packages count on pkg_resources, which 81 drops
    ...(old && !named.has('setuptools') ? ['setuptools<81'] : []),
    ...(layout === 'joint' ? JOINT : []),
  ];
}

/**
 * Where newer ones have no wheels, a resolver goes back to kernels of a time when there was no Python 3.7. A repository that names the package
 * has the say.
 */
export function floors({ requirements, locked }: Wishes): readonly string[] {
  const named = new Set([...requirements, ...locked].map(nameOf));
  return ['ipykernel>=4.8', 'ipython>=6'].filter((line) => !named.has(nameOf(line)));
}

/** Normalised name of a requirement (PEP 503); undefined for a bare address. */
export function nameOf(requirement: string): string | undefined {
  const name = /^([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:[[(<>=!~;@,]|\s|$)/.exec(requirement)?.[1];
  return name === undefined ? undefined : normalised(name);
}

/** PEP 503. */
export function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-');
}

/** Characters; a line with a hundred hashes has 8,000. */
const LONGEST = 32_768;
const PLAIN =
  /^[A-Za-z0-9][\w.-]*\s*(?:\[[\w\s,.-]*\])?\s*\(?(?:\s*,?\s*(?:===?|~=|!=|<=?|>=?)\s*[\w.*+!-]+)*\s*,?\s*\)?\s*(?:;[^#]*?)?(?:\s--hash[= ]\S+)*\s*(?:#.*)?$/;
const FILE = /^[\w.-]+\.(?:whl|zip|tgz|tar(?:\.\w+)?)\b/i;

/**
 * True unless it is certain that a requirement names a package of an index and nothing else: addresses, repositories, files.
 * Those are looked at in the sandbox only.
 */
export function isDirect(requirement: string): boolean {
  const text = single(requirement);
  return !PLAIN.test(text) || FILE.test(text);
}

/** With single spaces, so that no expression above takes long. */
function single(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}

function isExact(requirement: string): boolean {
  return exactVersion(requirement) !== undefined;
}

function exactVersion(requirement: string): string | undefined {
  return /^[\w.-]+\s*(?:\[[^\]]*\])?\s*===?\s*([^\s*,;]+)\s*(?:;.*|--hash.*|#.*)?$/.exec(requirement.trim())?.[1];
}

/** Names and versions of the packages that the repository wants in one version and no other; those for other systems are left out. */
export function pinsOf({ requirements, locked }: Wishes): readonly { readonly name: string; readonly version: string }[] {
  const pins = [...requirements, ...locked].flatMap((requirement) => {
    const [name, version] = [nameOf(requirement), exactVersion(requirement)];
    const elsewhere = /;.*\b(?:win32|windows|darwin)\b/i.test(requirement);
    return name === undefined || version === undefined || elsewhere ? [] : [{ name, version }];
  });
  return pins.filter(({ name, version }) => pins.every((other) => other.name !== name || other.version === version));
}

/** uv reads more than requirements from a file of requirements: options, other files, and the process's environment. */
function checked(line: string): string {
  if (line.length > LONGEST) throw new BinderyError('file_invalid', `“${line.slice(0, 100)}…” is too long for a requirement.`);
  if (/[\r\n\0]/.test(line.trim())) throw new BinderyError('file_invalid', `“${line.slice(0, 200)}” is not a requirement.`);
  const text = single(line);
  if (text.startsWith('-') || /\s--?(?!hash[= ]sha\d+:)\w/.test(text.replace(/\s#.*$/, '')))
    throw new BinderyError('file_invalid', `“${text.slice(0, 200)}” is not a requirement.`);
  if (/\$\{\w+\}/.test(text))
    throw new BinderyError('file_invalid', `“${text.slice(0, 200)}” uses an environment variable, which has no value in a build.`, {
      hint: 'Write the value itself into the file.',
    });
  return text;
}

function optionsOf(lines: readonly string[]): IndexOptions {
  let index: string | undefined;
  const extra: string[] = [];
  const findLinks: string[] = [];
  const ownLinks: string[] = [];
  const more: string[] = [];
  const ignored: string[] = [];
  let prereleases = false;
  for (const line of lines) {
    const [, name = '', value = ''] = /^(--?[\w-]+)(?:[=\s]+(\S.*))?$/.exec(line.trim()) ?? [];
    const address = /^https?:\/\/[^\s]+$/.test(value);
    if ((name === '--index-url' || name === '-i') && address) index = value;
    else if (name === '--extra-index-url' && address) extra.push(value);
    else if ((name === '--find-links' || name === '-f') && address) findLinks.push(value);
    else if (name === '--find-links' && value.startsWith('./')) ownLinks.push(value);
    else if (name === '--pre') prereleases = true;
    else if ((name === '--no-binary' || name === '--only-binary') && /^[\w.,:-]+$/.test(value)) more.push(...packages(name, value));
    else if (name !== '--prefer-binary' && name !== '--require-hashes') ignored.push(`The option ${line.trim()} is not applied.`);
  }
  return { ...(index === undefined ? {} : { index }), extra, findLinks, ownLinks, prereleases, more, ignored };
}

/** `:all:` would take away our own choice between wheels and sources, so only names are passed on. */
function packages(option: string, value: string): string[] {
  return value
    .split(',')
    .filter((name) => /^\w/.test(name))
    .flatMap((name) => [option, name]);
}
