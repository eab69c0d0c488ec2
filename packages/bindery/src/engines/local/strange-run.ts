import { availableParallelism } from 'node:os';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run, type RunResult } from '../../base/run.ts';
import type { Uv } from '../../clients/uv.ts';
import { enclose, stepCommand, wayOut } from './enclosure.ts';
import type { Egress } from './egress/egress.ts';
import type { SandboxOrder } from './lock-resolve.ts';
import { ownIndex, ownVariables } from './own-user.ts';
import { freshUid, partName, RUNTIME, writeIdentity, type Place } from './place.ts';
import { INSIDE } from './sandbox.ts';

/** Runs a program in the walls of a build (where no sandbox works, as the hub's own user), outside any environment: asking strangers' packages what they need (I7). */
export async function strangeRun(place: Place, uv: Uv, egress: Egress | undefined, order: SandboxOrder): Promise<RunResult> {
  const uid = freshUid(place);
  const scratch = join(place.folders.environments, partName('ask'));
  await mkdir(scratch, { recursive: true, mode: 0o755 });
  const { memory, processes, disk } = place.config.build;
  try {
    for (const folder of order.writable) await takeOver(folder, uid);
    return await enclose(place, {
      name: scratch.slice(-8),
      scratch,
      overlay: undefined,
      allowed: { memory, processes, disk, cpus: availableParallelism() },
      folders: order.writable,
      timeoutMs: order.timeoutMs,
      signal: order.signal,
      onLine: (line, from) => order.onLine?.(line, from),
      box: {
        uid,
        network: 'none',
        identity: await writeIdentity(scratch, uid),
        cwd: order.cwd ?? '/tmp',
        seccomp: true,
        shmBytes: 64 << 20,
        tmpBytes: 2 * 2 ** 30,
        links: [],
        env: { ...order.env, ...(place.isolated ? egress?.environment : { ...ownVariables(place, uv), ...ownIndex(uv) }) },
        read: [...new Set([place.python.prefix, ...order.readOnly])]
          .map((path): [string, string] => [path, path])
          .concat(
            [[RUNTIME, INSIDE.runtime]],
            wayOut(egress).map(([from, to]): [string, string] => [from, to]),
          ),
        write: order.writable.map((path) => [path, path]),
        command: stepCommand(place, place.python.path, egress, order.argv),
      },
    });
  } finally {
    for (const folder of order.writable) await takeOver(folder, place.worker.uid);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Gives a folder and all in it to a uid; nothing runs in it now. */
async function takeOver(folder: string, uid: number | undefined): Promise<void> {
  if (uid !== undefined) await run(['chown', '-hR', `${uid}:${uid}`, '--', folder], { env: { PATH: '/usr/bin:/bin' }, timeoutMs: 60_000 });
}
