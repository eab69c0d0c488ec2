import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { killGroup, start, type RunningProcess } from '../../base/run.ts';
import { RUNTIME, type Place } from './place.ts';
import { INSIDE, userEnv } from './sandbox.ts';
import type { ServerRuntime } from './server-runtime.ts';

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

  /** Starts the supervisor of a session's folder. What it tells comes out of the socket as lines of JSON; the socket closes when it ends. */
  async supervise(folder: string): Promise<Socket> {
    if (folder.includes('\n')) throw new BinderyError('config_invalid', 'The path of the state folder contains a line break.');
    const line = await this.#connected();
    line.on('error', () => line.destroy());
    line.write(`${folder}\n`);
    return line;
  }

  /** Starts the process, which begins to load; fulfilled when it has been started. */
  async load(): Promise<void> {
    await this.#running();
  }

  /** Makes sure that the process listens. The state folder must be this hub's by now: two processes cannot listen at one path. */
  async warm(): Promise<void> {
    const { child, ready } = await this.#running();
    child.stdin?.write('\n');
    await ready;
  }

  close(): void {
    void this.#process?.then(({ child }) => killGroup(child, 'SIGTERM')).catch(() => {});
    this.#process = undefined;
  }

  async #connected(isSecond = false): Promise<Socket> {
    const running = this.#running();
    await this.warm();
    const line = connect(this.#socket);
    try {
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

interface Loading {
  readonly child: RunningProcess;
  /** Fulfilled when it listens. */
  readonly ready: Promise<unknown>;
}
