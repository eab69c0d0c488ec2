import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../base/log.ts';
import { forkProgram, type ChildProcess } from '../base/run.ts';
import { newKey } from '../base/secrets.ts';
import type { JupyterAddress } from './jupyter-server.ts';

/** A Jupyter server, as the process that keeps its documents reaches it. What is below its base address is asked for below the same path here. */
export interface SharedSession extends JupyterAddress {
  readonly id: string;
}

export interface BesideOptions {
  /** Where documents are kept. */
  readonly folder: string;
  readonly log: Logger;
}

const PROGRAM = fileURLToPath(new URL('worker.ts', import.meta.url));
/** Milliseconds until it is started again after a crash; doubled each time until it has lived for a minute. */
const AGAIN_MS = 250;
const LONGEST_MS = 10_000;
const LIVED_MS = 60_000;
/** Milliseconds that saving may take before a session ends all the same. */
const FLUSH_MS = 10_000;
const END_MS = 15_000;

/** The process that keeps the documents of a hub's sessions: started with the first session, started again when it crashes (`worker.ts`). */
export class Beside {
  readonly #options: BesideOptions;
  readonly #secret = newKey();
  readonly #sessions = new Map<string, SharedSession>();
  readonly #flushes = new Map<number, () => void>();
  #child: ChildProcess | undefined;
  #starting: Promise<void> | undefined;
  #startedAt = 0;
  #waitMs = AGAIN_MS;
  #flushed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: BesideOptions) {
    this.#options = options;
  }

  /** Where the proxy reaches it, and what it says there. Comes when it listens, or fails when it can't be started. */
  async put(session: SharedSession): Promise<{ readonly socketPath: string; readonly authorization: string }> {
    this.#sessions.set(session.id, session);
    const fresh = this.#child === undefined;
    await (this.#starting ??= this.#start());
    if (!fresh) this.#tell({ type: 'put', ...session });
    return { socketPath: this.#socketPath, authorization: `Bearer ${this.#secret}` };
  }

  /** Forgets the documents of all sessions but these: of those that ended while no hub ran. */
  async keepOnly(ids: ReadonlySet<string>): Promise<void> {
    const { folder } = this.#options;
    const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of found)
      if (entry.isDirectory() && !ids.has(entry.name)) await rm(join(folder, entry.name), { recursive: true, force: true });
  }

  /** Saves what is open of a session, before it ends. Never fails, and takes ten seconds at most. */
  async flush(id: string): Promise<void> {
    if (!this.#child || !this.#sessions.has(id)) return;
    const number = ++this.#flushed;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FLUSH_MS);
      this.#flushes.set(number, () => {
        clearTimeout(timer);
        resolve();
      });
      this.#tell({ type: 'flush', id, number });
    });
    this.#flushes.delete(number);
  }

  /** The session has ended: its documents are forgotten. */
  async remove(id: string): Promise<void> {
    if (!this.#sessions.delete(id)) return;
    if (this.#child) this.#tell({ type: 'remove', id });
    else await rm(join(this.#options.folder, id), { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
      if (child.connected) child.disconnect();
      await ended;
      clearTimeout(late);
    }
    await rm(this.#socketPath, { force: true });
  }

  /** Shorter than that of any session, and so short enough for a socket. */
  get #socketPath(): string {
    return join(this.#options.folder, 'rtc.sock');
  }

  async #start(): Promise<void> {
    const { folder, log } = this.#options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (this.#isClosed) throw new Error('The hub is being shut down.');
    const child = forkProgram(PROGRAM);
    this.#child = child;
    this.#startedAt = performance.now();
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (message: { type: string; number: number }) => {
        if (message.type === 'ready') resolve();
        else this.#flushes.get(message.number)?.();
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(new Error(`The process that keeps shared documents ended (${signal ?? code}).`));
        this.#gone(child, signal ?? code);
      });
    });
    // Whoever waits for it hears of it; nobody may.
    ready.catch(() => undefined);
    this.#tell({ type: 'begin', folder, socketPath: this.#socketPath, secret: this.#secret, level: log.level });
    for (const session of this.#sessions.values()) this.#tell({ type: 'put', ...session });
    await ready;
  }

  #gone(child: ChildProcess, how: unknown): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#starting = undefined;
    for (const done of this.#flushes.values()) done();
    if (this.#isClosed) return;
    this.#options.log.error({ how }, 'the process that keeps shared documents ended; it is started again');
    this.#waitMs = performance.now() - this.#startedAt > LIVED_MS ? AGAIN_MS : Math.min(2 * this.#waitMs, LONGEST_MS);
    this.#timer = setTimeout(() => {
      if (this.#sessions.size > 0) (this.#starting ??= this.#start()).catch(() => undefined);
    }, this.#waitMs);
  }

  #tell(order: Readonly<Record<string, unknown>>): void {
    const child = this.#child;
    if (child?.connected) child.send(order, () => undefined);
  }
}
