import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Uv } from '../../clients/uv.ts';
import type { LocalBuilder } from './builder.ts';
import type { Place } from './place.ts';

const MINUTES_10 = 600_000;

/**
 * Removes environments that no session uses, least recently used first, until environments and packages fit into
 * `store.maxBytes`; all of them with `all`. What was used in the last ten minutes stays: a launch may be about to use it.
 */
export async function collectGarbage(
  place: Place,
  builder: LocalBuilder,
  uv: () => Promise<Uv>,
  all: boolean,
): Promise<{ removed: string[]; freedBytes: number }> {
  const removed: string[] = [];
  const before = await storeBytes(place);
  let over = all ? Number.POSITIVE_INFINITY : before - place.config.store.maxBytes;
  const inUse = builder.inUse();
  for (const { id, bytes, usedAt } of await byUse(builder)) {
    if (over <= 0) break;
    if (inUse.has(id) || (!all && Date.now() - usedAt < MINUTES_10)) continue;
    await builder.remove(id);
    removed.push(id);
    over -= bytes;
  }
  if (all || removed.length > 0)
    await (await uv()).run(['cache', 'prune'], { timeoutMs: MINUTES_10, signal: AbortSignal.timeout(MINUTES_10) });
  return { removed, freedBytes: removed.length > 0 || all ? Math.max(0, before - (await storeBytes(place))) : 0 };
}

async function byUse(builder: LocalBuilder): Promise<{ id: string; bytes: number; usedAt: number }[]> {
  const found: { id: string; bytes: number; usedAt: number }[] = [];
  for await (const { id, bytes, location } of builder.list()) found.push({ id, bytes, usedAt: (await stat(location)).mtimeMs });
  return found.toSorted((a, b) => a.usedAt - b.usedAt);
}

/** Bytes on disk of environments, packages and bytecode, each file once however many links it has. */
export async function storeBytes(place: Place): Promise<number> {
  const seen = new Set<number>();
  let total = 0;
  for (const folder of [place.folders.environments, place.folders.fixed, place.folders.uvCache, place.folders.bytecode]) {
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
      if (!entry.isFile()) continue;
      const info = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
      if (!info || seen.has(info.ino)) continue;
      if (info.nlink > 1) seen.add(info.ino);
      total += info.blocks * 512;
    }
  }
  return total;
}
