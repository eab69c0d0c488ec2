import { lstat, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a crash left half-made is removed after this long, in milliseconds. */
const ABANDONED_MS = 3_600_000;

/**
 * Removes the work trees and cached repositories below `cache` that were last used before `before` (milliseconds since the
 * epoch), but never one used within the last hour; returns the removed folders and their bytes. Sessions have copies: nothing is taken from them.
 */
export async function removeUnused(cache: string, before: number, now: number): Promise<{ removed: string[]; freedBytes: number }> {
  const removed: string[] = [];
  let freedBytes = 0;
  for (const kind of ['trees', 'repos'])
    for (const name of await readdir(join(cache, kind)).catch(() => [])) {
      const path = join(cache, kind, name);
      const usedAt = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
      const last = name.includes('.partial-') ? now - ABANDONED_MS : Math.min(before, now - ABANDONED_MS);
      if (usedAt >= last) continue;
      freedBytes += await bytesOf(path);
      await rm(path, { recursive: true, force: true });
      removed.push(path);
    }
  return { removed, freedBytes };
}

/** Bytes of the files below a folder, near enough for people; links are not followed. */
async function bytesOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  return bytes;
}
