import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Digest, Instant } from '@bindery/wire/ids.ts';
import type { Entry, Tree } from '../contracts/source.ts';
import { readInside } from './inside.ts';

/** What is kept beside a work tree, so that a cached one costs no git. */
const Kept = z.object({ version: z.literal(1), id: Digest, committedAt: Instant, notes: z.array(z.string()) });
export type Kept = z.infer<typeof Kept>;

/** One entry as it is kept. */
type KeptEntry = readonly [path: string, type: Entry['type'], executable: boolean, size: number];

export const KEPT = 'tree.json';
export const ENTRIES = 'entries.json';
export const FILES = 'files';

/** The tree that was made whole at `home`, marked as used now; undefined where there is none. */
export async function openTree(home: string): Promise<{ tree: Tree; kept: Kept } | undefined> {
  const text = await readFile(join(home, KEPT), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const kept = Kept.parse(JSON.parse(text));
  const now = new Date();
  await utimes(home, now, now);
  return { kept, tree: treeAt(home, kept) };
}

/** Entries as they are kept: an array of `[path, type, executable, size]`. */
export function entriesToKeep(entries: readonly Entry[]): string {
  return JSON.stringify(entries.map(({ path, type, executable, size }) => [path, type, executable, size]));
}

function treeAt(home: string, kept: Kept): Tree {
  const folder = join(home, FILES);
  return {
    id: kept.id,
    committedAt: kept.committedAt,
    folder,
    async *list() {
      const entries = JSON.parse(await readFile(join(home, ENTRIES), 'utf8')) as readonly KeptEntry[]; // our own file
      for (const [path, type, executable, size] of entries) yield { path, type, executable, size };
    },
    read: (path) => readInside(folder, path),
  };
}
