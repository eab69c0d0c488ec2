import { createHash } from 'node:crypto';
import type { Digest } from '@bindery/wire/ids.ts';

/** JSON with sorted keys and no white space; undefined members are left out (after RFC 8785, without its number rules). */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/** sha256 of the canonical JSON, in hex. */
export function digestOf(value: unknown): Digest {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
