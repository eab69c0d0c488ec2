import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type RunResult } from '../../base/run.ts';
import { createGroup, type Group, type Limits } from './limits/group.ts';
import { sandboxArgv, type Sandbox } from './sandbox.ts';
import { RUNTIME, type Place } from './place.ts';

/** The environment as a sandbox may change it: what lies below is never written to. */
export interface Overlay {
  /** Read-only layers, the topmost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly mount: string;
  /** Host uid that owns the layers' files, and the uid that they are shown to; null where the hub is not root. */
  readonly owner: number | null;
  readonly uid: number | null;
}

/** Folders for an overlay below `folder`, made for `uid`. */
export async function makeOverlay(folder: string, lower: readonly string[], place: Place, uid: number | undefined): Promise<Overlay> {
  const { chown } = await import('node:fs/promises');
  const overlay = { lower, upper: join(folder, 'upper'), work: join(folder, 'work'), mount: join(folder, 'mount'), owner: place.worker.uid ?? null, uid: uid ?? null };
  for (const path of [overlay.upper, overlay.work, overlay.mount]) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    if (uid !== undefined) await chown(path, uid, uid);
  }
  return overlay;
}

/** Limits of one sandbox that the helper outside it watches or sets, as plain data for the Python side. */
export function watching(limits: Limits, group: Group | undefined, folders: readonly string[]): Record<string, unknown> {
  return { folders, disk: limits.diskBytes, memory: group?.holds.memory ? null : limits.memoryBytes, processes: group?.holds.processes ? null : limits.processes };
}

/** Limits set on the process itself where no control group holds them. */
export function rlimits(limits: Limits, group: Group | undefined): Record<string, number> {
  return {
    RLIMIT_CORE: 0,
    RLIMIT_NOFILE: 65_536,
    ...(group?.holds.memory ? {} : { RLIMIT_AS: limits.memoryBytes * 8 }),
  };
}

/** One step of a build: a repository's code, in the same walls as a session. */
export interface EnclosedStep {
  readonly name: string;
  readonly box: Sandbox;
  readonly overlay: Overlay | undefined;
  readonly limits: Limits;
  /** Folders whose size counts. */
  readonly folders: readonly string[];
  /** Where the order file may lie; not visible inside. */
  readonly scratch: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Exit code of the helper when a limit was broken; the sentence is the last line of stderr. */
export const LIMIT_BROKEN = 122;

/** Runs a step to its end, whatever it does. */
export async function enclose(place: Place, step: EnclosedStep): Promise<RunResult> {
  const group = await createGroup(`build-${step.name}`, step.limits);
  const order = {
    argv: sandboxArgv(step.box),
    overlay: step.overlay ?? null,
    seccomp: step.box.seccomp ? place.seccomp : null,
    join: group?.joinFiles ?? [],
    groups: group?.folders ?? [],
    rlimits: rlimits(step.limits, group),
    watch: watching(step.limits, group, step.folders),
  };
  const file = join(step.scratch, `${step.name}.json`);
  await writeFile(file, JSON.stringify(order), { mode: 0o600 });
  try {
    return await run([place.python, '-I', '-S', '-B', join(RUNTIME, 'enclose.py'), file], { env: { PATH: '/usr/bin:/bin' }, timeoutMs: step.timeoutMs, signal: step.signal, onLine: step.onLine });
  } finally {
    await group?.remove();
    await rm(file, { force: true });
  }
}
