import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { killGroup, start, type RunningProcess } from '../../base/run.ts';
import { RUNTIME, type Place } from './place.ts';
import { INSIDE, userEnv } from './sandbox.ts';
import type { ServerRuntime } from './server-runtime.ts';

/** What a supervisor tells, a line of JSON each time. */
const Told = z.object({ event: z.string(), pid: z.number().optional(), ms: z.number().optional() });

/** A supervisor that was started. */
export interface Supervised {
  /** Undefined for one that ended before it had begun: nothing of the session was started. */
  readonly pid: number | undefined;
  readonly ended: Promise<void>;
}

/**
 * Starts supervisors and servers through one process that forks them, loaded with all that they need (runtime/herd.py): a fork of the hub itself
 * copies the page tables of a hundred megabytes, on the thread that serves everybody. It ends with the hub; what it forked does not.
 */
export class Herd {
  readonly #place: Place;
  readonly #runtime: () => Promise<ServerRuntime>;
  readonly #socket: string;
  #process: Promise<Loading> | undefined;

  constructor(place: Place, runtime: () => Promise<ServerRuntime>) {
    this.#place = place;
    this.#runtime = runtime;
    this.#socket = join(place.config.folders.state, 'herd.sock');
  }

  /**
   * Starts the supervisor of a session's folder; fulfilled when it has begun. `told` hears what it tells. Where the process was killed before
   * it had forked one, another forks it: the order in the folder can be taken once only.
   */
  async supervise(folder: string, told: (event: z.infer<typeof Told>) => void): Promise<Supervised> {
    if (folder.includes('\n')) throw new BinderyError('config_invalid', 'The path of the state folder contains a line break.');
    const first = await this.#fork(folder, told);
    return first.pid === undefined ? this.#fork(folder, told) : first;
  }

  /** Starts the process, which begins to load; fulfilled when it has been started. */
  async load(): Promise<void> {
    await this.#running();
  }

  /** Makes sure that the process listens. The state folder must be this hub's by now: two processes cannot listen at one path. */
  async warm(): Promise<void> {
    await listening(await this.#running());
  }

  close(): void {
    void this.#process?.then(({ child }) => killGroup(child, 'SIGTERM')).catch(() => {});
    this.#process = undefined;
  }

  async #fork(folder: string, told: (event: z.infer<typeof Told>) => void): Promise<Supervised> {
    const line = await this.#connected();
    const begun = Promise.withResolvers<number | undefined>();
    const ended = new Promise<void>((resolve) => line.once('close', () => resolve()));
    void ended.then(() => begun.resolve(undefined));
    let rest = '';
    line.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const each of lines) {
        const event = Told.parse(JSON.parse(each));
        if (event.event === 'begun') begun.resolve(event.pid);
        told(event);
      }
    });
    line.write(`${folder}\n`);
    return { pid: await begun.promise, ended };
  }

  async #connected(isSecond = false): Promise<Socket> {
    const running = this.#running();
    const process = await running;
    try {
      await listening(process);
      const line = connect(this.#socket);
      line.on('error', () => {}); // it closes then, which says all: whoever forks was killed
      await once(line, 'connect');
      return line;
    } catch (error) {
      this.#forget(running);
      if (isSecond) throw error;
      return this.#connected(true); // it was killed a moment ago: there is another
    }
  }

  #running(): Promise<Loading> {
    if (this.#process) return this.#process;
    const process = this.#start(() => this.#forget(process));
    process.catch(() => this.#forget(process));
    return (this.#process = process);
  }

  #forget(process: Promise<Loading>): void {
    if (this.#process === process) this.#process = undefined;
  }

  async #start(ended: () => void): Promise<Loading> {
    const program = join(RUNTIME, 'herd.py');
    const { isolated, python } = this.#place;
    const argv: [string, ...string[]] = isolated
      ? [join((await this.#runtime()).prefix, 'bin', 'python'), '-I', '-B', program, this.#socket, 'load']
      : [python.path, '-I', '-S', '-B', program, this.#socket];
    const child = start(argv, {
      // some modules read it when they are loaded, and keep what they read
      env: isolated ? userEnv(INSIDE, {}) : { PATH: '/usr/bin:/bin' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-4000)));
    child.stdin?.on('error', () => {}); // it has ended, which is told below
    child.once('exit', ended);
    const failed = once(child, 'exit').then(() => {
      throw new BinderyError('start_failed', 'The process that starts sessions ended at once.', { logTail: said });
    });
    const ready = Promise.race([once(child.stdout!, 'data'), failed]);
    ready.catch(() => {}); // told to whoever starts a session; a later end is nobody's failure: the next session starts another
    failed.catch(() => {});
    return { child, ready };
  }
}

/** Tells the process that the socket is its own, and comes back when it listens there. */
async function listening({ child, ready }: Loading): Promise<void> {
  child.stdin?.write('\n');
  await ready;
}

interface Loading {
  readonly child: RunningProcess;
  /** Fulfilled when it listens. */
  readonly ready: Promise<unknown>;
}
