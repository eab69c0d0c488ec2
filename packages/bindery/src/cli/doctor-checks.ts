import { lookup } from 'node:dns/promises';
import { mkdir, readFile, statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { run } from '../base/run.ts';
import type { Worker } from '../base/worker.ts';
import { indexSettings } from '../clients/package-index.ts';
import { IndexReader } from '../clients/package-page.ts';
import { findUv, type Uv } from '../clients/uv.ts';
import { Interpreters } from '../engines/local/interpreters.ts';
import { detectLimits } from '../engines/local/limits/limits.ts';
import { probe } from '../engines/local/probe.ts';
import { helperUser } from '../hub/assemble.ts';
import { browserCommand } from './browser.ts';
import { findHub } from './hub-find.ts';
import { size, type Terminal } from './terminal.ts';

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  /** `note`: works without it, but less well; `fail`: repositories cannot be launched. */
  readonly state: 'ok' | 'note' | 'fail';
  readonly found: string;
  /** The command or setting that mends it. */
  readonly mend?: string;
}

interface Subject {
  readonly config: Config;
  readonly terminal: Terminal;
  readonly worker: Worker;
  readonly uv: () => Promise<Uv>;
}

/** The longest that any one thing is waited for, in milliseconds. */
const PATIENCE_MS = 60_000;

/** Looks at everything that a launch needs; each check is tried even where another fails. */
export async function examine(config: Config, terminal: Terminal): Promise<Check[]> {
  const worker = helperUser();
  let uv: Promise<Uv> | undefined;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const subject: Subject = {
    config,
    terminal,
    worker,
    uv: () => (uv ??= findUv({ config, worker, variables: terminal.env, say: (message) => terminal.err(`${message}\n`), signal })),
  };
  const checks: readonly ((subject: Subject) => Check | Promise<Check | Check[]>)[] = [
    node,
    git,
    gitLfs,
    sandbox,
    namespaces,
    limits,
    uvProgram,
    interpreters,
    index,
    github,
    disk,
    memory,
    localhost,
    browser,
    hub,
  ];
  const found = await Promise.all(checks.map(async (check) => check(subject)));
  return found.flat();
}

function node(): Check {
  return { name: 'Node', state: 'ok', found: `${process.version} (${process.execPath})` };
}

async function versionOf(argv: readonly [string, ...string[]], { terminal }: Subject): Promise<string | undefined> {
  const result = await run(argv, { env: { PATH: terminal.env['PATH'] ?? '/usr/bin:/bin' }, timeoutMs: 10_000 }).catch(() => undefined);
  return result?.code === 0 ? result.stdout.trim().split('\n')[0] : undefined;
}

async function git(subject: Subject): Promise<Check> {
  const found = await versionOf(['git', '--version'], subject);
  if (found !== undefined) return { name: 'Git', state: 'ok', found };
  return { name: 'Git', state: 'fail', found: 'not installed', mend: install('git') };
}

async function gitLfs(subject: Subject): Promise<Check> {
  const found = await versionOf(['git-lfs', 'version'], subject);
  if (found !== undefined) return { name: 'Git LFS', state: 'ok', found };
  return { name: 'Git LFS', state: 'note', found: 'not installed: large files come as pointers', mend: install('git-lfs') };
}

function install(name: string): string {
  if (process.platform === 'darwin') return `brew install ${name}`;
  return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install ${name}`;
}

async function sandbox({ config, worker, terminal }: Subject): Promise<Check[]> {
  await mkdir(config.folders.state, { recursive: true, mode: 0o700 });
  const python = () =>
    new Interpreters({ config, worker, variables: terminal.env, uv: () => Promise.reject(new Error('not asked')) })
      .list(AbortSignal.timeout(PATIENCE_MS))
      .then((all) => all[0]?.path)
      .catch(() => undefined);
  const { sandbox, overlay } = await probe(python, { worker, config });
  const root = worker.uid !== undefined;
  const without = root
    ? 'A hub that is started as root runs nothing without one: start it as an ordinary user.'
    : 'Only the bundled examples, your own folders, and links with --trust run, as you and not isolated.';
  return [
    {
      name: 'Sandbox',
      state: sandbox.ok ? 'ok' : root ? 'fail' : 'note',
      found: sandbox.ok ? sandbox.why : `${sandbox.why} ${without}`,
      ...(sandbox.mend === undefined ? {} : { mend: sandbox.mend }),
    },
    {
      name: 'Overlay',
      state: overlay.ok ? 'ok' : 'note',
      found: overlay.why,
      ...(overlay.mend === undefined ? {} : { mend: overlay.mend }),
    },
  ];
}

/** Settings of the kernel that keep people who are not root from making namespaces. */
const NAMESPACE_SETTINGS: readonly [string, (value: number) => boolean, string][] = [
  ['/proc/sys/user/max_user_namespaces', (value) => value === 0, 'sysctl user.max_user_namespaces=10000'],
  ['/proc/sys/kernel/unprivileged_userns_clone', (value) => value === 0, 'sysctl kernel.unprivileged_userns_clone=1'],
  [
    '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    (value) => value === 1,
    'sysctl kernel.apparmor_restrict_unprivileged_userns=0',
  ],
];

async function namespaces(): Promise<Check> {
  const name = 'Namespaces';
  if (process.platform !== 'linux') return { name, state: 'note', found: `there are none on ${process.platform}` };
  for (const [path, forbids, mend] of NAMESPACE_SETTINGS) {
    const value = await readFile(path, 'utf8').catch(() => undefined);
    if (value === undefined || !forbids(Number(value))) continue;
    return {
      name,
      state: process.getuid?.() === 0 ? 'ok' : 'note',
      found: `${path} is ${value.trim()}: only root can make them`,
      mend: `sudo ${mend}`,
    };
  }
  return { name, state: 'ok', found: 'the kernel lets every user make them' };
}

async function limits(): Promise<Check> {
  const name = 'Limits';
  if (process.platform !== 'linux') return { name, state: 'note', found: 'memory, processes and disk are watched, not bounded' };
  const found = await detectLimits({ scope: 'doctor' });
  if (found.kind !== 'none') return { name, state: 'ok', found: found.reason };
  return { name, state: 'note', found: found.reason, mend: 'systemd-run --user --scope -p Delegate=yes bindery launch …' };
}

async function uvProgram(subject: Subject): Promise<Check> {
  try {
    const uv = await subject.uv();
    return { name: 'uv', state: 'ok', found: `${uv.version} (${uv.path})` };
  } catch (error) {
    return { name: 'uv', state: 'fail', found: messageOf(error), mend: hintOf(error) ?? 'Set python.uv to a uv binary.' };
  }
}

async function interpreters({ config, worker, terminal, uv }: Subject): Promise<Check> {
  const all = await new Interpreters({ config, worker, variables: terminal.env, uv }).list(AbortSignal.timeout(PATIENCE_MS));
  const found = all.map((one) => (one.from === 'managed' ? `${one.version} (fetched)` : one.version)).join(', ');
  if (all.length > 0) return { name: 'Python', state: 'ok', found };
  if (config.python.managed)
    return { name: 'Python', state: 'note', found: 'none here; one is fetched when it is needed', mend: install('python3') };
  return { name: 'Python', state: 'fail', found: 'none here, and none may be fetched (python.managed)', mend: install('python3') };
}

async function index({ config, terminal }: Subject): Promise<Check> {
  const settings = await indexSettings(config, terminal.env);
  const reader = await IndexReader.open(settings);
  try {
    const files = await reader.files('ipykernel', AbortSignal.timeout(20_000));
    if (files !== undefined) return { name: 'Package index', state: 'ok', found: `${settings.host} answers` };
    return {
      name: 'Package index',
      state: 'fail',
      found: `${settings.host} answers, but has no ipykernel`,
      mend: 'Set python.indexUrl to a full index.',
    };
  } catch (error) {
    return {
      name: 'Package index',
      state: 'fail',
      found: settings.redact(messageOf(error)),
      mend: hintOf(error) ?? 'Check the connection, or set python.indexUrl.',
    };
  } finally {
    await reader.close();
  }
}

async function github({ config, terminal }: Subject): Promise<Check> {
  const { url } = config.github;
  const env = Object.fromEntries(
    Object.entries(terminal.env).flatMap(([name, value]) => (/_proxy$/i.test(name) && value !== undefined ? [[name, value]] : [])),
  );
  const argv: [string, ...string[]] = ['git', '-c', 'http.lowSpeedTime=10', 'ls-remote', '--quiet', '--', `${url}/git/git`, 'HEAD'];
  const result = await run(argv, {
    env: { ...env, PATH: terminal.env['PATH'] ?? '/usr/bin:/bin', GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_GLOBAL: '/dev/null' },
    timeoutMs: 20_000,
  }).catch(() => undefined);
  // Any answer of the server will do: another host than github.com may not have this repository.
  const silent =
    result === undefined || result.timedOut || /could not resolve|failed to connect|timed out|could not connect|SSL/i.test(result.stderr);
  if (!silent) return { name: 'GitHub', state: 'ok', found: `${url} answers` };
  const found = `${url} does not answer; repositories from elsewhere, and folders, can be launched`;
  return { name: 'GitHub', state: 'note', found, mend: 'Check the connection or the proxy settings.' };
}

const GIB = 2 ** 30;

async function disk({ config }: Subject): Promise<Check[]> {
  const folders: readonly [string, string][] = [
    ['Disk (cache)', config.folders.cache],
    ['Disk (state)', config.folders.state],
  ];
  return Promise.all(
    folders.map(async ([name, folder]): Promise<Check> => {
      await mkdir(folder, { recursive: true });
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      const found = `${size(free)} free for ${folder}`;
      if (free > 5 * GIB) return { name, state: 'ok', found };
      return {
        name,
        state: free > GIB ? 'note' : 'fail',
        found,
        mend: 'bindery gc --all, or another folder (folders.cache, folders.state)',
      };
    }),
  );
}

function memory({ config }: Subject): Check {
  const free = process.availableMemory();
  const found = `${size(free)} of ${size(totalmem())} free`;
  if (Math.max(free, freemem()) > config.session.freeMemory * 2) return { name: 'Memory', state: 'ok', found };
  return { name: 'Memory', state: 'note', found: `${found}: sessions will wait (session.freeMemory)`, mend: 'End what needs much memory.' };
}

async function localhost(): Promise<Check> {
  const name = '*.localhost';
  const found = await lookup('bindery-doctor.localhost').catch(() => undefined);
  if (found && /^(?:127\.|::1$)/.test(found.address)) return { name, state: 'ok', found: `leads to ${found.address}` };
  return { name, state: 'ok', found: 'is not resolved here, but browsers know it by themselves' };
}

function browser({ terminal }: Subject): Check {
  const found = browserCommand(terminal);
  return { name: 'Browser', state: 'ok', found: found ? `opened with ${found[0]}` : 'none is opened from here: links are printed' };
}

async function hub({ config }: Subject): Promise<Check> {
  try {
    const found = await findHub(config);
    return { name: 'Hub', state: 'ok', found: found ? `runs at ${found.url}` : 'none runs; bindery launch starts one' };
  } catch (error) {
    return { name: 'Hub', state: 'note', found: messageOf(error), ...(error instanceof BinderyError ? { mend: error.hint } : {}) };
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

function hintOf(error: unknown): string | undefined {
  return error instanceof BinderyError ? error.hint : undefined;
}
