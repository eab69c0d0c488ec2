import type { Finding } from '@bindery/wire/events.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Pack, PackOptions, Part, PlanTree } from '../contracts/pack.ts';
import type { PythonBase, Step } from '../contracts/plan.ts';
import { condaFile, pipFile, resolvePath } from '../formats/config-files.ts';
import { readPyproject } from '../formats/pyproject.ts';
import type { Pyproject } from '../formats/pyproject.ts';
import { admits, admitted } from '../formats/python-version.ts';
import { parseRequirement } from '../formats/requirement.ts';
import { readRequirements } from '../formats/requirements.ts';
import { readRuntime, type Runtime } from '../formats/runtime.ts';
import { readUvLock } from '../formats/uv-lock.ts';
import type { UvLock } from '../formats/uv-lock.ts';

const id = 'python';
const CONFIG = ['requirements.txt', 'runtime.txt', 'pyproject.toml', 'uv.lock', '.python-version'];

/**
 * `requirements.txt`, `runtime.txt`, `setup.py` and `pyproject.toml` by repo2docker's rules (binder folder, what counts as a package);
 * beyond them, where no requirements.txt is there, `uv.lock` and the dependencies of a `pyproject.toml` that is no package.
 */
export const python: Pack = {
  id,
  detect: (tree) =>
    [...CONFIG.map((name) => tree.config + name), ...(tree.config === '' ? ['setup.py'] : [])].filter((path) => tree.has(path)),
  plan: (tree, options) => new PythonFiles(tree, options).plan(),
};

class PythonFiles {
  readonly #tree: PlanTree;
  readonly #own: boolean;
  readonly #asked: string | undefined;
  readonly #findings: Finding[] = [];

  constructor(tree: PlanTree, options: PackOptions) {
    this.#tree = tree;
    this.#own = options.epoch !== 'repo2docker';
    this.#asked = options.python;
  }

  async plan(): Promise<Part> {
    const other = condaFile(this.#tree) ?? pipFile(this.#tree);
    if (other !== undefined) {
      for (const file of python.detect(this.#tree)) this.#note(file, 'ignored', `beside ${other} it does not count, as with repo2docker`);
      return { steps: [], findings: this.#findings };
    }
    const pyproject = await this.#pyproject();
    const lock = await this.#uvLock(pyproject);
    const base = await this.#version(pyproject, lock);
    const steps: Step[] = [];
    const requirements = this.#path('requirements.txt');
    const usesTree =
      requirements === undefined ? this.#withoutRequirements(steps, pyproject, lock) : await this.#requirements(requirements, steps);
    if (requirements !== undefined || lock === undefined) this.#package(steps, pyproject);
    const contentDependent = usesTree || steps.some((step) => step.uses === 'local');
    return { ...(base ? { python: base } : {}), steps, findings: this.#findings, contentDependent };
  }

  /** A file's path in the configuration folder, if it is there. */
  #path(name: string): string | undefined {
    const path = this.#tree.config + name;
    return this.#tree.has(path) ? path : undefined;
  }

  async #text(name: string): Promise<{ file: string; text: string } | undefined> {
    const file = this.#path(name);
    const text = file === undefined ? undefined : await this.#tree.text(file);
    if (file !== undefined && text === undefined) this.#note(file, 'ignored', 'it leads out of the repository');
    return file === undefined || text === undefined ? undefined : { file, text };
  }

  async #pyproject(): Promise<Pyproject | undefined> {
    const found = await this.#text('pyproject.toml');
    return found === undefined ? undefined : readPyproject(found.file, found.text);
  }

  async #uvLock(pyproject: Pyproject | undefined): Promise<UvLock | undefined> {
    const file = this.#path('uv.lock');
    if (file === undefined) return undefined;
    const requirements = this.#path('requirements.txt');
    if (!this.#own || requirements !== undefined) {
      this.#note(file, 'ignored', this.#own ? `${requirements} says what to install` : 'repo2docker does not read it');
      return undefined;
    }
    const found = await this.#text('uv.lock');
    return found === undefined ? undefined : readUvLock(file, found.text, pyproject?.defaultGroups ?? ['dev']);
  }

  async #requirements(file: string, steps: Step[]): Promise<boolean> {
    const wanted = await readRequirements(this.#tree, file, id);
    const { requirements, constraints, options, files: inputs } = wanted;
    if (requirements.length > 0) steps.push({ uses: 'python', because: `${file} lists them`, inputs, requirements, constraints, options });
    for (const local of wanted.locals) steps.push({ uses: 'local', because: `${file} names it`, inputs, ...local });
    for (const found of inputs)
      this.#note(found, 'used', found === file ? counted(requirements.length, 'requirement') : `${file} includes it`);
    this.#findings.push(...wanted.findings);
    return wanted.usesTree;
  }

  #withoutRequirements(steps: Step[], pyproject: Pyproject | undefined, lock: UvLock | undefined): boolean {
    const file = `${this.#tree.config}pyproject.toml`;
    if (lock !== undefined) {
      this.#locked(steps, lock);
      const stale = (pyproject?.dependencies ?? []).map((line) => parseRequirement(line).name).filter((name) => !lock.direct.has(name));
      if (stale.length > 0) this.#note(file, 'ignored', `not in uv.lock: ${stale.join(', ')}. Run uv lock to bring it up to date`);
    } else if (this.#own && pyproject?.isPackage === false && pyproject.dependencies.length > 0) {
      const requirements = [...new Set(pyproject.dependencies)].toSorted();
      steps.push({ uses: 'python', because: `${file} lists its dependencies`, inputs: [file], requirements, constraints: [], options: [] });
      this.#note(file, 'used', `${counted(requirements.length, 'dependency')}; without [build-system] it is not installed itself`);
    }
    return false;
  }

  #locked(steps: Step[], lock: UvLock): void {
    const file = `${this.#tree.config}uv.lock`;
    const inputs = [file];
    const options = lock.indexes.map((index) => `--extra-index-url=${index}`);
    if (lock.requirements.length > 0)
      steps.push({
        uses: 'locked-python',
        because: `${file} locks them`,
        inputs,
        requirements: lock.requirements,
        ...(options.length > 0 ? { options } : {}),
      });
    for (const { path, editable } of lock.locals) {
      const inside = resolvePath(this.#tree.config, path);
      if (inside === undefined) this.#note(file, 'unsupported', `${path} lies outside of the repository`);
      else
        steps.push({ uses: 'local', because: `${file} names it`, inputs, path: inside === '' ? '.' : `./${inside}`, editable, extras: [] });
    }
    this.#note(file, 'used', `${counted(lock.requirements.length, 'package')} exactly as locked`);
  }

  /** The repository itself, as a package: never beside a binder folder. */
  #package(steps: Step[], pyproject: Pyproject | undefined): void {
    const file = pyproject?.isPackage === true ? `${this.#tree.config}pyproject.toml` : 'setup.py';
    const isPackage = this.#tree.config === '' && (pyproject?.isPackage === true || this.#tree.has('setup.py'));
    if (isPackage && !steps.some((step) => step.uses === 'local' && step.path === '.'))
      steps.push({
        uses: 'local',
        because: `${file} makes the repository a package`,
        inputs: [file],
        path: '.',
        editable: false,
        extras: [],
      });
    if (isPackage) this.#note(file, 'used', 'the repository is installed as a package');
    if (isPackage && file !== 'setup.py' && this.#tree.has('setup.py')) this.#note('setup.py', 'used', 'pyproject.toml builds the package');
    const unused = pyproject !== undefined && !this.#findings.some((finding) => finding.file === `${this.#tree.config}pyproject.toml`);
    if (unused) this.#note(`${this.#tree.config}pyproject.toml`, 'ignored', this.#whyNoPackage(pyproject));
  }

  #whyNoPackage(pyproject: Pyproject): string {
    if (this.#tree.config !== '') return `a package is not installed from ${this.#tree.config}`;
    const tool = ['poetry', 'pdm', 'hatch', 'pixi'].find((name) => pyproject.tools.includes(name));
    if (!pyproject.hasProject && tool !== undefined)
      return `it has no [project], and [tool.${tool}] is not read; list what is needed in requirements.txt`;
    if (!pyproject.hasProject) return 'it has no [project]: it says nothing about packages';
    return 'it is no package ([project] and [build-system]) and lists no dependencies that count';
  }

  async #version(pyproject: Pyproject | undefined, lock: UvLock | undefined): Promise<PythonBase | undefined> {
    const wishes: { file: string; requires: string }[] = [];
    const found = await this.#text('runtime.txt');
    if (found !== undefined) {
      const runtime = this.#runtime(found.file, found.text);
      if (runtime.python !== undefined) wishes.push({ file: found.file, requires: runtime.python });
    }
    if (pyproject !== undefined && pyproject.requiresPython !== '')
      wishes.push({ file: `${this.#tree.config}pyproject.toml`, requires: pyproject.requiresPython });
    if (lock !== undefined && lock.requiresPython !== '')
      wishes.push({ file: `${this.#tree.config}uv.lock`, requires: lock.requiresPython });
    const requires = [...new Set(wishes.flatMap((wish) => wish.requires.split(',')))].toSorted().join(',');
    const files = wishes.map((wish) => `${wish.file} (${wish.requires})`);
    if (this.#asked !== undefined) return undefined;
    if (wishes.length > 1 && admitted(requires).length === 0 && wishes.every((wish) => admitted(wish.requires).length > 0))
      throw new BinderyError('plan_conflict', `No Python meets ${files.join(' and ')}.`, {
        hint: 'Change one of the two, so that they agree on a version.',
      });
    const pinned = await this.#pinned(requires);
    if (pinned !== undefined && found === undefined) return { requires, ...pinned };
    return requires === '' ? undefined : { requires, prefer: 'newest', because: files.join(', ') };
  }

  #runtime(file: string, text: string): Runtime {
    const runtime = readRuntime(file, text);
    const { python, why } = runtime;
    if (python !== undefined && this.#asked !== undefined) {
      this.#note(file, 'ignored', `${why}: Python ${this.#asked} was asked for in its place`);
      return { why };
    }
    if (python !== undefined && !python.startsWith('==3'))
      throw new BinderyError('python_not_found', `${file} asks for ${why.replace(/;.*/, '')}, for which there are no kernels any more.`, {
        hint: 'Launch with --python 3.12 to try its code on that, or write python-3.12 into the file.',
      });
    this.#note(file, runtime.unsupported === true ? 'unsupported' : python === undefined ? 'ignored' : 'used', why);
    return runtime;
  }

  /** `.python-version`, what pyenv and uv write: a preference, for it tells of one machine. */
  async #pinned(requires: string): Promise<Pick<PythonBase, 'prefer' | 'because'> | undefined> {
    const found = await this.#text('.python-version');
    if (found === undefined) return undefined;
    const version = /^\s*(?:cpython-)?(3\.\d+)(?:\.\d+)?\s*$/m.exec(found.text.replace(/#.*$/gm, ''))?.[1];
    const why = !this.#own
      ? 'repo2docker does not read it'
      : version === undefined
        ? 'it names no version of Python'
        : `${version} does not fit the other files`;
    if (!this.#own || version === undefined || !admits(requires, version)) {
      this.#note(found.file, 'ignored', why);
      return undefined;
    }
    this.#note(found.file, 'used', `Python ${version} where it is to be had`);
    return { prefer: version, because: `${found.file} says ${version}` };
  }

  #note(file: string, effect: Finding['effect'], why: string): void {
    this.#findings.push({ file, pack: id, effect, why });
  }
}

function counted(count: number, what: string): string {
  if (count === 0) return 'it lists no packages';
  return `${count} ${count === 1 ? what : `${what.replace(/y$/, 'ie')}s`}`;
}
