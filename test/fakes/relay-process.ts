import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../packages/bindery/src/main.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('memory-probe.ts', import.meta.url));

export interface RelayProcessOptions {
  /** `name=value` each. */
  readonly settings?: readonly string[];
  /** Whether `memory` is asked for. */
  readonly isProbed?: boolean;
  /** What runs the command line that is put behind it; nothing by default. */
  readonly wrapper?: readonly string[];
}

/** Bytes of a process after all garbage is gone. */
export interface Memory {
  readonly rss: number;
  readonly used: number;
}

/** `bindery relay` in a process of its own, that can be killed. */
export class RelayProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly key: string;
  /** The end of what it wrote to stderr. */
  readonly said: () => string;

  private constructor(child: ChildProcess, port: number, key: string, said: () => string) {
    this.child = child;
    this.port = port;
    this.key = key;
    this.said = said;
  }

  static async start(folder: string, { settings = [], isProbed = false, wrapper = [] }: RelayProcessOptions = {}): Promise<RelayProcess> {
    const sets = [`relay.folder=${folder}`, 'relay.host=127.0.0.1', ...settings].flatMap((setting) => ['--set', setting]);
    const probe = isProbed ? ['--expose-gc', '--import', PROBE] : [];
    const [command = '', ...args] = [...wrapper, process.execPath, ...probe, MAIN, 'relay', '--json', '--port', '0', ...sets];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...(isProbed ? ['ipc' as const] : [])] });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-8000)));
    const line = await new Promise<string>((resolve, reject) => {
      if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
      child.once('exit', (code, signal) => reject(new Error(`the relay ended while it started (${signal ?? code}): ${said}`)));
    });
    const { url, keyFile, pid } = JSON.parse(line) as { url: string; keyFile: string; pid: number };
    const key = readFileSync(wrapper.length > 0 ? join(`/proc/${pid}/root`, keyFile) : keyFile, 'utf8').trim();
    return new RelayProcess(child, Number(new URL(url).port), key, () => said);
  }

  /** The address of a room, at another port if it is reached through something. */
  room(name: string, port = this.port): string {
    return `ws://127.0.0.1:${port}/room/${encodeURIComponent(name)}?key=${this.key}`;
  }

  /** What it takes, all garbage collected. */
  async memory(): Promise<Memory> {
    const answer = once(this.child, 'message', { signal: AbortSignal.timeout(60_000) });
    this.child.send('memory');
    return ((await answer) as [Memory])[0];
  }

  /** What its file descriptors are. */
  openFiles(): string[] {
    const fds = `/proc/${this.child.pid}/fd`;
    return readdirSync(fds).flatMap((fd) => {
      try {
        return [readlinkSync(join(fds, fd))];
      } catch {
        // Closed meanwhile.
        return [];
      }
    });
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }
}
