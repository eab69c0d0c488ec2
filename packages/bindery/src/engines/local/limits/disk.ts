import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface DiskUse {
  readonly bytes: number;
  readonly entries: number;
  /** False when counting was stopped early: `bytes` is then a lower bound. */
  readonly complete: boolean;
}

/**
 * What some folders take on disk, as `du` counts it: blocks, each file once however many names it has, no link followed.
 * What vanishes meanwhile or cannot be read counts nothing. Stops above `most` bytes, since more makes no difference.
 */
export async function diskUse(folders: readonly string[], most = Infinity, mostEntries = 5_000_000): Promise<DiskUse> {
  const seen = new Set<string>();
  const open = [...folders];
  let sum = 0;
  let entries = 0;
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const listing = await opendir(folder, { bufferSize: 256 }).catch(() => undefined);
    if (!listing) continue;
    try {
      for await (const entry of listing) {
        if (sum > most || ++entries > mostEntries) return { bytes: sum, entries, complete: false };
        const path = join(folder, entry.name);
        const stat = await lstat(path).catch(() => undefined);
        if (!stat) continue;
        if (stat.isDirectory()) open.push(path);
        else if (stat.nlink > 1) {
          const id = `${stat.dev}:${stat.ino}`;
          if (seen.has(id)) continue;
          seen.add(id);
        }
        sum += stat.blocks * 512;
      }
    } catch {
      continue; // the folder was removed while it was read
    }
  }
  return { bytes: sum, entries, complete: true };
}
