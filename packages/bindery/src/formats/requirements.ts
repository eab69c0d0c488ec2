import type { Finding } from '@bindery/wire/events.ts';
import type { PlanTree } from '../contracts/pack.ts';
import { folderOf, resolvePath } from './config-files.ts';
import { parseRequirementsFile } from './requirements-file.ts';
import type { RequirementsEntry } from './requirements-file.ts';
import { invalidFile } from './text.ts';

/** A package that lies in the repository. `path` is `.` for the repository itself. */
export interface LocalPackage {
  readonly path: string;
  readonly editable: boolean;
  readonly extras: readonly string[];
}

/** What a requirements file and everything it includes ask for. Lists are sorted and free of repetitions: equal wishes look equal. */
export interface Requirements {
  readonly requirements: readonly string[];
  readonly constraints: readonly string[];
  readonly options: readonly string[];
  readonly locals: readonly LocalPackage[];
  /** Files read, the first one first. */
  readonly files: readonly string[];
  readonly findings: readonly Finding[];
  /** True when an option names a folder of the repository. */
  readonly usesTree: boolean;
}

const MOST_FILES = 100;

/** Reads a requirements file with all that it includes. */
export async function readRequirements(tree: PlanTree, file: string, pack: string): Promise<Requirements> {
  const reader = new Reader(tree, pack);
  await reader.read(file, 'requirements');
  return reader.result();
}

/** The same for lines that stand in another file, in their place: the pip section of a conda file. `text` is the whole file. */
export async function readRequirementLines(tree: PlanTree, file: string, lines: string, text: string, pack: string): Promise<Requirements> {
  const reader = new Reader(tree, pack);
  await reader.take(file, lines, text, 'requirements');
  return reader.result();
}

type Into = 'requirements' | 'constraints';

class Reader {
  readonly #tree: PlanTree;
  readonly #pack: string;
  readonly #lines = { requirements: new Set<string>(), constraints: new Set<string>() };
  readonly #options = new Set<string>();
  readonly #locals = new Map<string, LocalPackage>();
  readonly #files: string[] = [];
  readonly #seen = new Set<string>();
  readonly #findings: Finding[] = [];
  #usesTree = false;

  constructor(tree: PlanTree, pack: string) {
    this.#tree = tree;
    this.#pack = pack;
  }

  result(): Requirements {
    return {
      requirements: [...this.#lines.requirements].toSorted(),
      constraints: [...this.#lines.constraints].toSorted(),
      options: [...this.#options],
      locals: [...this.#locals.values()],
      files: this.#files,
      findings: this.#findings,
      usesTree: this.#usesTree,
    };
  }

  async read(file: string, into: Into): Promise<void> {
    const key = `${into} ${file}`;
    if (this.#seen.has(key) || this.#seen.size >= MOST_FILES) return;
    this.#seen.add(key);
    const text = await this.#tree.text(file);
    if (text === undefined) return this.#note(file, 'ignored', 'it leads out of the repository');
    if (!this.#files.includes(file)) this.#files.push(file);
    await this.take(file, text, text, into);
  }

  async take(file: string, lines: string, text: string, into: Into): Promise<void> {
    for (const entry of parseRequirementsFile(file, lines, text)) await this.#enter(file, text, entry, into);
  }

  async #enter(file: string, text: string, entry: RequirementsEntry, into: Into): Promise<void> {
    switch (entry.kind) {
      case 'requirement':
        this.#lines[into].add(entry.text);
        return;
      case 'note':
        return this.#note(file, 'ignored', `line ${entry.line}: ${entry.why}`);
      case 'option':
        return this.#option(file, entry);
      case 'local':
        return this.#local(file, text, entry);
      case 'include':
      case 'constraint': {
        if (/^[a-z][a-z0-9+.-]*:\/\//i.test(entry.path))
          return this.#note(file, 'unsupported', `line ${entry.line}: a file from the network is not read: ${entry.path.slice(0, 200)}`);
        const path = resolvePath(folderOf(file), entry.path);
        if (path === undefined || !this.#tree.has(path))
          throw invalidFile({ file, line: entry.line, column: 1 }, text, `the repository has no file ${entry.path}`);
        return this.read(path, entry.kind === 'constraint' ? 'constraints' : into);
      }
    }
  }

  #option(file: string, entry: Extract<RequirementsEntry, { kind: 'option' }>): void {
    if (entry.value === '') return void this.#options.add(entry.name);
    if (entry.name !== '--find-links' || /^[a-z][a-z0-9+.-]*:\/\//i.test(entry.value))
      return void this.#options.add(`${entry.name}=${entry.value}`);
    const path = this.#find(file, entry.value);
    if (path === undefined) return this.#note(file, 'ignored', `line ${entry.line}: the repository has no folder ${entry.value}`);
    this.#usesTree = true;
    this.#options.add(`--find-links=./${path}`);
  }

  #local(file: string, text: string, entry: Extract<RequirementsEntry, { kind: 'local' }>): void {
    const fail = (what: string, hint?: string): Error => invalidFile({ file, line: entry.line, column: 1 }, text, what, hint);
    const path = this.#find(file, entry.path);
    if (path === undefined) throw fail(`the repository has no ${entry.path}`, 'Name a folder or a wheel of the repository, as ./path.');
    const archive = this.#tree.has(path);
    const inside = path === '' ? '' : `${path}/`;
    if (!archive && !['pyproject.toml', 'setup.py', 'setup.cfg'].some((name) => this.#tree.has(inside + name)))
      throw fail(`${entry.path} is not a Python package`, 'It has neither pyproject.toml nor setup.py.');
    const name = path === '' ? '.' : `./${path}`;
    this.#locals.set(`${name}[${entry.extras.join(',')}]`, { path: name, editable: entry.editable && !archive, extras: entry.extras });
  }

  /** pip looks from where it runs, the repository's folder; many files are written as if it looked from their own. */
  #find(file: string, path: string): string | undefined {
    return ['', folderOf(file)]
      .map((from) => resolvePath(from, path))
      .find((found) => found !== undefined && (found === '' || this.#tree.has(found) || this.#tree.hasFolder(found)));
  }

  #note(file: string, effect: Finding['effect'], why: string): void {
    this.#findings.push({ file, pack: this.#pack, effect, why });
  }
}
