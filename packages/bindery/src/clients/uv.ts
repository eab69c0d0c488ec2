import { existsSync } from 'node:fs';
import { access, constants, mkdir, realpath, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { run, type RunResult } from '../base/run.ts';
import type { Reach, Worker } from '../base/worker.ts';
import { indexSettings, type IndexSettings } from './package-index.ts';
import { downloadUv, UV_VERSION } from './uv-download.ts';

/** One call of uv. */
export interface UvOrder {
  /** What it needs beside its cache, itself and the certificates. */
  readonly reach?: Reach;
  readonly cwd?: string;
  /** Added to the base environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
}

/** The uv program with this machine's settings. */
export interface Uv {
  readonly path: string;
  readonly version: string;
  readonly index: IndexSettings;
  /** The shared package cache. */
  readonly cache: string;
  /** Environment of a uv process that uses `cache`: whole, holds the index with its credentials. */
  environment(cache: string): Record<string, string>;
  /** Runs uv lowered, on the shared cache, the index given by environment. Credentials are taken out of what it prints. */
  run(args: readonly string[], order: UvOrder): Promise<RunResult>;
}

export interface UvDeps {
  readonly config: Config;
  readonly worker: Worker;
  /** Environment variables of the hub. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** A sentence for people, when something takes time. */
  readonly say: (message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Finds uv: the configured one, then one on PATH that is at least as new as the one Bindery is tested with, then a copy
 * of its own, fetched from the package index once. Throws `tool_missing`, `index_unreachable`.
 */
export async function findUv(deps: UvDeps): Promise<Uv> {
  const { config, variables, worker } = deps;
  const index = await indexSettings(config, variables);
  const cache = join(config.folders.cache, 'uv-cache');
  const python = join(config.folders.cache, 'python');
  for (const folder of [cache, python]) {
    await mkdir(folder, { recursive: true });
    await worker.give(folder);
  }
  const path = await findBinary(deps, index);
  const version = await versionOf(path, worker, deps.signal);
  if (!version)
    throw new BinderyError('tool_missing', `${path} is not a working uv.`, { hint: 'Set python.uv to a uv binary, or unset it.' });
  return makeUv({ path, version, index, cache, python, config, worker, variables });
}

interface Parts {
  readonly path: string;
  readonly version: string;
  readonly index: IndexSettings;
  readonly cache: string;
  readonly python: string;
  readonly config: Config;
  readonly worker: Worker;
  readonly variables: UvDeps['variables'];
}

function makeUv({ path, version, index, cache, python, config, worker, variables }: Parts): Uv {
  const environment = (cacheFolder: string): Record<string, string> => ({
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent', // nothing of the hub's home counts
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    UV_NO_CONFIG: '1',
    UV_NO_PROGRESS: '1',
    UV_CACHE_DIR: cacheFolder,
    UV_DEFAULT_INDEX: index.url,
    ...(index.extra.length === 0 ? {} : { UV_INDEX: index.extra.join(' ') }),
    UV_PYTHON_DOWNLOADS: 'manual',
    UV_PYTHON_INSTALL_DIR: python,
    ...(config.python.mirror ? { UV_PYTHON_INSTALL_MIRROR: config.python.mirror } : {}),
    ...systemCertificates(index),
    ...(variables['UV_HTTP_TIMEOUT'] ? { UV_HTTP_TIMEOUT: variables['UV_HTTP_TIMEOUT'] } : {}),
    ...index.environment,
  });
  return {
    path,
    version,
    index,
    cache,
    environment,
    run: async (args, order) => {
      const files = index.files.filter((file) => existsSync(file));
      const mirror = config.python.mirror?.startsWith('file://') ? [new URL(config.python.mirror).pathname] : [];
      const argv = worker.lower([path, ...args], {
        read: [path, ...files, ...mirror, ...(order.reach?.read ?? [])],
        write: [cache, ...(order.reach?.write ?? [])],
      });
      const { onLine, cwd, input } = order;
      const result = await run(argv, {
        env: { ...environment(cache), ...order.env },
        timeoutMs: order.timeoutMs,
        signal: order.signal,
        ...(cwd === undefined ? {} : { cwd }),
        ...(input === undefined ? {} : { input }),
        ...(onLine ? { onLine: (line: string, from: 'stdout' | 'stderr') => onLine(index.redact(line), from) } : {}),
      });
      return { ...result, stdout: index.redact(result.stdout), stderr: index.redact(result.stderr) };
    },
  };
}

/** A certificate that an administrator added to the system's store counts, as it does for git and curl. */
function systemCertificates(index: IndexSettings): Record<string, string> {
  const store = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'].some((path) =>
    existsSync(path),
  );
  return store && !index.environment['SSL_CERT_FILE'] ? { UV_SYSTEM_CERTS: '1' } : {};
}

async function findBinary(deps: UvDeps, index: IndexSettings): Promise<string> {
  const { config, variables, worker, signal } = deps;
  const chosen = config.python.uv ?? variables['BINDERY_UV'];
  if (chosen) {
    if (await isProgram(chosen)) return realpath(chosen);
    throw new BinderyError('tool_missing', `There is no uv at ${chosen}.`, { hint: 'Correct python.uv, or remove it to have uv found.' });
  }
  for (const folder of (variables['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'uv');
    if (!folder.startsWith('/') || !(await isProgram(path))) continue;
    const real = await realpath(path);
    if (isAtLeast(await versionOf(real, worker, signal), UV_VERSION)) return real;
  }
  const own = join(config.folders.cache, 'tools', `uv-${UV_VERSION}`, 'uv');
  if (!(await isProgram(own))) await downloadUv(dirname(own), index, deps.say, signal);
  return own;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function versionOf(path: string, worker: Worker, signal: AbortSignal): Promise<string | undefined> {
  const result = await run(worker.lower([path, '--version'], { read: [path] }), {
    env: { UV_NO_CONFIG: '1' },
    timeoutMs: 20_000,
    signal,
  }).catch(() => undefined);
  signal.throwIfAborted();
  return result?.code === 0 ? /^uv (\d+\.\d+\.\d+)/.exec(result.stdout)?.[1] : undefined;
}

function isAtLeast(version: string | undefined, tested: string): boolean {
  if (!version) return false;
  const [a, b] = [version, tested].map((text) => text.split('.').map(Number));
  for (const [place, wanted] of (b ?? []).entries()) {
    const have = a?.[place] ?? 0;
    if (have !== wanted) return have > wanted;
  }
  return true;
}
