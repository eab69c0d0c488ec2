import type { BinderyError } from '@bindery/wire/errors.ts';
import { bothOf, eitherOf, formatTerms, parseMarker, termsOf, withoutExtras } from './marker.ts';
import type { Term } from './marker.ts';
import { normalSpecifier } from './pyproject.ts';
import { validSpecifier } from './python-version.ts';
import { normalName } from './requirement.ts';
import { SyntaxProblem } from './scanner.ts';
import { withoutCredentials } from './secrets.ts';
import { invalidFile } from './text.ts';
import { parseToml, placeOfText, tableIn, tablesIn, textIn, textsIn } from './toml.ts';
import type { Table } from './toml.ts';

/** What `uv sync` would install from a `uv.lock`. */
export interface UvLock {
  readonly requiresPython: string;
  /** `name==version ; marker --hash=…`, sorted; direct references for Git and archives. */
  readonly requirements: readonly string[];
  /** Indexes other than PyPI. */
  readonly indexes: readonly string[];
  /** Packages in the repository, seen from the lock's folder. */
  readonly locals: readonly { readonly path: string; readonly editable: boolean }[];
  /** Names that the lock knows as direct dependencies of its own projects. */
  readonly direct: ReadonlySet<string>;
}

interface Node {
  readonly table: Table;
  readonly name: string;
  readonly version: string;
  readonly source: Table;
  /** Where it is needed. */
  terms: Term[];
  readonly extras: Set<string>;
}

const PYPI = /^https:\/\/pypi\.org\/simple\/?$/;

/** Reads a `uv.lock` (version 1). `groups` are the dependency groups to install. Throws `file_invalid`. */
export function readUvLock(file: string, text: string, groups: readonly string[] | 'all'): UvLock {
  const root = parseToml(file, text);
  const fail = (what: string, near = ''): BinderyError =>
    invalidFile(placeOfText(file, text, near), text, what, 'Write the file anew with uv lock.');
  if (root['version'] !== 1) throw fail('this version of the lock format is not known');
  const requiresPython = textIn(root, 'requires-python') ?? '';
  if (!validSpecifier(requiresPython)) throw fail('requires-python is not a version specifier', requiresPython);
  const nodes = tablesIn(root, 'package').map((table): Node => {
    const name = textIn(table, 'name');
    if (name === undefined) throw fail('a package has no name', '[[package]]');
    return {
      table,
      name: normalName(name),
      version: textIn(table, 'version') ?? '',
      source: tableIn(table, 'source') ?? {},
      terms: [],
      extras: new Set(),
    };
  });
  const roots = rootsOf(nodes, tableIn(root, 'manifest'));
  try {
    new Walk(nodes, groups).from(roots);
    const needed = nodes.filter((node) => node.terms.length > 0);
    return {
      requiresPython: normalSpecifier(requiresPython),
      requirements: needed.flatMap((node) => lineOf(node)).toSorted(),
      indexes: [...new Set(needed.flatMap((node) => indexOf(node)))].toSorted(),
      locals: needed.flatMap(localOf),
      direct: new Set(
        roots
          .flatMap((node) => tablesIn(tableIn(node.table, 'metadata'), 'requires-dist'))
          .map((each) => normalName(textIn(each, 'name') ?? '')),
      ),
    };
  } catch (error) {
    if (error instanceof SyntaxProblem) throw fail(error.message);
    throw error;
  }
}

/** The project in the lock's own folder; where there is none, every member of the workspace. */
function rootsOf(nodes: readonly Node[], manifest: Table | undefined): readonly Node[] {
  const here = nodes.filter((node) => [node.source['editable'], node.source['virtual'], node.source['directory']].includes('.'));
  if (here.length > 0) return here;
  const members = new Set(textsIn(manifest, 'members').map(normalName));
  return nodes.filter((node) => members.has(node.name));
}

/** Spreads “where it is needed” from the roots along the dependencies, until nothing changes. */
class Walk {
  readonly #byName = new Map<string, Node[]>();
  readonly #groups: readonly string[] | 'all';
  readonly #queue: Node[] = [];

  constructor(nodes: readonly Node[], groups: readonly string[] | 'all') {
    this.#groups = groups;
    for (const node of nodes) this.#byName.set(node.name, [...(this.#byName.get(node.name) ?? []), node]);
  }

  from(roots: readonly Node[]): void {
    for (const root of roots) this.#reach(root, [new Set()], []);
    for (const root of roots) {
      const groups = tableIn(root.table, 'dev-dependencies') ?? {};
      for (const name of this.#groups === 'all' ? Object.keys(groups) : this.#groups) this.#follow(tablesIn(groups, name), root.terms);
    }
    for (let node = this.#queue.pop(); node; node = this.#queue.pop()) {
      this.#follow(tablesIn(node.table, 'dependencies'), node.terms);
      for (const extra of node.extras) this.#follow(tablesIn(tableIn(node.table, 'optional-dependencies'), extra), node.terms);
    }
  }

  #follow(edges: readonly Table[], from: readonly Term[]): void {
    for (const edge of edges) {
      const marker = textIn(edge, 'marker');
      const terms = marker === undefined ? [...from] : bothOf(from, termsOf(withoutExtras(parseMarker(marker))));
      const version = textIn(edge, 'version');
      for (const node of this.#byName.get(normalName(textIn(edge, 'name') ?? '')) ?? [])
        if (version === undefined || node.version === version) this.#reach(node, terms, textsIn(edge, 'extra'));
    }
  }

  #reach(node: Node, terms: readonly Term[], extras: readonly string[]): void {
    if (terms.length === 0) return;
    const grown = eitherOf([...node.terms, ...terms]);
    const news = extras.filter((extra) => !node.extras.has(extra));
    if (formatTerms(grown) === formatTerms(node.terms) && node.terms.length > 0 && news.length === 0) return;
    node.terms = grown;
    for (const extra of news) node.extras.add(extra);
    this.#queue.push(node);
  }
}

function lineOf(node: Node): string[] {
  const marker = formatTerms(node.terms);
  const tail = marker === undefined ? '' : ` ; ${marker}`;
  const git = textIn(node.source, 'git');
  if (git !== undefined) return [`${node.name} @ ${gitAddress(git)}${tail}`];
  const url = textIn(node.source, 'url');
  const files = [...tablesIn(node.table, 'wheels'), ...(tableIn(node.table, 'sdist') ? [tableIn(node.table, 'sdist') ?? {}] : [])];
  const hashes = [...new Set(files.flatMap((each) => textIn(each, 'hash') ?? []))].toSorted();
  const hash = hashes.map((each) => ` --hash=${each}`).join('');
  if (url !== undefined) return [`${node.name} @ ${withoutCredentials(url)}${tail}${hash}`];
  if (textIn(node.source, 'registry') === undefined) return [];
  return [`${node.name}==${node.version}${tail}${hash}`];
}

/** `https://host/repo?rev=main&subdirectory=x#commit` → `git+https://host/repo@commit#subdirectory=x`. */
function gitAddress(text: string): string {
  const [before = '', commit = ''] = text.split('#', 2);
  const [address = '', query = ''] = before.split('?', 2);
  const folder = new URLSearchParams(query).get('subdirectory');
  return withoutCredentials(`git+${address}@${commit}${folder === null ? '' : `#subdirectory=${folder}`}`);
}

function indexOf(node: Node): string[] {
  const index = textIn(node.source, 'registry');
  return index === undefined || PYPI.test(index) ? [] : [withoutCredentials(index)];
}

function localOf(node: Node): { path: string; editable: boolean }[] {
  const editable = textIn(node.source, 'editable');
  const path = editable ?? textIn(node.source, 'directory') ?? textIn(node.source, 'path');
  return path === undefined ? [] : [{ path, editable: editable !== undefined }];
}
