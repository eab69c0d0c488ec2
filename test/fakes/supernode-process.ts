import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { JupyterServer } from './jupyter-server.ts';
import { until } from './until.ts';

const MAIN = fileURLToPath(new URL('../../packages/bindery/src/main.ts', import.meta.url));

/** How the document of a file is found. */
export interface Found {
  readonly format: string;
  readonly type: string;
  readonly fileId: string;
  readonly sessionId: string;
}

/** Part of a supernode that is killed: what keeps the documents, what started that and stands before it, or both at the same moment. */
export type Part = 'worker' | 'front' | 'all';

/** `bindery supernode` with its worker, in processes of their own that can be killed. */
export class SupernodeProcess {
  readonly child: ChildProcess;
  /** With the base path of the Jupyter server, as it is reached on loopback. */
  readonly url: string;
  readonly enterUrl: string;
  readonly key: string;
  readonly keyFile: string;
  /** The end of what it wrote to stderr. */
  readonly said: () => string;

  private constructor(child: ChildProcess, line: string, said: () => string) {
    const { url, enterUrl, keyFile } = JSON.parse(line) as { url: string; enterUrl: string; keyFile: string };
    this.child = child;
    this.url = url.replace('//localhost:', '//127.0.0.1:');
    this.enterUrl = enterUrl;
    this.keyFile = keyFile;
    this.key = readFileSync(keyFile, 'utf8').trim();
    this.said = said;
  }

  /** @param words of the command line, beside the server's address */
  static async start(
    folder: string,
    server: JupyterServer,
    words: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<SupernodeProcess> {
    const child = spawn(
      process.execPath,
      [MAIN, 'supernode', '--json', '--port', '0', '--set', `supernode.folder=${folder}`, '--server', addressOf(server), ...words],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: folder,
          NODE_COMPILE_CACHE: `${folder}.compiled`,
          BINDERY_SUPERNODE_TOKEN: server.token,
          ...env,
        },
      },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-8000)));
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('close', (code, signal) => reject(new Error(`the supernode ended while it started (${signal ?? code}): ${said}`)));
    });
    if (line.startsWith('{"error"')) throw new Error(line);
    return new SupernodeProcess(child, line, () => said);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Asks as who has the key. */
  async ask(method: string, path: string, body?: unknown, key = this.key): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `token ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** What a page asks for before it enters the document of a file. */
  async find(path: string, what = { format: 'json', type: 'notebook' }): Promise<Found> {
    const answer = await this.ask('PUT', `api/collaboration/session/${encodeURIComponent(path)}`, what);
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Found;
  }

  /** The address of a document for clients of JupyterLab, of ours (`room`) or of y-websocket (`y`), at another port if it is reached through something. */
  room({ format, type, fileId, sessionId }: Found, dialect: 'lab' | 'room' | 'y', port = this.port): string {
    const base = new URL(this.url);
    base.protocol = 'ws:';
    base.port = String(port);
    const name = `${format}:${type}:${fileId}`;
    const path = dialect === 'lab' ? `api/collaboration/room/${name}` : `api/bindery/${dialect}/${encodeURIComponent(name)}`;
    return `${base.href}${path}?token=${this.key}${dialect === 'lab' ? `&sessionId=${sessionId}` : ''}`;
  }

  /** The process that keeps the documents; undefined while there is none. */
  get worker(): number | undefined {
    return childrenOf(this.child.pid ?? 0)[0];
  }

  /** As a crash ends it, or a power cut. Comes when it is gone; the worker of a front that was killed ends by itself. */
  async kill(part: Part): Promise<void> {
    const { worker } = this;
    if (part === 'worker') {
      if (worker !== undefined) process.kill(worker, 'SIGKILL');
      return until('another worker', () => this.worker !== undefined && this.worker !== worker);
    }
    const gone = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'exit') : undefined;
    try {
      if (part === 'all') process.kill(-(this.child.pid ?? 0), 'SIGKILL');
      else this.child.kill('SIGKILL');
    } catch {
      // It has ended already.
    }
    await gone;
    if (part === 'all' && worker !== undefined) await until('the worker is gone', () => !isThere(worker));
  }

  /** Ends it as its user does. Returns the exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill(signal);
      await gone;
    }
    return this.child.exitCode;
  }
}

/** As `--server` takes it. */
export function addressOf({ socketPath, url }: JupyterServer): string {
  return socketPath === undefined ? url : `http+unix://${encodeURIComponent(socketPath)}${new URL(url).pathname}`;
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function isThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
