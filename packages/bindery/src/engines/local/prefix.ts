import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { run, type RunResult } from '../../base/run.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { Interpreter, LockedPackage } from '../../contracts/plan.ts';
import type { Uv } from '../../clients/uv.ts';
import { fixedFolder } from './fixed-folder.ts';
import { writeKernelSpecs } from './kernel-specs.ts';
import { INSIDE, pathsFor, sandboxArgv, type Sandbox } from './sandbox.ts';
import { ownFolder, RUNTIME, writeIdentity, type Place } from './place.ts';

/** Installing wheels whose hashes the index vouches for: no code of any package runs here, so the network and the shared store are there. */
export interface WheelOrder {
  /** Host folder of the environment that is being made. */
  readonly folder: string;
  /** Where a sandbox shows its prefix: `INSIDE.environment` or `INSIDE.server`. */
  readonly inside: string;
  readonly python: Interpreter;
  /** Requirement lines with hashes, as uv reads them. */
  readonly requirements: string;
  /** Extra words for `uv pip install`, such as index options of the repository. */
  readonly options?: readonly string[];
  /** What of it may be in the shared bytecode store. */
  readonly packages: readonly LockedPackage[];
  readonly signal: AbortSignal;
}

const MINUTE = 60_000;

/** Makes an empty `<folder>/prefix`; returns the path under which what is put into it knows it. */
export async function newPrefix(place: Place, folder: string, inside: string): Promise<string> {
  if (!place.isolated) return fixedFolder(place, join(folder, 'prefix'));
  await ownFolder(join(folder, 'prefix'), place.worker.uid, 0o755);
  return inside;
}

/** Makes `<folder>/prefix`: a virtual environment with exactly these wheels, its kernel spec, its bytecode. */
export async function makePrefix(place: Place, uv: Uv, order: WheelOrder, log: StageLog): Promise<void> {
  const mountedAt = await newPrefix(place, order.folder, order.inside);
  const prefix = join(order.folder, 'prefix');
  const work = await ownFolder(join(order.folder, 'work'), place.worker.uid, 0o755);
  const at = pathsFor(place.isolated, { uv: uv.path, runtime: RUNTIME, work });
  const identity = await writeIdentity(work, place.worker.uid);
  await writeFile(join(work, 'requirements.txt'), order.requirements);
  const inside = (command: readonly [string, ...string[]], network: 'host' | 'none', isHeard = true): Promise<RunResult> => {
    const box: Sandbox = {
      uid: place.worker.uid,
      network,
      identity,
      cwd: '/tmp',
      env: 'inherit',
      seccomp: false,
      shmBytes: 64 << 20,
      tmpBytes: 4 * 2 ** 30,
      read: [
        [order.python.prefix, order.python.prefix],
        [uv.path, INSIDE.uv],
        [RUNTIME, INSIDE.runtime],
        [work, INSIDE.work],
        ...uv.index.files.filter((path) => existsSync(path)).map((path) => [path, path] as const),
      ],
      // One mount for store and environment: hard links do not cross mounts.
      write: [[place.config.folders.cache, place.config.folders.cache]],
      links: [[prefix, mountedAt]],
      command,
    };
    const argv = place.isolated ? (sandboxArgv(box) as [string, ...string[]]) : command;
    return run(argv, {
      env:
        network === 'host'
          ? uv.environment(place.folders.uvCache)
          : { PATH: '/usr/bin:/bin', UV_CACHE_DIR: place.folders.uvCache, UV_NO_CONFIG: '1', HOME: '/tmp', LANG: 'C.UTF-8' },
      timeoutMs: 30 * MINUTE,
      signal: order.signal,
      ...(isHeard ? { onLine: (line) => log.line(uv.index.redact(line)) } : {}),
    });
  };
  const must = async (what: string, command: readonly [string, ...string[]], network: 'host' | 'none' = 'none'): Promise<void> => {
    const result = await inside(command, network);
    if (result.code === 0) return;
    const tail = uv.index.redact(`${result.stdout}${result.stderr}`).trimEnd().slice(-4000);
    if (/No space left on device|os error 28/.test(tail))
      throw new BinderyError('disk_full', `The disk is full: ${what} could not be finished.`, { logTail: tail });
    if (/error sending request|dns error|Connection refused|timed out/i.test(tail))
      throw new BinderyError('index_unreachable', `The package index could not be reached while ${what}.`, { logTail: tail });
    throw new BinderyError('build_failed', `${what[0]?.toUpperCase()}${what.slice(1)} failed (exit code ${result.code}).`, {
      logTail: tail,
    });
  };
  const python = `${mountedAt}/bin/python`;
  const venv = ['venv', '--quiet', '--no-project', '--allow-existing', '--python', order.python.path, mountedAt];
  await must('making the environment', [at.uv, ...venv]);
  if (order.requirements.trim() !== '') {
    const hashed = ['--no-deps', '--require-hashes', '--only-binary', ':all:'];
    // a session that runs as the hub's own user could write through a hard link
    const links = ['--link-mode', place.isolated ? 'hardlink' : 'copy'];
    const what = ['--python', python, ...hashed, ...links, ...(order.options ?? []), '-r', `${at.work}/requirements.txt`];
    // What is in the store already needs no index: uv would ask it about each package all the same.
    const stored = await inside([at.uv, 'pip', 'install', '--offline', ...what], 'host', false);
    if (stored.code !== 0) await must('installing packages', [at.uv, 'pip', 'install', ...what], 'host');
    else for (const line of stored.stderr.split('\n').filter(Boolean)) log.line(uv.index.redact(line));
  }
  await tidy(prefix);
  const site = await sitePackages(prefix);
  await writeKernelSpecs({ prefix, site, mountedAt }, place.worker);
  const shared = place.isolated ? { store: place.folders.bytecode, keys: bytecodeKeys(order.packages, order.python, mountedAt) } : {};
  await writeFile(join(work, 'bytecode.json'), JSON.stringify({ store: null, keys: {}, ...shared, site: site.replace(prefix, mountedAt) }));
  await must('compiling bytecode', [python, '-I', '-S', '-B', `${at.runtime}/bytecode.py`, `${at.work}/bytecode.json`]);
  await rm(work, { recursive: true, force: true });
}

/** What uv leaves that is not the same in every run, or says where it was made. */
async function tidy(prefix: string): Promise<void> {
  for (const name of ['.lock', 'CACHEDIR.TAG', '.gitignore']) await rm(join(prefix, name), { force: true });
}

/** The one site-packages folder of a prefix. */
export async function sitePackages(prefix: string): Promise<string> {
  const names = await readdir(join(prefix, 'lib'));
  const name = names.find((entry) => /^python3\.\d+$/.test(entry));
  if (name === undefined) throw new BinderyError('build_failed', 'The environment has no site-packages folder.');
  return join(prefix, 'lib', name, 'site-packages');
}

/** Key of a package in the bytecode store: what the index vouches for, and the interpreter that compiles. */
function bytecodeKeys(packages: readonly LockedPackage[], python: Interpreter, mountedAt: string): Record<string, string> {
  const keys: Record<string, string> = {};
  for (const entry of packages) {
    if (entry.from !== 'wheel' || entry.hashes.length === 0) continue;
    const text = JSON.stringify([entry.name, entry.version, entry.hashes.toSorted(), python.build, mountedAt]);
    keys[entry.name] = createHash('sha256').update(text).digest('hex');
  }
  return keys;
}

/** Bytes of folders that belong to them alone: files that other environments share (hard links) count nothing. */
export async function ownBytes(place: Place, folders: readonly string[]): Promise<number> {
  // thousands of files: not on the thread that serves everybody
  const result = await run([place.python.path, '-I', '-S', '-B', join(RUNTIME, 'usage.py'), ...folders], {
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: 10 * MINUTE,
  });
  if (result.code !== 0) throw new Error(`The environment could not be measured: ${result.stderr.slice(-500)}`);
  return Number(result.stdout);
}
