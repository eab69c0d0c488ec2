import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { StageLog } from '../../contracts/engine.ts';
import type { Interpreter, LockedPackage } from '../../contracts/plan.ts';
import type { Uv } from '../../clients/uv.ts';
import { removeWhole, seal } from './fixed-folder.ts';
import { makePrefix } from './prefix.ts';
import { partName, RUNTIME, type Place } from './place.ts';
import { INSIDE } from './sandbox.ts';

/** The one pinned Jupyter server that every session of the split layout runs (DESIGN idea 2). */
export interface ServerRuntime {
  /** Host folder, mounted at `INSIDE.server`. */
  readonly prefix: string;
  readonly python: Interpreter;
}

/** Parts of JupyterLab that ask for what is not there: the news of a machine that may have no network, language servers. */
const DISABLED = { '@jupyterlab/apputils-extension:announcements': true, '@jupyterlab/lsp-extension': true };

const Record = z.object({
  python: z.object({ path: z.string(), version: z.string(), prefix: z.string(), build: z.string(), from: z.enum(['machine', 'managed']) }),
});

const readLock = (): Promise<string> => readFile(join(RUNTIME, 'requirements.lock'), 'utf8');

function runtimeFolder(place: Place, lock: string): string {
  const key = createHash('sha256')
    .update(lock)
    .update(JSON.stringify(DISABLED))
    .update(process.arch)
    .update(place.isolated ? '' : place.folders.fixed)
    .digest('hex')
    .slice(0, 16);
  return join(place.folders.tools, `server-${key}`);
}

/** The server runtime, if it is installed. */
export async function installedRuntime(place: Place): Promise<ServerRuntime | undefined> {
  return readRuntime(place, runtimeFolder(place, await readLock()));
}

/** Finds the server runtime, or installs it from its committed lock. Two hubs may do so at once. */
export async function serverRuntime(
  place: Place,
  uv: () => Promise<Uv>,
  python: () => Promise<Interpreter>,
  log: StageLog,
  signal: AbortSignal,
): Promise<ServerRuntime> {
  const lock = await readLock();
  const folder = runtimeFolder(place, lock);
  const found = await readRuntime(place, folder);
  if (found) return found;
  const interpreter = await python();
  log.info(`Installing the notebook server (once on this machine; Python ${interpreter.version})`);
  await place.worker.give(place.folders.tools);
  const part = partName(folder);
  await mkdir(part, { recursive: true, mode: 0o755 });
  await place.worker.give(part);
  try {
    await makePrefix(
      place,
      await uv(),
      {
        folder: part,
        inside: INSIDE.server,
        python: interpreter,
        requirements: lock,
        packages: lockedPackages(lock),
        signal,
      },
      log,
    );
    await rm(join(part, 'prefix', 'share', 'jupyter', 'kernels'), { recursive: true, force: true }); // kernels are the user's
    const lab = join(part, 'prefix', 'etc', 'jupyter', 'labconfig');
    await mkdir(lab, { recursive: true });
    await writeFile(join(lab, 'page_config.json'), JSON.stringify({ disabledExtensions: DISABLED }));
    await writeFile(join(part, 'runtime.json'), JSON.stringify({ python: interpreter }));
    if (!place.isolated) await seal(await realpath(join(part, 'prefix')));
    await rename(part, folder).catch(() => removeWhole(place, part));
  } catch (error) {
    await removeWhole(place, part);
    throw error;
  }
  return (await readRuntime(place, folder))!;
}

async function readRuntime(place: Place, folder: string): Promise<ServerRuntime | undefined> {
  const text = await readFile(join(folder, 'runtime.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { python } = Record.parse(JSON.parse(text));
  // An interpreter that was removed or upgraded takes its environments with it.
  if (!(await stat(python.path).catch(() => undefined))) {
    await removeWhole(place, folder);
    return undefined;
  }
  return { prefix: await realpath(join(folder, 'prefix')), python };
}

/** The packages of a requirements file with hashes, as far as bytecode keys need them. */
export function lockedPackages(text: string): LockedPackage[] {
  const entries = text
    .replaceAll(/\\\r?\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'));
  return entries.flatMap((line): LockedPackage[] => {
    const match = /^([A-Za-z0-9._-]+)==([^\s;]+)/.exec(line);
    if (!match?.[1] || !match[2]) return [];
    return [
      {
        name: match[1].toLowerCase().replaceAll(/[-_.]+/g, '-'),
        version: match[2],
        from: 'wheel',
        hashes: [...line.matchAll(/--hash=(\S+)/g)].map((hash) => hash[1] ?? ''),
        requirement: `${match[1]}==${match[2]}`,
      },
    ];
  });
}
