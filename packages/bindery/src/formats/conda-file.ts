import { formatMatchSpec, parseMatchSpec } from './match-spec.ts';
import type { MatchSpec } from './match-spec.ts';
import { withoutCredentials } from './secrets.ts';
import { parseYaml } from './yaml.ts';
import type { YamlFile } from './yaml.ts';

/** What an `environment.yml` says. */
export interface CondaFile {
  readonly channels: readonly string[];
  readonly specs: readonly MatchSpec[];
  /** The pip section as requirement lines, each on the line of the file where it stands; undefined where there is none. */
  readonly pip?: string;
  readonly variables: Readonly<Record<string, string>>;
  /** What was changed or left out. */
  readonly notes: readonly string[];
}

/** repo2docker's only channel of its own; it comes after those of the file. */
const USUAL_CHANNEL = 'conda-forge';

/** Reads an `environment.yml`. Throws `file_invalid`. */
export function readCondaFile(file: string, text: string): CondaFile {
  const yaml = parseYaml(file, text);
  const root = yaml.value ?? {};
  if (typeof root !== 'object' || Array.isArray(root)) throw yaml.problem([], 'a mapping with channels and dependencies was expected');
  const table = root as Readonly<Record<string, unknown>>;
  const notes: string[] = [];
  const channels = channelsOf(yaml, table['channels'], notes);
  const { specs, pip } = dependenciesOf(yaml, table['dependencies']);
  return { channels, specs, ...(pip === undefined ? {} : { pip }), variables: variablesOf(yaml, table['variables']), notes };
}

function channelsOf(yaml: YamlFile, value: unknown, notes: string[]): string[] {
  const listed = value ?? [];
  if (!Array.isArray(listed)) throw yaml.problem(['channels'], 'channels must be a list');
  const channels: string[] = [];
  for (const [index, each] of (listed as unknown[]).entries()) {
    if (typeof each !== 'string') throw yaml.problem(['channels', index], 'the name of a channel was expected');
    const clean = withoutCredentials(each.trim()).replace(/\/t\/[^/]+\//, '/');
    if (clean !== each.trim()) notes.push('the credentials in a channel address were left out');
    if (!/^(?:https?:\/\/[\w.:/~%+-]+|[\w.][\w./-]*)$/.test(clean) || clean.includes('..'))
      throw yaml.problem(
        ['channels', index],
        'this is not a channel',
        'Write the name of a channel, such as conda-forge, or its https:// address.',
      );
    channels.push(clean);
  }
  const own = channels.includes('nodefaults') || channels.includes(USUAL_CHANNEL) ? [] : [USUAL_CHANNEL];
  return [...new Set([...channels.filter((channel) => channel !== 'nodefaults'), ...own])];
}

function dependenciesOf(yaml: YamlFile, value: unknown): { specs: MatchSpec[]; pip?: string } {
  const listed = value ?? [];
  if (!Array.isArray(listed)) throw yaml.problem(['dependencies'], 'dependencies must be a list', 'Begin each with a dash: - numpy');
  const specs = new Map<string, MatchSpec>();
  const pip = new Map<number, string>();
  let hasPip = false;
  for (const [index, each] of (listed as unknown[]).entries()) {
    if (each !== null && typeof each === 'object') {
      takePip(yaml, index, each, pip);
      hasPip = true;
      continue;
    }
    const spec = typeof each === 'string' ? parseMatchSpec(each) : undefined;
    if (!spec) throw yaml.problem(['dependencies', index], 'a package was expected', 'Write it as name, name=1.2 or name>=1.2,<2.');
    specs.set(formatMatchSpec(spec), spec);
  }
  const lines = Array.from({ length: pip.keys().reduce((most, line) => Math.max(most, line), 0) }, (_, line) => pip.get(line + 1) ?? '');
  const sorted = [...specs].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, spec]) => spec);
  return { specs: sorted, ...(hasPip ? { pip: lines.join('\n') } : {}) };
}

function takePip(yaml: YamlFile, index: number, entry: object, lines: Map<number, string>): void {
  const key = Object.keys(entry)[0] ?? '';
  if (key !== 'pip' || Object.keys(entry).length !== 1)
    throw yaml.problem(
      ['dependencies', index],
      `only pip can have a list of its own${key === '' ? '' : `, not ${key}`}`,
      'To pin a version, write name=1.2 with an equals sign.',
    );
  const listed: unknown = (entry as { pip: unknown }).pip ?? [];
  if (!Array.isArray(listed)) throw yaml.problem(['dependencies', index, 'pip'], 'pip must be a list');
  for (const [at, each] of (listed as unknown[]).entries()) {
    const path = ['dependencies', index, 'pip', at];
    if (typeof each !== 'string') throw yaml.problem(path, 'a requirement was expected');
    const { line, column } = yaml.place(path);
    for (const [offset, part] of each.split('\n').entries()) {
      let free = line + offset;
      while (lines.has(free)) free++;
      lines.set(free, offset === 0 && free === line ? `${' '.repeat(column - 1)}${part}` : part);
    }
  }
}

function variablesOf(yaml: YamlFile, value: unknown): Record<string, string> {
  const table = value ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) throw yaml.problem(['variables'], 'variables must be a mapping');
  const variables: Record<string, string> = {};
  for (const [name, each] of Object.entries(table)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw yaml.problem(['variables', name], 'this is not a name for a variable');
    if (!['string', 'number', 'boolean'].includes(typeof each) || String(each).includes('\0'))
      throw yaml.problem(['variables', name], 'a text was expected');
    variables[name] = String(each);
  }
  return variables;
}
