import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LineCounter, parseDocument, isMap, type Document } from 'yaml';
import type { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { configKeys, nearest, type ConfigKey } from './config-keys.ts';
import { ConfigSchema, type Config } from './config.ts';

export interface ConfigSources {
  /** A YAML file that must exist. Without it `BINDERY_CONFIG` is looked at, then the usual place, which may be absent. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From flags, dotted key to value; stronger than the environment, which is stronger than the file. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** The configuration in effect, with where each setting came from (`default` where nobody set it). */
export interface LoadedConfig {
  readonly config: Config;
  readonly file: string | undefined;
  readonly origins: ReadonlyMap<string, string>;
}

/** The one variable with our prefix that is not a setting: it names the file. */
const FILE_VARIABLE = 'BINDERY_CONFIG';
/** Shorter names of variables. */
const ALIASES: Readonly<Record<string, string>> = { BINDERY_UV: 'BINDERY_PYTHON_UV' };

/** Reads file, environment and flags. Throws `config_invalid` with every problem that was found, each with its place. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const keys = configKeys();
  const problems: string[] = [];
  const origins = new Map<string, string>();
  const file = configFile(sources);
  const tree: Record<string, unknown> = {};
  const document = file === undefined ? undefined : readYaml(file);
  if (document) {
    const written: unknown = document.root.toJS({ maxAliasCount: 10 }) ?? {};
    for (const [key, value] of flatten(written, keys)) {
      if (keys.some((known) => known.key === key)) put(tree, key, value, document.name, origins);
      else problems.push(`${document.place(key)}: ${unknown(key, keys)}`);
    }
  }
  for (const [key, text, origin] of settings(sources, keys, problems)) put(tree, key.key, coerce(key, text), origin, origins);
  const parsed = ConfigSchema.safeParse(tree);
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => describe(issue, origins, document)));
  if (problems.length > 0 || !parsed.success) throw new BinderyError('config_invalid', problems.join('\n'));
  return { config: absolute(parsed.data), file, origins };
}

/** Folders as absolute paths; `~` is the home folder. */
function absolute(config: Config): Config {
  const full = (path: string): string => resolve(path.replace(/^~(?=\/|$)/, homedir()));
  const { folders, relay } = config;
  return {
    ...config,
    folders: { state: full(folders.state), cache: full(folders.cache) },
    relay: { ...relay, ...(relay.folder === undefined ? {} : { folder: full(relay.folder) }) },
  };
}

function configFile(sources: ConfigSources): string | undefined {
  const named = sources.file ?? (sources.env[FILE_VARIABLE] || undefined);
  if (named !== undefined) return resolve(named);
  const usual = join(sources.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'bindery', 'config.yaml');
  return existsSync(usual) ? usual : undefined;
}

interface YamlFile {
  readonly name: string;
  readonly root: Document.Parsed;
  /** `file:line:column` of a dotted key. */
  place(key: string): string;
}

function readYaml(name: string): YamlFile {
  const counter = new LineCounter();
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (error) {
    throw new BinderyError('config_invalid', `The configuration file ${name} could not be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const root = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = counter.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const broken = root.errors[0];
  if (broken) throw new BinderyError('config_invalid', `${at(broken.pos[0])}: ${broken.message}`);
  if (root.contents !== null && !isMap(root.contents))
    throw new BinderyError('config_invalid', `${at(0)}: expected "section: {key: value}"`);
  return { name, root, place: (key) => at(offsetOf(root, key.split('.'))) };
}

/** Where the last word of the path is written, as far as the path exists. */
function offsetOf(root: Document.Parsed, path: readonly string[]): number {
  let node: unknown = root.contents;
  let offset = 0;
  for (const word of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => String(item.key) === word);
    if (!pair) break;
    offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
    node = pair.value;
  }
  return offset;
}

/** Dotted keys of a YAML tree with their values; descends only where a section of that name exists. */
function* flatten(value: unknown, keys: readonly ConfigKey[], path = ''): Generator<[string, unknown]> {
  for (const [name, child] of Object.entries(value ?? {})) {
    const key = path === '' ? name : `${path}.${name}`;
    const section = keys.some((known) => known.key.startsWith(`${key}.`));
    if (section && (child === null || (typeof child === 'object' && !Array.isArray(child)))) yield* flatten(child, keys, key);
    else yield [key, child];
  }
}

/** What environment and flags say, weaker first. */
function* settings(sources: ConfigSources, keys: readonly ConfigKey[], problems: string[]): Generator<[ConfigKey, string, string]> {
  for (const [name, text] of Object.entries(sources.env)) {
    if (!name.startsWith('BINDERY_') || name === FILE_VARIABLE || !text) continue;
    const key = keys.find((known) => known.env === (ALIASES[name] ?? name));
    if (key) yield [key, text, name];
    else {
      const meant = nearest(
        name,
        keys.map((known) => known.env),
      );
      problems.push(`${name}: there is no such setting.${meant ? ` Did you mean ${meant}?` : ''}`);
    }
  }
  for (const [name, text] of Object.entries(sources.flags ?? {})) {
    const key = keys.find((known) => known.key === name);
    if (key) yield [key, text, `--set ${name}`];
    else problems.push(`--set ${name}: ${unknown(name, keys)}`);
  }
}

function unknown(key: string, keys: readonly ConfigKey[]): string {
  const names = keys.map((known) => known.key);
  if (names.some((name) => name.startsWith(`${key}.`))) return `${key} is a section: write its settings below it, indented.`;
  const last = key.split('.').at(-1);
  const meant = nearest(key, names) ?? names.find((name) => name.split('.').at(-1) === last);
  return `there is no setting ${JSON.stringify(key)}.${meant ? ` Did you mean ${meant}?` : ''}`;
}

/** Text of a flag or variable as the setting's type; what does not fit stays text, and the schema says what is wrong. */
function coerce(key: ConfigKey, text: string): unknown {
  if (key.type === 'number') return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
  if (key.type === 'boolean') return { true: true, yes: true, '1': true, false: false, no: false, '0': false }[text.toLowerCase()] ?? text;
  if (key.type === 'list')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return text;
}

function put(tree: Record<string, unknown>, key: string, value: unknown, origin: string, origins: Map<string, string>): void {
  const [section = '', name = ''] = key.split('.');
  const inside = (tree[section] ??= {}) as Record<string, unknown>;
  inside[name] = value;
  origins.set(key, origin);
}

function describe(issue: z.core.$ZodIssue, origins: ReadonlyMap<string, string>, document: YamlFile | undefined): string {
  const key = issue.path.slice(0, 2).join('.');
  const origin = origins.get(key);
  if (origin === undefined) return `${key}: ${issue.message}`;
  return origin === document?.name ? `${document.place(key)}: ${key}: ${issue.message}` : `${origin}: ${issue.message}`;
}
