import { LineCounter, isMap, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Place } from './text.ts';
import { invalidFile } from './text.ts';

/** A YAML file: its value, and where each part of it stands. */
export interface YamlFile {
  readonly value: unknown;
  place(path: readonly (string | number)[]): Place;
  /** `file_invalid` at a part of the file. */
  problem(path: readonly (string | number)[], what: string, hint?: string): BinderyError;
}

/** Parsing takes about 2 s a MB; environment files are a few KB. */
const MOST_CHARACTERS = 256 * 1024;

/** Parses one YAML document. Throws `file_invalid` with the place of the first error. */
export function parseYaml(file: string, text: string): YamlFile {
  const counter = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const whole = (what: string): BinderyError => invalidFile({ file, line: 1, column: 1 }, text, what);
  if (text.length > MOST_CHARACTERS) throw whole(`it has ${Math.round(text.length / 1024)} KB, more than an environment file can have`);
  try {
    // The library compares each key with every other; ours are looked at below.
    const document = parseDocument(text, { prettyErrors: false, lineCounter: counter, merge: true, uniqueKeys: false, logLevel: 'error' });
    const error = document.errors[0];
    if (error) throw invalidFile(placeOf(error.pos[0]), text, sentence(error.code, error.message), hintFor(error.code));
    const twice = repeatedKey(document);
    if (twice !== undefined) throw invalidFile(placeOf(twice), text, 'this key is there twice');
    const place = (path: readonly (string | number)[]): Place => placeOf(offsetOf(document.getIn(path, true)) ?? 0);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return { value, place, problem: (path, what, hint) => invalidFile(place(path), text, what, hint) };
  } catch (error) {
    if (error instanceof ReferenceError) throw whole('it repeats itself through aliases too often');
    if (error instanceof RangeError) throw whole('it is nested too deeply');
    if (error instanceof BinderyError) throw error;
    // What only shows when aliases and merge keys are followed comes without a place.
    throw whole(error instanceof Error ? sentence('', error.message) : 'it cannot be read');
  }
}

/** Offset of the first key of the outermost mapping that was there before. */
function repeatedKey(document: Document): number | undefined {
  if (!isMap(document.contents)) return undefined;
  const seen = new Set<unknown>();
  for (const { key } of document.contents.items) {
    const name: unknown = isScalar(key) ? key.value : key;
    if (seen.has(name) && name !== '<<') return offsetOf(key);
    seen.add(name);
  }
  return undefined;
}

function offsetOf(node: unknown): number | undefined {
  return node !== null && typeof node === 'object' && 'range' in node ? (node.range as readonly number[] | null)?.[0] : undefined;
}

function sentence(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'tabs cannot indent YAML';
  if (message.includes('call stack')) return 'it is nested too deeply';
  return message.charAt(0).toLowerCase() + message.slice(1).replace(/\s+at line \d+, column \d+:?\s*$/, '');
}

function hintFor(code: string): string | undefined {
  return code === 'TAB_AS_INDENT' ? 'Indent with spaces.' : undefined;
}
