import { fork, spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { BinderyError } from '@bindery/wire/errors.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  /** Milliseconds after which it is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of stdout and of stderr that are kept, each; what comes after is dropped (but still goes to `onLine`). */
  readonly keepBytes?: number;
  /** Called for each line of stdout and stderr as it comes; lines are cut at 16 KiB. */
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

const KEEP = 4 * 1024 * 1024;
const LINE = 16 * 1024;
/** Progress that a tool writes over itself (a lone carriage return) is a line of its own. */
const LINE_END = /\r?\n|\r(?=[^\r\n])/;

/**
 * Runs a program to its end (I6): argv only, never a shell, bounded time and output, its whole process group
 * killed on time-out or abort. Resolves whatever the exit code; rejects only when the program is missing or the signal aborts.
 */
export function run(argv: readonly [string, ...string[]], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    options.signal?.throwIfAborted();
    const child = start(argv, {
      env: options.env,
      cwd: options.cwd,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let timedOut = false;
    const kill = (): void => killGroup(child);
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, options.timeoutMs);
    options.signal?.addEventListener('abort', kill, { once: true });
    const stdout = collect(child.stdout, options, 'stdout');
    const stderr = collect(child.stderr, options, 'stderr');
    const done = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', kill);
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      done();
      reject(
        error.code === 'ENOENT' ? new BinderyError('tool_missing', `The program ${argv[0]} is not installed.`, { cause: error }) : error,
      );
    });
    child.on('close', (code, signal) => {
      done();
      if (options.signal?.aborted) reject(options.signal.reason as Error);
      else resolve({ code, signal, stdout: stdout(), stderr: stderr(), timedOut });
    });
    if (options.input !== undefined) {
      child.stdin?.on('error', () => {}); // the program may end without reading: its exit code tells
      child.stdin?.end(options.input);
    }
  });
}

/** What a small program prints, waited for; nothing where it fails. For what has to be known at once and takes milliseconds. */
export function runNow([command, ...args]: readonly [string, ...string[]], env: Readonly<Record<string, string>>): string {
  return spawnSync(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8', timeout: 5000 }).stdout ?? '';
}

/** A program that runs. */
export type RunningProcess = ChildProcess;

export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly stdio: StdioOptions;
  /** Leaves the process running when we end. */
  readonly outlive?: boolean;
}

/** Starts a long-running program in a process group of its own; the only other place that spawns. */
export function start(argv: readonly [string, ...string[]], options: StartOptions): ChildProcess {
  for (const word of argv) if (word.includes('\0')) throw new BinderyError('request_invalid', 'A NUL byte cannot be part of a command.');
  const [command, ...args] = argv;
  const child = spawn(command, args, {
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: options.stdio,
    detached: true,
    shell: false,
  });
  if (options.outlive) child.unref();
  return child;
}

/** Kills a process started here with everything in its group. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

function collect(stream: NodeJS.ReadableStream | null, options: RunOptions, from: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  let kept = 0;
  let rest = '';
  const decoder = new StringDecoder('utf8');
  stream?.on('data', (chunk: Buffer) => {
    if (kept < (options.keepBytes ?? KEEP)) {
      chunks.push(chunk);
      kept += chunk.length;
    }
    if (!options.onLine) return;
    const lines = (rest + decoder.write(chunk)).split(LINE_END);
    rest = (lines.pop() ?? '').slice(0, LINE);
    for (const line of lines) options.onLine(line.slice(0, LINE), from);
  });
  stream?.on('end', () => {
    if (rest) options.onLine?.(rest, from);
  });
  return () =>
    Buffer.concat(chunks)
      .subarray(0, options.keepBytes ?? KEEP)
      .toString('utf8');
}

export type { ChildProcess };

/** Starts another Node process of ours, with a channel between the two; what it says on stderr is said on ours. */
export function forkProgram(file: string): ChildProcess {
  return fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
}
