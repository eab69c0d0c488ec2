import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { JupyterServer as JupyterApi } from '../../packages/bindery/src/supernode/jupyter-server.ts';
import { toolUv } from '../tools.ts';
import { SHARED_CACHE } from './real-hub.ts';

const LOCK = new URL('../../packages/bindery/src/engines/local/runtime/requirements.lock', import.meta.url).pathname;

/** A real Jupyter server with ipykernel, of the packages that sessions run, in a folder of its own, which a test may use beside it. */
export class JupyterServer implements AsyncDisposable {
  readonly folder: string;
  readonly socketPath: string | undefined;
  readonly token: string;
  /** Where its kernels' sockets are. */
  readonly kernels: string;
  /** With a socket, an address whose host says nothing. */
  readonly url: string;
  /** It as the supernode sees it. */
  readonly api: JupyterApi;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess, port: number | undefined, token: string) {
    this.folder = folder;
    this.token = token;
    this.kernels = join(folder, 'run');
    this.socketPath = port === undefined ? join(folder, 'nb.sock') : undefined;
    this.url = port === undefined ? 'http://localhost/base/' : `http://127.0.0.1:${port}/base/`;
    this.api = new JupyterApi(this);
    this.#child = child;
  }

  /** @param port of loopback, in place of the UNIX socket; an empty token: it asks for none */
  static async start(options: readonly string[] = [], port?: number, token = 'a-token'): Promise<JupyterServer> {
    const python = join(await environment(), 'bin/python');
    const folder = await mkdtemp(join(tmpdir(), 'jupyter-'));
    const root = join(folder, 'root');
    await mkdir(root);
    const child = spawn(
      python,
      [
        '-m',
        'jupyter_server',
        port === undefined ? `--ServerApp.sock=${join(folder, 'nb.sock')}` : `--ServerApp.port=${port}`,
        '--ServerApp.base_url=/base/',
        `--IdentityProvider.token=${token}`,
        `--ServerApp.root_dir=${root}`,
        '--ServerApp.disable_check_xsrf=True',
        '--KernelManager.transport=ipc',
        '--no-browser',
        '--allow-root',
        ...options,
      ],
      {
        stdio: ['ignore', 'ignore', process.env['JUPYTER_LOG'] ? 'inherit' : 'ignore'],
        env: { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: 'C.UTF-8', JUPYTER_RUNTIME_DIR: join(folder, 'run') },
      },
    );
    const server = new JupyterServer(folder, child, port, token);
    const end = performance.now() + 120_000;
    while (!(await server.ask('GET', 'api/status').catch(() => undefined))) {
      if (performance.now() > end || child.exitCode !== null) {
        child.kill('SIGKILL');
        throw new Error('The Jupyter server does not start.');
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  /** Asks the API; fails unless the answer is a success. */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers = { authorization: `token ${this.token}`, 'content-type': 'application/json' };
    const { hostname, port } = new URL(this.url);
    const where = this.socketPath === undefined ? { hostname, port } : { socketPath: this.socketPath };
    const asked = request({ ...where, path: `/base/${path}`, method, headers, agent: false });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    const status = answer.statusCode ?? 0;
    if (status === 204) return undefined;
    const said = await json(answer).catch(() => undefined);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(said)}`);
    return said;
  }

  async startKernel(): Promise<string> {
    return ((await this.ask('POST', 'api/kernels', {})) as { id: string }).id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.close();
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, 'exit');
      const kernels = ((await this.ask('GET', 'api/kernels').catch(() => [])) ?? []) as { id: string }[];
      await Promise.all(kernels.map(({ id }) => this.ask('DELETE', `api/kernels/${id}`).catch(() => undefined)));
      this.#child.kill('SIGTERM');
      // With kernels gone it asks nothing; one that hangs is not waited for.
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(timer);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An environment with the server's packages, made once for all tests. */
async function environment(): Promise<string> {
  const lock = await readFile(LOCK, 'utf8');
  const folder = join(SHARED_CACHE, `jupyter-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`);
  if (await exists(join(folder, 'bin/python'))) return folder;
  const uv = await toolUv();
  const part = `${folder}.${process.pid}`;
  const variables = { env: { ...process.env, UV_CACHE_DIR: join(SHARED_CACHE, 'uv-cache') } };
  execFileSync(uv, ['venv', '--quiet', '--relocatable', part], variables);
  const wanted = ['--constraints', LOCK, 'jupyter-server', 'ipykernel'];
  execFileSync(uv, ['pip', 'install', '--quiet', '--compile-bytecode', '--python', join(part, 'bin/python'), ...wanted], variables);
  await rename(part, folder).catch(() => rm(part, { recursive: true, force: true }));
  return folder;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
