import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

/**
 * Parts of JupyterLab that ask for what is not there: the news of a machine that may have no network, language servers, a timeline of documents; and
 * one that makes links which open nothing for others.
 */
const DISABLED = {
  '@jupyterlab/apputils-extension:announcements': true,
  '@jupyterlab/lsp-extension': true,
  '@jupyter/docprovider-extension:statusBarTimeline': true,
  '@jupyter/collaboration-extension:shared-link': true,
};

const Record = z.object({
  python: z.object({ path: z.string(), version: z.string(), prefix: z.string(), build: z.string(), from: z.enum(['machine', 'managed']) }),
});

/** Where, in the prefix, the parts of JupyterLab lie by which documents are shared: found only by a session that is told so (runtime/serve.py). */
export const SHARED_EXTENSIONS = 'share/bindery/labextensions';
const SHARED_NAMES = ['docprovider-extension', 'collaboration-extension'];

/** Our own part of JupyterLab, which belongs to them. */
const OWN_EXTENSION = fileURLToPath(new URL('labextension', import.meta.url));
const OWN_FILES = ['package.json', 'static/remoteEntry.js'];

/** What the server runtime is made of: the lock of its packages, and our own files. */
async function readParts(): Promise<{ readonly lock: string; readonly own: readonly string[] }> {
  const texts = (names: readonly string[]): Promise<string[]> => Promise.all(names.map((name) => readFile(name, 'utf8')));
  const [locks, own] = await Promise.all([
    texts(['requirements.lock', 'labextensions.lock'].map((name) => join(RUNTIME, name))),
    texts(OWN_FILES.map((name) => join(OWN_EXTENSION, name))),
  ]);
  return { lock: locks.join(''), own };
}

function runtimeFolder(place: Place, { lock, own }: Awaited<ReturnType<typeof readParts>>): string {
  const key = createHash('sha256')
    .update(lock)
    .update(JSON.stringify([DISABLED, SHARED_EXTENSIONS, SHARED_NAMES, own]))
    .update(process.arch)
    .update(place.isolated ? '' : place.folders.fixed)
    .digest('hex')
    .slice(0, 16);
  return join(place.folders.tools, `server-${key}`);
}

/** The server runtime, if it is installed. */
export async function installedRuntime(place: Place): Promise<ServerRuntime | undefined> {
  return readRuntime(place, runtimeFolder(place, await readParts()));
}

/** Finds the server runtime, or installs it from its committed lock. Two hubs may do so at once. */
export async function serverRuntime(
  place: Place,
  uv: () => Promise<Uv>,
  python: () => Promise<Interpreter>,
  log: StageLog,
  signal: AbortSignal,
): Promise<ServerRuntime> {
  const parts = await readParts();
  const folder = runtimeFolder(place, parts);
  const { lock } = parts;
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
    await setApart(join(part, 'prefix'));
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

/** They switch parts of JupyterLab off as soon as it finds them, also where nobody answers what they ask: then no notebook would open. */
async function setApart(prefix: string): Promise<void> {
  const apart = join(prefix, SHARED_EXTENSIONS, '@jupyter');
  await mkdir(apart, { recursive: true });
  for (const name of SHARED_NAMES) await rename(join(prefix, 'share/jupyter/labextensions/@jupyter', name), join(apart, name));
  for (const name of OWN_FILES) await cp(join(OWN_EXTENSION, name), join(prefix, SHARED_EXTENSIONS, '@bindery/session', name));
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
