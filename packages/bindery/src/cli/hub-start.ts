import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { BinderyError, ERRORS, type ErrorCode } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { killGroup, start } from '../base/run.ts';
import { findHub, type FoundHub } from './hub-find.ts';
import { readNews } from './hub-news.ts';

/** A hub that this command started, in a process group of its own. */
export interface StartedHub extends FoundHub {
  /** Fulfilled when the process has ended. */
  readonly ended: Promise<void>;
  /** The end of what it logged. */
  logTail(): string;
  /** Ends it with whatever it started itself, at once. */
  kill(): void;
}

/** True for a hub that this command started, and so has to end. */
export function isStarted(hub: FoundHub): hub is StartedHub {
  return 'kill' in hub;
}

/** The largest log that is added to; a larger one is put aside (one of these is kept). Bytes. */
const LOG_BYTES = 4 * 1024 * 1024;
/** Milliseconds in which another hub that holds the lock must be found listening. */
const OTHER_HUB_MS = 20_000;

export interface StartOptions {
  readonly config: Config;
  /** The file that Node runs for `bindery`. */
  readonly main: string;
  /** Options for `bindery serve`. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Told what the hub is installing, now and later on. */
  readonly say: (message: string) => void;
}

/**
 * Starts `bindery serve` with its log in the state folder and waits until it listens (it says so by a pipe). Where another
 * process was quicker, that one's hub is joined.
 */
export async function startHub(options: StartOptions): Promise<StartedHub | FoundHub> {
  const folder = options.config.folders.state;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, 'hub.log');
  const from = openLog(log);
  const env = Object.entries(options.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const child = start([process.execPath, options.main, 'serve', '--ready-fd', '3', ...options.words], {
    env: Object.fromEntries(env),
    stdio: ['ignore', from.fd, from.fd, 'pipe'],
    outlive: true,
  });
  closeSync(from.fd);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const logTail = (): string => tailOf(log, from.length);
  const kill = (): void => {
    child.ref(); // whoever kills it waits for its end
    killGroup(child);
  };
  options.signal.addEventListener('abort', kill, { once: true });
  const news = await readNews(child.stdio[3] as Socket, options.say);
  options.signal.removeEventListener('abort', kill);
  options.signal.throwIfAborted();
  if (news && 'url' in news) {
    const hub = await findHub(options.config);
    if (hub) return { ...hub, ended, logTail, kill };
  }
  if (!news || 'url' in news) {
    throw new BinderyError('hub_unreachable', 'The hub ended while it was starting.', {
      logTail: logTail(),
      hint: `Its whole log is ${log}.`,
    });
  }
  const { code, message, hint, retryable } = news.error;
  if (code === 'hub_locked') return otherHub(options, new BinderyError('hub_locked', message, { hint }));
  throw new BinderyError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal', message, {
    hint,
    retryable,
    logTail: code === 'internal' ? logTail() : undefined,
  });
}

/** Waits for the hub that another process is starting on the same state folder. */
async function otherHub({ config, signal }: StartOptions, locked: BinderyError): Promise<FoundHub> {
  for (const until = Date.now() + OTHER_HUB_MS; Date.now() < until;) {
    const hub = await findHub(config);
    if (hub) return hub;
    await new Promise((resolve) => setTimeout(resolve, 100));
    signal.throwIfAborted();
  }
  throw locked;
}

/** Ends a hub that we started: sessions first (their changed files are saved), then the process; by force after `patienceMs`. */
export async function endHub(hub: StartedHub, patienceMs: number): Promise<'ended' | 'killed'> {
  const late = Symbol('late');
  const timer: { at?: NodeJS.Timeout } = {};
  const deadline = new Promise<typeof late>((resolve) => {
    timer.at = setTimeout(() => resolve(late), patienceMs);
  });
  const asked = hub.client.shutdown({ sessions: 'stop' }).then(
    () => hub.ended,
    () => hub.ended, // it may have ended before it could answer
  );
  const outcome = await Promise.race([asked, hub.ended, deadline]);
  clearTimeout(timer.at);
  if (outcome !== late) return 'ended';
  hub.kill();
  await hub.ended;
  return 'killed';
}

function openLog(path: string): { fd: number; length: number } {
  const length = existsSync(path) ? statSync(path).size : 0;
  if (length > LOG_BYTES) renameSync(path, `${path}.1`);
  return { fd: openSync(path, 'a', 0o600), length: length > LOG_BYTES ? 0 : length };
}

function tailOf(path: string, from: number): string {
  try {
    return readFileSync(path).subarray(from).subarray(-4096).toString('utf8').split('\n').slice(-15).join('\n');
  } catch {
    return '';
  }
}
