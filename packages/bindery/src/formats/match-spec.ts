import { valid } from '@renovatebot/pep440';

/** A conda match specification: `channel::name version build`. */
export interface MatchSpec {
  readonly channel?: string;
  /** Lower case. */
  readonly name: string;
  /** In conda's words: `>=1.2,<2`, `1.20.*`, `=3.9`, `1.6|1.7`; empty for any. */
  readonly version: string;
  readonly build?: string;
}

const LONGEST = 512;
const NAME = /^[a-z0-9_][a-z0-9_.-]*/i;

/** Parses a match specification in any of its spellings; undefined when it is none. */
export function parseMatchSpec(text: string): MatchSpec | undefined {
  if (text.length > LONGEST || /[\r\n\0]/.test(text)) return undefined;
  let rest = text.replace(/\s#.*$/, '').trim();
  let channel: string | undefined;
  const at = rest.indexOf('::');
  if (at >= 0) {
    channel = rest.slice(0, at).trim();
    rest = rest.slice(at + 2).trim();
    if (!/^[\w./:@-]+$/.test(channel)) return undefined;
  }
  const bracket = /^(.*?)\[([^\]]*)\]$/s.exec(rest);
  const keys = bracket ? keysOf(bracket[2] ?? '') : new Map<string, string>();
  if (bracket) rest = (bracket[1] ?? '').trim();
  const name = NAME.exec(rest)?.[0];
  if (name === undefined) return undefined;
  const words = versionAndBuild(rest.slice(name.length).trim());
  const version = keys.get('version') ?? words?.version;
  const build = keys.get('build') ?? words?.build;
  if (version === undefined || !/^[\w.*!<>=~^$|,+()-]*$/.test(version) || (build !== undefined && !/^[\w.*+^$|()[\]?-]+$/.test(build)))
    return undefined;
  const from = keys.get('channel') ?? channel;
  return { ...(from === undefined ? {} : { channel: from }), name: name.toLowerCase(), version, ...(build === undefined ? {} : { build }) };
}

function keysOf(text: string): Map<string, string> {
  const pairs = text.matchAll(/\s*(\w+)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^,\s]+))/g);
  return new Map(Array.from(pairs, ([, key = '', single, double, bare]) => [key, (single ?? double ?? bare ?? '').replace(/\s+/g, '')]));
}

/** `=1.2=py_0`, `==1.2`, `>=1, <2`, `1.2 py_0`: white space separates version and build unless a comma, bar or operator is beside it. */
function versionAndBuild(text: string): { version: string; build?: string } | undefined {
  if (text === '') return { version: '' };
  const close = text.replace(/\s*([,|])\s*/g, '$1').replace(/(?<=[<>=!~])\s+/g, '');
  const words = close.split(/\s+/);
  if (words.length > 2) return undefined;
  const [first = '', build] = words;
  if (build !== undefined) return { version: first, build };
  const exact = /^={1,2}([^=<>!~,|]+)=([^=]+)$/.exec(first);
  if (exact) return { version: `==${exact[1]}`, build: exact[2] ?? '' };
  return { version: first };
}

/** The specification as we write it. */
export function formatMatchSpec(spec: MatchSpec): string {
  const prefix = spec.channel === undefined ? '' : `${spec.channel}::`;
  const version = spec.version === '' && spec.build === undefined ? '' : ` ${spec.version === '' ? '*' : spec.version}`;
  return `${prefix}${spec.name}${version}${spec.build === undefined ? '' : ` ${spec.build}`}`;
}

/** conda's version words as a PEP 440 specifier; undefined where there is no equal (`1.6|1.8`, globs within a version). */
export function pep440Of(version: string): string | undefined {
  if (version.includes('|') || version.includes('(')) return undefined;
  const clauses = version
    .split(',')
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '' && clause !== '*')
    .map(clauseOf);
  return clauses.every((clause) => clause !== undefined) ? [...new Set(clauses)].toSorted().join(',') : undefined;
}

/** The alternatives of `1.6|1.8`, each as a PEP 440 specifier. */
export function alternativesOf(version: string): string[] {
  return version.split('|').flatMap((each) => pep440Of(each) ?? []);
}

function clauseOf(clause: string): string | undefined {
  const match = /^(===|==|~=|!=|<=|>=|<|>|=)?\s*v?([\w.+!-]+?)(\.?\*)?$/.exec(clause);
  if (!match) return undefined;
  const [, operator = '', number = '', star] = match;
  if (valid(number) === null) return undefined;
  const isEqual = operator === '=' || ((operator === '' || operator === '==') && star !== undefined);
  if (isEqual || (operator === '!=' && star !== undefined)) return seriesOf(number, isEqual ? '==' : '!=');
  // conda reads >=1.2.* as >=1.2.
  return `${operator === '' || operator === '===' ? '==' : operator}${number}`;
}

/** PEP 440 has no series of a pre-release, which is one version itself, and none of 2022a. */
function seriesOf(number: string, operator: string): string | undefined {
  if (/^(?:\d+!)?\d+(?:\.\d+)*$/.test(number)) return `${operator}${number}.*`;
  return /\d(?:a|b|rc|\.?dev)\d+$/.test(number) ? `${operator}${number}` : undefined;
}
