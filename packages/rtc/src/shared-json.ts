import * as Y from 'yjs';
import { DEEPEST, portable, type Json } from './json.ts';

/**
 * What a shared value says, as plain JSON. It comes from others, who may have put anything there: what is no JSON, or nested deeper than
 * `DEEPEST`, is null; the key `__proto__` is left out.
 */
export function jsonOf(value: unknown, depth = 0): Json {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return portable(value);
  if (depth >= DEEPEST) return null;
  if (value instanceof Y.Text) return value.toJSON().toWellFormed();
  const deeper = (each: unknown): Json => jsonOf(each, depth + 1);
  if (value instanceof Y.Array) return value.map(deeper);
  if (Array.isArray(value)) return value.map(deeper);
  if (value instanceof Y.AbstractType && !(value instanceof Y.Map)) return null;
  const entries = value instanceof Y.Map ? [...(value as Y.Map<unknown>).entries()] : Object.entries(value);
  return Object.fromEntries(entries.filter(([key]) => key !== '__proto__').map(([key, each]) => [key.toWellFormed(), deeper(each)]));
}

/** A shared map with plain values. */
export function sharedMap(object: { readonly [key: string]: Json }): Y.Map<unknown> {
  return new Y.Map<unknown>(Object.entries(object));
}
