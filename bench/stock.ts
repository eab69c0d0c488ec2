import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { lockedPackages } from '../packages/bindery/src/engines/local/server-runtime.ts';
import { freePort } from '../test/fakes/free-port.ts';

const LOCK = new URL('../packages/bindery/src/engines/local/runtime/requirements.lock', import.meta.url).pathname;

/** The peer: JupyterLab as its users start it, from the very packages of the server runtime, with bytecode, without node on its PATH. */
export class StockLab {
  readonly folder = mkdtempSync(join(tmpdir(), 'bindery-stock-'));
  readonly #uv: string;

  /** @param tools the `tools` folder of a cache in which the server runtime is: the same interpreter is taken. */
  constructor(tools: string) {
    const server = readdirSync(tools).find((name) => /^server-[0-9a-f]{16}$/.test(name)) ?? '';
    const { python } = z
      .object({ python: z.object({ path: z.string() }) })
      .parse(JSON.parse(readFileSync(join(tools, server, 'runtime.json'), 'utf8')));
    const uv = readdirSync(tools).find((name) => name.startsWith('uv-'));
    this.#uv = uv ? join(tools, uv, 'uv') : 'uv';
    if (lockedPackages(readFileSync(LOCK, 'utf8')).length === 0) throw new Error('the lock of the server runtime names no packages');
    execFileSync(this.#uv, ['venv', '--quiet', '--python', python.path, join(this.folder, 'venv')]);
    execFileSync(
      this.#uv,
      ['pip', 'install', '--quiet', '--compile-bytecode', '--python', join(this.folder, 'venv/bin/python'), '-r', LOCK],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  }

  async start(content: string): Promise<StockServer> {
    const port = await freePort();
    const argv = [
      '--no-browser',
      '--allow-root',
      `--port=${port}`,
      '--ServerApp.port_retries=0',
      '--IdentityProvider.token=stock',
      `--ServerApp.root_dir=${content}`,
    ];
    const since = performance.now();
    const child = spawn(join(this.folder, 'venv/bin/jupyter-lab'), argv, {
      stdio: 'ignore',
      detached: true,
      env: { PATH: `${join(this.folder, 'venv/bin')}:/usr/bin:/bin`, HOME: this.folder, LANG: 'C.UTF-8' },
    });
    return new StockServer(child, `http://127.0.0.1:${port}/`, since);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class StockServer {
  readonly url: string;
  readonly token = 'stock';
  readonly since: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, url: string, since: number) {
    this.#child = child;
    this.url = url;
    this.since = since;
  }

  /** Milliseconds from its start to the first 200 of /api/status, looked for every 5 ms. */
  async answers(): Promise<number> {
    for (;;) {
      const response = await fetch(`${this.url}api/status?token=stock`).catch(() => undefined);
      await response?.arrayBuffer();
      if (response?.status === 200) return performance.now() - this.since;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    process.kill(-(this.#child.pid ?? 0), 'SIGKILL');
    await gone;
  }
}
