import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../../base/config.ts';
import type { RunResult } from '../../base/run.ts';
import type { Lock } from '../../contracts/plan.ts';
import type { Uv } from '../../clients/uv.ts';
import type { Interpreters } from './interpreters.ts';
import type { ResolveDeps } from './lock-resolve.ts';

export type CondaPackage = NonNullable<Lock['conda']>[number];

/** What runs `conda.py`: an environment that holds py-rattler. */
export interface CondaTool {
  readonly python: string;
  /** Folders and files that it needs to see. */
  readonly readOnly: readonly string[];
}

export type CondaDeps = Omit<ResolveDeps, 'uv'> & { readonly uv: Uv; readonly interpreters: Interpreters };

const PROGRAM = fileURLToPath(new URL('./conda.py', import.meta.url));
const REQUIREMENTS = fileURLToPath(new URL('./conda-requirements.lock', import.meta.url));

/** Finds the tool environment, or makes it from its committed lock. Two hubs may do so at once. */
export async function condaTool({ uv, interpreters, config, worker, log, signal }: Omit<CondaDeps, 'sandboxed'>): Promise<CondaTool> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const version = /^py-rattler==([\d.]+)/m.exec(requirements)?.[1] ?? '';
  const base = { requires: '>=3.10', prefer: 'newest', because: 'solving conda environments' };
  const [interpreter] = (await interpreters.candidates(base, log, signal)).interpreters;
  if (!interpreter) throw new BinderyError('python_not_found', 'Solving conda environments needs Python 3.10 or newer.');
  const tools = join(config.folders.cache, 'tools');
  const folder = join(tools, `py-rattler-${version}-${interpreter.version}`);
  const tool: CondaTool = { python: join(folder, 'bin/python'), readOnly: [folder, interpreter.prefix, PROGRAM] };
  if (existsSync(tool.python)) return tool;
  log.info('Fetching what solves conda environments (py-rattler, 25 MB, once).');
  const part = `${folder}.part-${randomUUID()}`;
  await mkdir(part, { recursive: true });
  await worker.give(part);
  try {
    const order = { reach: { read: [interpreter.prefix, REQUIREMENTS], write: [part] }, timeoutMs: 600_000, signal };
    await done(await uv.run(['venv', '--quiet', '--allow-existing', '--no-project', '--python', interpreter.path, part], order));
    const hashed = ['--require-hashes', '--only-binary', ':all:', '--no-deps', '-r', REQUIREMENTS];
    await done(await uv.run(['pip', 'install', '--quiet', '--python', join(part, 'bin/python'), ...hashed], order));
    await rename(part, folder).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(tool.python)) throw error;
    });
  } finally {
    await rm(part, { recursive: true, force: true });
  }
  return tool;
}

const Answer = z.union([
  z.object({
    packages: z.array(
      z.object({ name: z.string(), version: z.string(), url: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), record: z.string() }),
    ),
  }),
  z.object({
    error: z.object({ kind: z.enum(['spec', 'channel', 'unsatisfiable', 'install']), message: z.string(), subject: z.string() }),
  }),
]);
type Answer = z.infer<typeof Answer>;

/** What `conda.py` is asked to do. */
type CondaOrder =
  | {
      readonly task: 'solve';
      /** Addresses, first found first. */
      readonly channels: readonly string[];
      readonly specs: readonly string[];
      /** conda's name of the platform: `linux-64`. */
      readonly platform: string;
      readonly before: string | undefined;
    }
  | {
      readonly task: 'install';
      readonly packages: readonly CondaPackage[];
      /** Where the files go, as the program sees it. */
      readonly prefix: string;
      /** Where the environment will be: written into its files. */
      readonly mountedAt: string;
      /** A folder for archives; of one build alone. */
      readonly cache: string;
    };

/** Exact packages for specifications. `folder` takes the order and the caches. Throws `channel_unreachable`, `unsatisfiable`, `file_invalid`. */
export async function solveConda(
  tool: CondaTool,
  order: Extract<CondaOrder, { task: 'solve' }>,
  folder: string,
  deps: CondaDeps,
): Promise<readonly CondaPackage[]> {
  const file = join(folder, 'solve.json');
  await writeFile(file, JSON.stringify(order));
  const result = await deps.sandboxed({
    argv: command(tool, file),
    env: { PATH: '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8', ...certificates(deps.uv) },
    readOnly: [...tool.readOnly, ...channelFolders(order.channels, deps.config), ...deps.uv.index.files.filter((path) => existsSync(path))],
    writable: [folder],
    network: 'index',
    timeoutMs: deps.config.build.timeout * 1000,
    signal: deps.signal,
  });
  const answer = parseAnswer(result, deps.uv);
  if ('packages' in answer) return answer.packages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  throw condaError(answer.error, order.channels, deps.uv);
}

/**
 * Installs locked packages into an empty prefix. No code of a package runs, but addresses are a stranger's: `inside` runs the
 * command in the walls of a build, with the host's network or the way out, where it reads `tool.readOnly` and writes the work folder and
 * `prefix`. Throws `build_failed` with the cause, also where a file is not what was locked.
 */
export async function installConda(
  tool: CondaTool,
  packages: readonly CondaPackage[],
  places: {
    /** A folder for the order and the archives, here and as the command sees it. Not needed afterwards. */
    readonly work: readonly [here: string, inside: string];
    /** Where the files go, as the command sees it. */
    readonly prefix: string;
    /** Where the environment will be: written into its files. */
    readonly mountedAt: string;
  },
  uv: Uv,
  inside: (argv: [string, ...string[]], env: Readonly<Record<string, string>>) => Promise<RunResult>,
): Promise<void> {
  const [here, there] = places.work;
  const { prefix, mountedAt } = places;
  const order: CondaOrder = { task: 'install', packages, prefix, mountedAt, cache: `${there}/archives` };
  await writeFile(join(here, 'install.json'), JSON.stringify(order), { mode: 0o644 });
  const env = { HOME: there, ...certificates(uv) };
  const answer = parseAnswer(await inside(command(tool, `${there}/install.json`), env), uv);
  if ('error' in answer)
    throw new BinderyError('build_failed', `The conda packages could not be installed: ${uv.index.redact(answer.error.message)}`, {
      logTail: uv.index.redact(answer.error.message),
    });
}

function command(tool: CondaTool, file: string): [string, ...string[]] {
  return [tool.python, '-I', '-B', PROGRAM, file];
}

function condaError(
  { kind, message, subject }: { kind: string; message: string; subject: string },
  channels: readonly string[],
  uv: Uv,
): BinderyError {
  const text = uv.index.redact(message).trim();
  if (kind === 'spec') return new BinderyError('file_invalid', `“${subject}” is no specification of a conda package: ${text}`);
  if (kind === 'channel') {
    const named = channels.find((channel) => text.includes(channel)) ?? channels.join(', ');
    const reason =
      text
        .split('\n')
        .at(-1)
        ?.replace(/^Caused by:\s*/, '') ?? '';
    return new BinderyError('channel_unreachable', `The conda channel ${named} could not be read: ${reason}`, {
      hint: 'Check your connection and python.channelAlias; or launch with --conda pypi to take from PyPI what exists there under the same name.',
      logTail: text,
    });
  }
  return new BinderyError(
    'unsatisfiable',
    `The conda packages cannot be had together: ${text.replace(/^Cannot solve the request because of:\s*/, '')}`,
    {
      hint: 'Change the packages that the message names, or launch with --conda pypi.',
      logTail: text,
    },
  );
}

function parseAnswer(result: RunResult, uv: Uv): Answer {
  if (result.timedOut) throw new BinderyError('build_timeout', 'Working out the conda environment took too long.');
  try {
    return Answer.parse(JSON.parse(result.stdout));
  } catch (cause) {
    throw new BinderyError('build_failed', 'The conda packages could not be worked out.', {
      cause,
      logTail: uv.index.redact(result.stderr).slice(-4000),
    });
  }
}

/** The folder of local channels that the operator configured, where addresses lead into it; a repository can name no other of this machine. */
export function channelFolders(urls: readonly string[], config: Config): readonly string[] {
  const alias = config.python.channelAlias.replace(/\/*$/, '/');
  if (!alias.startsWith('file://') || !urls.some((url) => url.startsWith(alias))) return [];
  return [fileURLToPath(alias).replace(/\/$/, '')].filter((folder) => existsSync(folder));
}

function certificates(uv: Uv): Record<string, string> {
  return Object.fromEntries(Object.entries(uv.index.environment).filter(([name]) => name.startsWith('SSL_CERT')));
}

async function done(result: RunResult): Promise<void> {
  if (result.code === 0) return;
  const unreachable = /error sending request|dns error|Failed to fetch/i.test(result.stderr);
  throw new BinderyError(unreachable ? 'index_unreachable' : 'build_failed', 'What solves conda environments could not be installed.', {
    logTail: result.stderr.slice(-4000),
  });
}
