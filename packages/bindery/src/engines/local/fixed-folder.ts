import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../base/run.ts';
import type { Place } from './place.ts';

/** What of an environment, or of the server runtime, may lie elsewhere. */
const LINKS = ['prefix', 'leftovers'] as const;

/**
 * A new folder that keeps its path for good, with a link to it at `link`. Scripts and kernel specs hold the path at which they were
 * made: a sandbox shows it at a constant one, so that what was built can be renamed into place; without one it must never be moved.
 * The link comes first: a folder that no link leads to is nobody's.
 */
export async function fixedFolder(place: Place, link: string): Promise<string> {
  const path = join(place.folders.fixed, randomBytes(6).toString('hex'));
  await symlink(path, link);
  await mkdir(path, { mode: 0o755 });
  return path;
}

/** Where the links in a folder lead: its own folders elsewhere. */
export async function fixedFolders(place: Place, folder: string): Promise<string[]> {
  const targets = await Promise.all(LINKS.map((name) => readlink(join(folder, name)).catch(() => '')));
  return targets.filter((target) => dirname(target) === place.folders.fixed);
}

/** Removes the folders that nothing leads to any more. */
export async function discardFixed(place: Place): Promise<void> {
  const names = await readdir(place.folders.fixed); // before the links are read: a newer one has its link already
  const { environments, tools } = place.folders;
  const used = new Set<string>();
  for (const parent of [environments, tools])
    for (const name of await readdir(parent)) for (const target of await fixedFolders(place, join(parent, name))) used.add(target);
  for (const name of names) if (!used.has(join(place.folders.fixed, name))) await removeAll(join(place.folders.fixed, name));
}

/** Removes a folder of environments or tools with what lies elsewhere of it. */
export async function removeWhole(place: Place, folder: string): Promise<void> {
  for (const target of await fixedFolders(place, folder)) await removeAll(target);
  await removeAll(folder);
}

/** Makes a finished folder unwritable: sessions that run as the hub's own user are to share it, not to change it by mistake. */
export async function seal(folder: string): Promise<void> {
  await run(['chmod', '-R', 'a-w', '--', folder], { env: { PATH: '/usr/bin:/bin' }, timeoutMs: 600_000 });
}

/** Removes a folder in which folders may be closed against their owner. */
export async function removeAll(folder: string): Promise<void> {
  await run(['chmod', '-R', 'u+rwX', '--', folder], { env: { PATH: '/usr/bin:/bin' }, timeoutMs: 600_000 }).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}
