/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Deepest nesting that is taken: Python's own reader gives up near 1000, and every peer has to walk it. */
export const DEEPEST = 500;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** True when a value is nested deeper than any peer has to bear. Walks without recursion, so that depth cannot harm it. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    const next: unknown[] = [];
    for (const each of level) {
      if (typeof each === 'object' && each !== null) for (const child of Object.values(each)) next.push(child);
    }
    level = next;
  }
  return false;
}

/**
 * The value as every peer can hold it: half surrogate pairs become U+FFFD (they do not survive UTF-8), what is no JSON becomes null, and the
 * key `__proto__` goes (no decoder of the shared form can carry it). `value` must not be deeper than `DEEPEST`.
 */
export function portable(value: unknown): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(portable);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return null;
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__');
  return Object.fromEntries(entries.map(([key, each]) => [key.toWellFormed(), portable(each)]));
}
