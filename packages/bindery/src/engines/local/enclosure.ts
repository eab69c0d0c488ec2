import { existsSync } from 'node:fs';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, type RunResult } from '../../base/run.ts';
import type { Bounds, Group } from './limits/limits.ts';
import { rlimits } from './limits/rlimits.ts';
import type { Uv } from '../../clients/uv.ts';
import { forwarder, type Egress } from './egress/egress.ts';
import { certificateEnvironment } from './egress/surroundings.ts';
import { started } from './own-user.ts';
import { INSIDE, type Sandbox } from './sandbox.ts';
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
  const overlay = {
    lower,
    upper: join(folder, 'upper'),
    work: join(folder, 'work'),
    mount: join(folder, 'mount'),
    owner: place.worker.uid ?? null,
    uid: uid ?? null,
  };
  for (const path of [overlay.upper, overlay.work, overlay.mount]) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    if (uid !== undefined) await chown(path, uid, uid);
  }
  return overlay;
}

/** What one sandbox may use. */
export interface Allowance extends Bounds {
  /** Bytes that it may write. */
  readonly disk: number;
}

/** A sandbox's limits as plain data for the helpers outside it (runtime/usage.py): a control group, rlimits, and what is left to be watched. */
export async function bounded(
  place: Place,
  name: string,
  allowed: Allowance,
  folders: readonly string[],
  ownUser: boolean,
): Promise<Record<string, unknown> & { group: Group }> {
  const group = await place.limits.create(name, allowed);
  const { enforced } = place.limits;
  return {
    group,
    groupFiles: group.joinFiles,
    groups: group.joinFiles.map((file) => dirname(file)),
    oomEvents: group.oomEvents ?? null,
    rlimits: Object.fromEntries(rlimits(allowed, enforced, ownUser).map(({ name: kind, value }) => [`RLIMIT_${kind}`, value])),
    watch: {
      folders,
      disk: allowed.disk,
      memory: enforced.memory ? null : allowed.memory,
      processes: enforced.processes ? null : allowed.processes,
    },
  };
}

/** One step of a build: a repository's code, in the same walls as a session, if there are any. */
export interface EnclosedStep {
  readonly name: string;
  readonly box: Sandbox;
  readonly overlay: Overlay | undefined;
  readonly allowed: Allowance;
  /** Folders whose size counts. */
  readonly folders: readonly string[];
  /** Where the order file may lie; not visible inside. */
  readonly scratch: string;
  /** File that it reads as its standard input; it need not be allowed to open it. */
  readonly input?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string, from: 'stdout' | 'stderr') => void;
}

/** Exit code of the helper when a limit was broken; the sentence is the last line of stderr. */
export const LIMIT_BROKEN = 122;

/** Runs a step to its end, whatever it does. */
export async function enclose(place: Place, step: EnclosedStep): Promise<RunResult> {
  const { group, ...limits } = await bounded(place, `build-${step.name}`, step.allowed, step.folders, step.box.uid !== undefined);
  const order = { ...started(place, step.box), overlay: step.overlay ?? null, input: step.input ?? null, ...limits };
  const file = join(step.scratch, `${step.name}.json`);
  await writeFile(file, JSON.stringify(order), { mode: 0o600 });
  try {
    return await run([place.python.path, '-I', '-S', '-B', join(RUNTIME, 'enclose.py'), file], {
      env: { PATH: '/usr/bin:/bin' },
      timeoutMs: step.timeoutMs,
      signal: step.signal,
      onLine: step.onLine,
    });
  } finally {
    await place.limits.end(group.name);
    await rm(file, { force: true });
  }
}

/** What a sandbox must see to have a way out. */
export function wayOut(egress: Egress | undefined): (readonly [string, string])[] {
  return egress
    ? [
        [egress.folder, INSIDE.egress],
        [forwarder().file, '/opt/bindery/forward.py'],
      ]
    : [];
}

/** What makes programs in a sandbox trust the certificates that this machine trusts. */
export function trust({ index }: Uv): {
  readonly env: Readonly<Record<string, string>>;
  readonly read: readonly (readonly [string, string])[];
} {
  const file = index.environment['SSL_CERT_FILE'];
  if (!file || !existsSync(file)) return { env: { UV_SYSTEM_CERTS: '1' }, read: [] };
  return { env: certificateEnvironment(file), read: file.startsWith('/etc/ssl/') ? [] : [[file, file]] };
}

/** A command with the way out opened before it (runtime/step.py). `python` must be visible inside. Without a sandbox nothing is closed. */
export function stepCommand(place: Place, python: string, egress: Egress | undefined, command: readonly string[]): readonly string[] {
  if (!place.isolated) return command;
  return [python, '-I', '-S', '-B', `${INSIDE.runtime}/step.py`, egress ? `${INSIDE.egress}/${egress.socketName}` : '-', ...command];
}
