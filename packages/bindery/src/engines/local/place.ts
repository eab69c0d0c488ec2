import { createHash, randomBytes, randomInt } from 'node:crypto';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../base/config.ts';
import { identityOf, ownIdentity } from '../../base/process-identity.ts';
import type { Interpreter } from '../../contracts/plan.ts';
import type { Worker } from '../../base/worker.ts';
import { detectLimits, type Limits } from './limits/limits.ts';
import { identityFiles } from './sandbox.ts';
import { seccompFilter } from './seccomp.ts';

/** What the engine knows of this machine and where it keeps its things. */
export interface Place {
  readonly config: Config;
  readonly worker: Worker;
  /** The hub's environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** True when sandboxes work here. */
  readonly isolated: boolean;
  /** True when an environment can be overlaid; else sessions get a site folder of their own. */
  readonly overlay: boolean;
  /** Interpreter for the helpers outside the sandbox (Python 3.8 or newer). */
  readonly python: Interpreter;
  readonly folders: {
    readonly environments: string;
    /** Where no sandbox works: what was built, at a path that it keeps for good (fixed-folder.ts). */
    readonly fixed: string;
    readonly bytecode: string;
    readonly uvCache: string;
    readonly tools: string;
    readonly sessions: string;
    readonly saved: string;
  };
  /** How sandboxes are bounded here. */
  readonly limits: Limits;
  /** File with the system call filter. */
  readonly seccomp: string;
}

/** Folder of the programs that run in and around sandboxes. */
export const RUNTIME = fileURLToPath(new URL('runtime', import.meta.url));

/** Makes the engine's folders; those that lowered helpers write to are theirs. */
export async function preparePlace(facts: Omit<Place, 'folders' | 'limits' | 'seccomp'>): Promise<Place> {
  const { cache, state } = facts.config.folders;
  const folders = {
    environments: join(cache, 'environments'),
    fixed: join(cache, 'fixed'),
    bytecode: join(cache, 'bytecode'),
    uvCache: join(cache, 'uv-cache'),
    tools: join(cache, 'tools'),
    sessions: join(state, 'sessions'),
    saved: join(state, 'saved'),
  };
  for (const folder of [folders.environments, folders.bytecode, folders.uvCache]) {
    await mkdir(folder, { recursive: true });
    await facts.worker.give(folder);
  }
  for (const folder of [folders.tools, folders.fixed]) await mkdir(folder, { recursive: true });
  await mkdir(state, { recursive: true, mode: 0o700 });
  for (const folder of [folders.sessions, folders.saved]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const seccomp = join(folders.tools, `seccomp-${process.arch}.bpf`);
  if (facts.isolated) await writeFile(seccomp, seccompFilter(process.arch));
  const limits = await detectLimits({ scope: createHash('sha256').update(state).digest('hex').slice(0, 12) });
  return { ...facts, folders, seccomp, limits };
}

/** A uid that nothing else runs as (of 64 million, by chance), for one build or session of a root hub; undefined for any other hub. */
export function freshUid(place: Place): number | undefined {
  return place.worker.uid === undefined ? undefined : place.worker.uid + 1 + randomInt(0x0400_0000);
}

/** A folder that belongs to `uid`, where there is one. */
export async function ownFolder(path: string, uid: number | undefined, mode = 0o700): Promise<string> {
  await mkdir(path, { recursive: true, mode });
  if (uid !== undefined) await chown(path, uid, uid);
  return path;
}

/** Writes the small files of /etc for a sandbox's user; returns their folder. */
export async function writeIdentity(folder: string, uid: number | undefined): Promise<string> {
  const path = join(folder, 'etc');
  await mkdir(path, { recursive: true });
  await Promise.all(Object.entries(identityFiles(uid)).map(([name, text]) => writeFile(join(path, name), text, { mode: 0o644 })));
  return path;
}

/** Name of a folder that is being made beside `name`: it says by whom, so that nobody clears away what somebody is at. */
export function partName(name: string, purpose: 'part' | 'gone' = 'part'): string {
  const { pid, startTime, bootId } = ownIdentity();
  return `${name}.${purpose}.${pid}.${startTime}.${bootId.replaceAll('-', '')}.${randomBytes(4).toString('hex')}`;
}

/** True for the name of an unfinished folder whose maker runs no more. */
export function isLeftOver(name: string): boolean {
  const match = /\.(?:part|gone)\.(\d+)\.(\d+)\.([0-9a-f]*)\.[0-9a-f]{8}$/.exec(name);
  if (!match) return false;
  const now = identityOf(Number(match[1]));
  return now === undefined || now.startTime !== Number(match[2]) || now.bootId.replaceAll('-', '') !== match[3];
}
