import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LaunchView, SessionView } from '@bindery/wire/api.ts';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { SHARED_CACHE } from './real-hub.ts';

const MAIN = fileURLToPath(new URL('../../packages/bindery/src/main.ts', import.meta.url));

/** A hub in a process of its own, that can be killed. */
export class HubProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly #key: string;
  /** The end of what it wrote to stderr. */
  readonly said: () => string;

  private constructor(child: ChildProcess, url: string, key: string, said: () => string) {
    this.child = child;
    this.url = url;
    this.#key = key;
    this.said = said;
  }

  static async start(state: string, cache = SHARED_CACHE, settings: readonly string[] = []): Promise<HubProcess> {
    const sets = [`folders.cache=${cache}`, ...settings].flatMap((setting) => ['--set', setting]);
    const child = spawn(process.execPath, [MAIN, 'serve', '--json', '--port', '0', '--state', state, ...sets], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-8000)));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('exit', (code, signal) => reject(new Error(`the hub ended while it started (${signal ?? code}): ${said}`)));
    });
    const key = readFileSync(join(state, 'hub.key'), 'utf8').trim();
    return new HubProcess(child, (JSON.parse(line) as { url: string }).url, key, () => said);
  }

  ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      authorization: `Bearer ${this.#key}`,
      ...(init.body ? { 'content-type': 'application/json' } : {}),
      ...(init.headers as Record<string, string> | undefined),
    };
    return this.#orWhyNot(path, fetch(this.url + path, { ...init, headers }));
  }

  async create(link: string): Promise<LaunchView> {
    return (await (await this.ask('/api/v1/launches', { method: 'POST', body: JSON.stringify({ link }) })).json()) as LaunchView;
  }

  /** A launch's log to its end, or to where the hub was killed. */
  async follow({ id, key }: LaunchView): Promise<LaunchEvent[]> {
    const response = await this.ask(`/api/v1/launches/${id}/events`, {
      headers: { accept: 'application/x-ndjson', 'launch-key': key ?? '' },
    });
    const lines = (await this.#orWhyNot('the events of a launch', response.text())).split('\n').filter((line) => line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as LaunchEvent);
  }

  async sessions(): Promise<SessionView[]> {
    return ((await (await this.ask('/api/v1/sessions')).json()) as { sessions: SessionView[] }).sessions;
  }

  /** A failed request says what became of the hub. */
  async #orWhyNot<T>(what: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!this.#hasEnded) await once(this.child, 'close', { signal: AbortSignal.timeout(1000) }).catch(() => {});
      const hub = this.#hasEnded ? `the hub ended (${this.child.signalCode ?? this.child.exitCode})` : 'the hub runs';
      const { message, cause = '' } = error as Error;
      throw new Error(`${what}: ${message} ${String(cause)}; ${hub}: ${this.said()}`, { cause: error });
    }
  }

  get #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#hasEnded) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  }
}
