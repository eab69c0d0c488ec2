import * as Y from 'yjs';
import { z } from 'zod';
import { portable, type Json } from '../json.ts';
import { jsonOf, sharedMap } from '../shared-json.ts';
import type { Row } from './rows.ts';

/** A part of a list: at `index`, `remove` go and `values` come. */
export interface ListEdit<T> {
  readonly index: number;
  readonly remove?: number;
  readonly values?: readonly T[];
}

/** A part of a text, in UTF-16 units: at `index`, `remove` go and `text` comes. */
export interface TextEdit {
  readonly index: number;
  readonly remove?: number;
  readonly text?: string;
}

/**
 * One field of a record. `Plain` is what a snapshot holds and a new record starts with, `Patch` what changes it. Reading never fails: what others
 * wrote is checked, and what does not fit counts as missing.
 */
export interface Field<Plain, Patch> {
  /** The name in the shared form, where it is not the field's own. */
  readonly key: string | undefined;
  /** What a record has that says nothing else. */
  readonly initial: Plain;
  read(shared: unknown): Plain;
  /** The shared form of a new record's field. */
  create(plain: Plain): unknown;
  /** Changes the field of a record that is in a document. Throws what does not fit. */
  patch(row: Row, key: string, patch: Patch): void;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the constraint of inference; no value is read through it
export type AnyField = Field<any, any>;
export type Fields = Readonly<Record<string, AnyField>>;

export interface FieldOptions {
  /** The name in the shared form, where it is not the field's own. */
  readonly key?: string;
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new TypeError(`The value does not fit the field: ${z.prettifyError(result.error)}`);
  return portable(result.data) as T;
}

/** A value that is replaced as a whole; of two at the same time one wins. */
export function register<T extends Json>(schema: z.ZodType<T>, initial: T, options: FieldOptions = {}): Field<T, T> {
  return {
    key: options.key,
    initial,
    read: (shared) => {
      const result = schema.safeParse(jsonOf(shared));
      return result.success ? result.data : initial;
    },
    create: (plain) => parse(schema, plain),
    patch: (row, key, value) => void row.set(key, parse(schema, value)),
  };
}

export const boolean = (options?: FieldOptions): Field<boolean, boolean> => register<boolean>(z.boolean(), false, options);
export const number = (options?: FieldOptions): Field<number, number> => register<number>(z.number(), 0, options);
export const string = (options?: FieldOptions): Field<string, string> => register<string>(z.string(), '', options);

/** A list whose members are never changed, only put in and taken out; what several do at the same time all happens. */
export function list<T extends Json>(
  schema: z.ZodType<T>,
  options: FieldOptions = {},
): Field<readonly T[], ListEdit<T> | readonly ListEdit<T>[]> {
  const values = (plain: readonly T[]): T[] => plain.map((value) => parse(schema, value));
  return {
    key: options.key,
    initial: [],
    read: (shared) => {
      const items = jsonOf(shared);
      if (!Array.isArray(items)) return [];
      const results = (items as readonly Json[]).map((item) => schema.safeParse(item));
      return results.flatMap((result) => (result.success ? [result.data] : []));
    },
    create: (plain) => arrayOf(values(plain)),
    patch: (row, key, edits) => {
      const shared = container<Y.Array<unknown>>(row, key, Y.Array);
      for (const { index, remove = 0, values: added = [] } of Array.isArray(edits)
        ? (edits as readonly ListEdit<T>[])
        : [edits as ListEdit<T>]) {
        inside(index, remove, shared.length);
        if (remove > 0) shared.delete(index, remove);
        if (added.length > 0) shared.insert(index, values(added));
      }
    },
  };
}

/** Keys and values; of two changes of one key at the same time one wins. A patch names the keys that change; undefined takes one out. */
export function map<T extends Json>(
  schema: z.ZodType<T>,
  options: FieldOptions = {},
): Field<{ readonly [key: string]: T }, { readonly [key: string]: T | undefined }> {
  return {
    key: options.key,
    initial: {},
    read: (shared) => {
      if (!(shared instanceof Y.Map)) return {};
      const entries = Object.entries(jsonOf(shared) as object).map(([key, value]) => [key, schema.safeParse(value)] as const);
      return Object.fromEntries(entries.flatMap(([key, result]) => (result.success ? [[key, result.data]] : [])));
    },
    create: (plain) => sharedMap(Object.fromEntries(Object.entries(plain).map(([key, value]) => [key, parse(schema, value)]))),
    patch: (row, key, changes) => {
      const shared = container<Y.Map<unknown>>(row, key, Y.Map);
      for (const [name, value] of Object.entries(changes)) {
        if (value === undefined) shared.delete(name);
        else shared.set(name, parse(schema, value));
      }
    },
  };
}

/** A text that many write at once. A patch is an edit, several, or the whole new text, of which only the part that differs is changed. */
export function text(options: FieldOptions = {}): Field<string, string | TextEdit | readonly TextEdit[]> {
  return {
    key: options.key,
    initial: '',
    read: (shared) => (shared instanceof Y.Text ? shared.toJSON().toWellFormed() : typeof shared === 'string' ? shared.toWellFormed() : ''),
    create: (plain) => new Y.Text(plain),
    patch: (row, key, change) => {
      const shared = container<Y.Text>(row, key, Y.Text);
      const edits = typeof change === 'string' ? [difference(shared.toJSON(), change)] : Array.isArray(change) ? change : [change];
      for (const { index, remove = 0, text: added = '' } of edits as readonly TextEdit[]) {
        inside(index, remove, shared.length);
        if (remove > 0) shared.delete(index, remove);
        if (added !== '') shared.insert(index, added);
      }
    },
  };
}

/** The one edit that makes `after` of `before`. It never cuts a surrogate pair. */
export function difference(before: string, after: string): Required<TextEdit> {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  if (start > 0 && isHigh(before.charCodeAt(start - 1))) start--;
  let end = 0;
  while (end < shorter - start && before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)) end++;
  if (end > 0 && isLow(before.charCodeAt(before.length - end))) end--;
  return { index: start, remove: before.length - start - end, text: after.slice(start, after.length - end) };
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

function arrayOf(values: readonly Json[]): Y.Array<unknown> {
  const array = new Y.Array<unknown>();
  array.push([...values]);
  return array;
}

function inside(index: number, remove: number, length: number): void {
  const fits = Number.isInteger(index) && Number.isInteger(remove) && index >= 0 && remove >= 0 && index + remove <= length;
  if (!fits) throw new RangeError(`An edit of ${remove} at ${index} is outside of what is ${length} long.`);
}

/** The shared value of a field; made anew where somebody put another kind there, or where an older writer left the field out. */
function container<T>(row: Row, key: string, Kind: new () => T): T {
  const found = row.get(key);
  if (found instanceof Kind) return found;
  const made = new Kind();
  row.set(key, made);
  return made;
}
