import { spawn, type ChildProcess } from 'node:child_process';
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

  private constructor(child: ChildProcess, url: string, key: string) {
    this.child = child;
    this.url = url;
    this.#key = key;
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
      child.once('exit', (code) => reject(new Error(`the hub ended with ${code}: ${said}`)));
    });
    return new HubProcess(child, (JSON.parse(line) as { url: string }).url, readFileSync(join(state, 'hub.key'), 'utf8').trim());
  }

  ask(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, {
      ...init,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(init.body ? { 'content-type': 'application/json' } : {}),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  }

  async create(link: string): Promise<LaunchView> {
    return (await (await this.ask('/api/v1/launches', { method: 'POST', body: JSON.stringify({ link }) })).json()) as LaunchView;
  }

  /** A launch's log to its end, or to where the hub was killed. */
  async follow({ id, key }: LaunchView): Promise<LaunchEvent[]> {
    const response = await this.ask(`/api/v1/launches/${id}/events`, {
      headers: { accept: 'application/x-ndjson', 'launch-key': key ?? '' },
    });
    const lines = (await response.text()).split('\n').filter((line) => line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as LaunchEvent);
  }

  async sessions(): Promise<SessionView[]> {
    return ((await (await this.ask('/api/v1/sessions')).json()) as { sessions: SessionView[] }).sessions;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  }
}
