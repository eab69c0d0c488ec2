import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a crash left half-made is removed after this long, in milliseconds. */
const ABANDONED_MS = 3_600_000;

/**
 * Removes the work trees and cached repositories below `cache` that were last used before `before` (milliseconds since the
 * epoch), but never one used within the last hour; returns the removed folders. Sessions have copies: nothing is taken from them.
 */
export async function removeUnused(cache: string, before: number, now: number): Promise<string[]> {
  const removed: string[] = [];
  for (const kind of ['trees', 'repos'])
    for (const name of await readdir(join(cache, kind)).catch(() => [])) {
      const path = join(cache, kind, name);
      const usedAt = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
      const last = name.includes('.partial-') ? now - ABANDONED_MS : Math.min(before, now - ABANDONED_MS);
      if (usedAt >= last) continue;
      await rm(path, { recursive: true, force: true });
      removed.push(path);
    }
  return removed;
}
