import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Entry, Tree } from '../../packages/bindery/src/contracts/source.ts';

/** A tree with the files given by name; `folder` is nowhere. */
export function treeOf(files: Readonly<Record<string, string | Uint8Array>>, committedAt = '2026-01-31T12:00:00.000Z'): Tree {
  const bytes = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content as Uint8Array)]));
  const hash = createHash('sha256');
  for (const [path, content] of [...bytes].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`${path}\0${content.length}\0`).update(content);
  return {
    id: hash.digest('hex'),
    committedAt,
    folder: '/nowhere',
    async *list(): AsyncGenerator<Entry> {
      for (const [path, content] of bytes) yield { path, type: 'file', executable: false, size: content.length };
    },
    read: (path) => Promise.resolve(bytes.get(path)),
  };
}

/** A plain folder as a tree. */
export function folderTree(folder: string, committedAt?: string): Tree {
  const files = Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => statSync(path).isFile())
      .toSorted()
      .map((path) => [relative(folder, path).split(sep).join('/'), readFileSync(path)]),
  );
  return { ...treeOf(files, committedAt), folder };
}
