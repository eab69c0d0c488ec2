import { formatMarker, parseMarker } from './marker.ts';
import { formatRequirement, normalName, parseRequirement } from './requirement.ts';
import { SyntaxProblem } from './scanner.ts';
import { withoutCredentials } from './secrets.ts';
import { invalidFile } from './text.ts';

/** What one line of a requirements file asks for. `line` counts from 1. */
export type RequirementsEntry = { readonly line: number } & (
  | { readonly kind: 'requirement'; readonly text: string }
  /** A path as written, relative to the place pip runs in or, for `-r`, `-c`, to the file. */
  | { readonly kind: 'local'; readonly path: string; readonly editable: boolean; readonly extras: readonly string[] }
  | { readonly kind: 'include' | 'constraint'; readonly path: string }
  /** `--find-links` keeps its operand apart, for it may be a path of the repository. */
  | { readonly kind: 'option'; readonly name: string; readonly value: string }
  /** Something people should know of: left out or changed. */
  | { readonly kind: 'note'; readonly why: string }
);

/** Options that are kept, by every spelling. */
const KEPT: Readonly<Record<string, string>> = {
  '-i': '--index-url',
  '--index-url': '--index-url',
  '--pypi-url': '--index-url',
  '--extra-index-url': '--extra-index-url',
  '-f': '--find-links',
  '--find-links': '--find-links',
  '--no-binary': '--no-binary',
  '--only-binary': '--only-binary',
};
const FLAGS = new Set(['--no-index', '--pre', '--require-hashes']);
const FILES: Readonly<Record<string, 'include' | 'constraint'>> = {
  '-r': 'include',
  '--requirement': 'include',
  '-c': 'constraint',
  '--constraint': 'constraint',
};
/** Characters of a requirement without its hashes. */
const LONGEST = 4096;
const MOST_CHARACTERS = 4 * 2 ** 20;
const SHORT = /^-[rcief](?=[^-=\s])/;

interface Logical {
  readonly text: string;
  readonly line: number;
  /** Where each physical line begins in `text`. */
  readonly starts: readonly number[];
}

/**
 * Reads a requirements file (pip's format) line by line. Throws `file_invalid` with the place of the first thing that is not understood;
 * `shown` is the file's own text where `text` is only a part of it, in its place.
 */
export function parseRequirementsFile(file: string, text: string, shown = text): RequirementsEntry[] {
  if (text.length > MOST_CHARACTERS) throw invalidFile({ file, line: 1, column: 1 }, shown, 'it is longer than any list of requirements');
  return logicalLines(text).flatMap((logical) => {
    try {
      return parseLine(logical.text).map((entry) => ({ ...entry, line: logical.line }));
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
      const index = logical.starts.findLastIndex((start) => start <= error.at);
      const column = error.at - (logical.starts[index] ?? 0) + 1;
      throw invalidFile({ file, line: logical.line + index, column }, shown, error.message, error.hint);
    }
  });
}

/** Joins continued lines and removes comments, as pip does. */
function logicalLines(text: string): Logical[] {
  const lines: Logical[] = [];
  let joined = '';
  let first = 0;
  let starts: number[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    if (starts.length === 0) first = index + 1;
    starts.push(joined.length);
    const continued = raw.endsWith('\\') && !/^\s*#/.test(raw);
    joined += /^\s*#/.test(raw) ? '' : continued ? raw.slice(0, -1) : raw;
    if (continued) continue;
    const uncommented = joined.replace(/(?:^|\s)#.*$/, '');
    if (uncommented.trim() !== '') lines.push({ text: uncommented, line: first, starts });
    [joined, starts] = ['', []];
  }
  const rest = joined.replace(/(?:^|\s)#.*$/, '');
  if (rest.trim() !== '') lines.push({ text: rest, line: first, starts });
  return lines;
}

type Bare<T> = T extends unknown ? Omit<T, 'line'> : never;

function parseLine(line: string): Bare<RequirementsEntry>[] {
  const text = line.trim();
  const indent = line.length - line.trimStart().length;
  if (text.startsWith('-'))
    return parseOption(
      text.replace(SHORT, (flag) => `${flag} `),
      indent,
    );
  const cut = /\s--?[a-z]/.exec(text)?.index ?? text.length;
  const { hashes, notes } = parsePerRequirement(text.slice(cut));
  return [...parseWanted(text.slice(0, cut), indent, hashes), ...notes];
}

function parsePerRequirement(text: string): { hashes: string[]; notes: Bare<RequirementsEntry>[] } {
  const words = splitWords(text);
  const hashes: string[] = [];
  const notes: Bare<RequirementsEntry>[] = [];
  for (let index = 0; index < words.length; index++) {
    const [name, inline] = splitAtEquals(words[index] ?? '');
    if (name === '--hash') {
      const hash = inline ?? words[++index] ?? '';
      if (/^sha(?:256|384|512):[0-9a-f]+$/i.test(hash)) hashes.push(hash.toLowerCase());
      else notes.push({ kind: 'note', why: `a hash of a kind that is not used: ${hash.slice(0, 40)}` });
    } else if (name.startsWith('-')) notes.push({ kind: 'note', why: `${name} is not applied` });
  }
  return { hashes: hashes.toSorted(), notes };
}

function parseOption(text: string, indent: number): Bare<RequirementsEntry>[] {
  const [first = '', ...rest] = splitWords(text);
  const [name, inline] = splitAtEquals(first);
  const value = inline ?? rest.shift();
  const operand = (): string => {
    if (value === undefined || value === '') throw new SyntaxProblem(`${name} needs a value`, indent + name.length);
    return value;
  };
  const file = FILES[name];
  if (file) return [{ kind: file, path: operand() }];
  if (name === '-e' || name === '--editable')
    return parseWanted(operand(), indent + text.indexOf(operand()), []).map((entry) =>
      entry.kind === 'local' ? { ...entry, editable: true } : entry,
    );
  const kept = KEPT[name];
  if (kept) {
    const clean = withoutCredentials(operand());
    const option = { kind: 'option' as const, name: kept, value: clean };
    return clean === operand() ? [option] : [option, { kind: 'note', why: `the user and password in ${name} were left out` }];
  }
  if (FLAGS.has(name)) return [{ kind: 'option', name, value: '' }];
  if (/^--?[a-z][a-z-]*$/.test(name)) return [{ kind: 'note', why: `${name} is not applied` }];
  throw new SyntaxProblem(`${name} is not an option of a requirements file`, indent);
}

/** What stands on a line of its own or after `-e`. */
function parseWanted(text: string, indent: number, hashes: readonly string[]): Bare<RequirementsEntry>[] {
  const wanted = text.trim();
  if (wanted.length > LONGEST) throw new SyntaxProblem('this is too long for a requirement', indent);
  const variable = text.search(/\$\{[A-Z0-9_]+\}/);
  if (variable >= 0)
    throw new SyntaxProblem('an environment variable has no value in a build', indent + variable, 'Write the value itself into the file.');
  const hash = hashes.map((hash) => ` --hash=${hash}`).join('');
  if (/^file:/i.test(wanted)) throw fileReference(indent);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(wanted) || /^git\+\S+@/i.test(wanted)) return parseUrl(wanted, indent, hash);
  const head = wanted.slice(0, (wanted + ';').search(/[;@]/)).trimEnd();
  if (/^[./~]|\/|\\/.test(head) || /\.(?:whl|zip|tar\.gz|tar\.bz2)(?:\[[^[]*\])?$/i.test(head)) return [parseLocal(wanted)];
  let requirement;
  try {
    requirement = parseRequirement(text);
  } catch (error) {
    throw error instanceof SyntaxProblem ? error.shifted(indent) : error;
  }
  if (requirement.url === undefined) return [{ kind: 'requirement', text: formatRequirement(requirement) + hash }];
  if (/^file:|^[./]/i.test(requirement.url)) throw fileReference(indent + text.indexOf('@'));
  const { url, notes } = cleanUrl(requirement.url, indent);
  return [{ kind: 'requirement', text: formatRequirement({ ...requirement, url }) + hash }, ...notes];
}

function fileReference(at: number): SyntaxProblem {
  return new SyntaxProblem(
    'this names a file of the computer where the line was written',
    at,
    'Write name==version instead (pip list --format=freeze prints that), or put the file into the repository and name it as ./path.',
  );
}

function parseLocal(wanted: string): Bare<RequirementsEntry> {
  const whole = wanted.slice(0, `${wanted};`.indexOf(';')).trim();
  const bracket = whole.endsWith(']') ? whole.lastIndexOf('[') : -1;
  const path = bracket < 0 ? whole : whole.slice(0, bracket);
  const extras = (bracket < 0 ? '' : whole.slice(bracket + 1, -1))
    .split(',')
    .map((extra) => normalName(extra.trim()))
    .filter((extra) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(extra));
  return { kind: 'local', path, editable: false, extras: extras.toSorted() };
}

/** `git+https://…#egg=name` and plain addresses of archives. Named ones become `name @ address`. */
function parseUrl(wanted: string, indent: number, hash: string): Bare<RequirementsEntry>[] {
  const end = wanted.search(/\s;/);
  const address = end < 0 ? wanted : wanted.slice(0, end).trimEnd();
  const marker = end < 0 ? undefined : formatMarker(parseMarker(wanted.slice(end + 2)));
  const { url, notes } = cleanUrl(address, indent);
  const [place = '', fragment = ''] = url.split('#', 2);
  const parts = fragment.split('&').filter((part) => part !== '');
  const egg = /^egg=([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\[([^\]]*)\])?$/.exec(parts.find((part) => part.startsWith('egg=')) ?? '');
  const others = parts.filter((part) => !part.startsWith('egg='));
  const bare = others.length > 0 ? `${place}#${others.join('&')}` : place;
  const wheel = /\/([A-Za-z0-9][A-Za-z0-9._]*)-[^/]*\.whl$/.exec(place)?.[1];
  // `name-dev` and `name-1.0` were once usual in #egg= and are not names.
  const name = egg?.[1] !== undefined && !/-(?:\d|dev)/.test(egg[1]) ? egg[1] : wheel;
  const tail = (marker === undefined ? '' : ` ; ${marker}`) + hash;
  const extras = egg?.[2] === undefined || egg[2] === '' ? '' : `[${egg[2]}]`;
  const text = name === undefined ? `${bare}${tail}` : `${normalName(name)}${extras} @ ${bare}${tail}`;
  return [{ kind: 'requirement', text }, ...notes];
}

/** Removes credentials, refuses what uv cannot fetch, and takes by https what GitHub no longer gives without a key. */
function cleanUrl(address: string, indent: number): { url: string; notes: Bare<RequirementsEntry>[] } {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
  const notes: Bare<RequirementsEntry>[] = [];
  const scp = /^git\+([^\s/@]+@)([^\s/:]+):(?!\/)(.*)$/i.exec(address);
  let url = scp ? `git+ssh://${scp[1]}${scp[2]}/${scp[3]}` : address;
  if (!scp && !/^(?:https?|git\+(?:https?|ssh|git))$/.test(scheme ?? ''))
    throw new SyntaxProblem(
      `addresses of the kind ${scheme ?? 'without a scheme'} are not supported`,
      indent,
      'Use an https:// or git+https:// address.',
    );
  const github = /^git\+(?:ssh:\/\/git@|git:\/\/)(github\.com|gitlab\.com|bitbucket\.org)\//i.exec(url);
  if (github) {
    url = `git+https://${github[1]}/${url.slice(github[0].length)}`;
    notes.push({ kind: 'note', why: `${github[1]} is asked by https: a build has no key` });
  }
  const clean = withoutCredentials(url);
  if (clean !== url) notes.push({ kind: 'note', why: 'the user and password in an address were left out' });
  return { url: clean, notes };
}

function splitAtEquals(word: string): [string, string?] {
  const at = word.indexOf('=');
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

/** Words as a shell would split them: quotes group, nothing is expanded. */
function splitWords(text: string): string[] {
  return Array.from(text.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*'|["'])+/g), (match) => match[0].replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}
