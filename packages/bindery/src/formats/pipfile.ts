import { parseJson } from './json.ts';
import { formatRequirement, normalName, parseRequirement } from './requirement.ts';
import { SyntaxProblem } from './scanner.ts';
import { withoutCredentials } from './secrets.ts';
import { invalidFile } from './text.ts';
import { isTable, parseToml, placeOfText, tableIn, tablesIn, textIn, textsIn } from './toml.ts';
import type { Table } from './toml.ts';

/** What a `Pipfile` or `Pipfile.lock` asks for, development packages included, as `pipenv install --dev` does. */
export interface Pipfile {
  /** PEP 508 lines, from a lock with hashes; sorted. */
  readonly requirements: readonly string[];
  readonly locals: readonly { readonly path: string; readonly editable: boolean; readonly extras: readonly string[] }[];
  /** Indexes other than PyPI. */
  readonly indexes: readonly string[];
  /** `==3.9.*`, or empty. */
  readonly requiresPython: string;
}

/** Reads a `Pipfile` (TOML). Throws `file_invalid`. */
export function readPipfile(file: string, text: string): Pipfile {
  const root = parseToml(file, text);
  return collect(
    file,
    text,
    [tableIn(root, 'packages'), tableIn(root, 'dev-packages')],
    tableIn(root, 'requires'),
    tablesIn(root, 'source'),
  );
}

/** Reads a `Pipfile.lock` (JSON). Throws `file_invalid`. */
export function readPipfileLock(file: string, text: string): Pipfile {
  const root = parseJson(file, text);
  const meta = tableIn(root, '_meta');
  return collect(file, text, [tableIn(root, 'default'), tableIn(root, 'develop')], tableIn(meta, 'requires'), tablesIn(meta, 'sources'));
}

function collect(
  file: string,
  text: string,
  groups: readonly (Table | undefined)[],
  requires: Table | undefined,
  sources: readonly Table[],
): Pipfile {
  const requirements = new Set<string>();
  const locals: Pipfile['locals'][number][] = [];
  for (const [name, value] of groups.flatMap((group) => Object.entries(group ?? {}))) {
    const wish: Table = isTable(value) ? value : { version: value };
    const path = textIn(wish, 'path');
    if (path !== undefined) {
      locals.push({ path, editable: wish['editable'] === true, extras: textsIn(wish, 'extras').map(normalName).toSorted() });
      continue;
    }
    try {
      requirements.add(lineOf(name, wish));
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
      throw invalidFile(placeOfText(file, text, name), text, error.message, error.hint);
    }
  }
  const version = /^\s*(\d+\.\d+)/.exec(textIn(requires, 'python_version') ?? textIn(requires, 'python_full_version') ?? '')?.[1];
  return {
    requirements: [...requirements].toSorted(),
    locals,
    indexes: sources.flatMap((source) => indexOf(source)),
    requiresPython: version === undefined ? '' : `==${version}.*`,
  };
}

function lineOf(name: string, wish: Table): string {
  const extras = textsIn(wish, 'extras');
  const head = extras.length > 0 ? `${name}[${extras.join(',')}]` : name;
  const version = textIn(wish, 'version') ?? '*';
  const line = `${head}${referenceOf(wish) ?? (version === '*' ? '' : version)}`;
  const markers = [
    textIn(wish, 'markers'),
    ...MARKERS.map((key) => (textIn(wish, key) === undefined ? undefined : `${key} ${textIn(wish, key)}`)),
  ];
  const marker = markers.filter((each) => each !== undefined).map((each) => `(${each})`);
  const requirement = parseRequirement(marker.length > 0 ? `${line} ; ${marker.join(' and ')}` : line);
  const hashes = textsIn(wish, 'hashes').filter((hash) => /^sha(?:256|384|512):[0-9a-f]+$/.test(hash));
  return (
    formatRequirement(requirement) +
    hashes
      .toSorted()
      .map((hash) => ` --hash=${hash}`)
      .join('')
  );
}

/** Markers that a Pipfile may give by name. */
const MARKERS = ['sys_platform', 'os_name', 'platform_machine', 'platform_system', 'python_version', 'implementation_name'];

function referenceOf(wish: Table): string | undefined {
  const file = textIn(wish, 'file');
  if (file !== undefined) {
    if (!/^https?:\/\//.test(file)) throw new SyntaxProblem(`${file.slice(0, 100)} is not an https:// address`, 0);
    return ` @ ${withoutCredentials(file)}`;
  }
  const git = textIn(wish, 'git');
  if (git === undefined) return undefined;
  const ref = textIn(wish, 'ref');
  const folder = textIn(wish, 'subdirectory');
  const address = withoutCredentials(
    `git+${git.replace(/^git\+/, '').replace(/^(?:git:\/\/|ssh:\/\/git@|git@)(github\.com|gitlab\.com)[/:]/, 'https://$1/')}`,
  );
  if (!/^git\+(?:https?|ssh):\/\//.test(address)) throw new SyntaxProblem(`${git.slice(0, 100)} is not an address of a Git repository`, 0);
  return ` @ ${address}${ref === undefined ? '' : `@${ref}`}${folder === undefined ? '' : `#subdirectory=${folder}`}`;
}

function indexOf(source: Table): string[] {
  const url = textIn(source, 'url') ?? '';
  if (!/^https?:\/\//.test(url) || /^https:\/\/(?:pypi\.org|pypi\.python\.org)\//.test(url)) return [];
  return [withoutCredentials(url)];
}
