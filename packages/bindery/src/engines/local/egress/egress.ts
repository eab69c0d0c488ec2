import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { getCompileCacheDir } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { killGroup, start } from '../../../base/run.ts';
import type { Target } from './decision.ts';
import { EgressReport, type EgressOrder, type EgressStats } from './messages.ts';
import { companyProxy, gatewayIndexes, hostsOf, indexEnvironment, type IndexParts } from './surroundings.ts';

/**
 * The way out of sandboxes whose network is `filtered`. They have no network at all but a UNIX socket in a folder that is bound
 * into each; behind it a process of its own decides where they may go (decision.ts) and carries their bytes (proxy.ts).
 * Inside, forward.py makes a local TCP port of the socket, and `proxyEnvironment` tells programs of it.
 *
 * The process ends when the hub ends, however that happens, since its stdin ends then. It is started again when it dies, under
 * the same path: bind the folder into sandboxes, read-only, not the socket.
 */
export interface Egress {
  /** To be bound into sandboxes, read-only. */
  readonly folder: string;
  /** Name of the socket in the folder. */
  readonly socketName: string;
  /** For programs in sandboxes: where the proxy and the package indexes are. Holds no secret. */
  readonly environment: Readonly<Record<string, string>>;
  /** As of a moment ago, since the present process started. */
  stats(): EgressStats;
  /** Identity of the present process; undefined while it is being started again. */
  pid(): number | undefined;
  close(): Promise<void>;
}

export interface EgressOptions {
  /** A folder for this alone; made if need be. */
  readonly folder: string;
  /** User (and group) id that the process takes when the hub is root. */
  readonly uid?: number | undefined;
  /** Hosts that are open wherever they are, beside those of `indexes`: the configured Git and conda hosts (see `hostsOf`). */
  readonly allowHosts: readonly Target[];
  /** Package indexes of this machine, with its proxy and certificates (clients/package-index.ts). */
  readonly indexes?: IndexParts;
  readonly log: Logger;
  readonly clock: Clock;
  readonly limits?: EgressOrder['limits'];
}

type Child = ReturnType<typeof start>;

const SOCKET = 'egress.sock';
const PORT = 3128;
const LINE_LENGTH = 16 * 1024;
const START_MS = 15_000;
const LIMITS: EgressOrder['limits'] = { connections: 1024, connectMs: 20_000, idleMs: 15 * 60_000 };
/** Milliseconds before it is started again; grows while it keeps dying young. */
const AGAIN_MS = { first: 50, most: 10_000, young: 30_000 };

/** What programs in a sandbox go by. Lower and upper case, since half of them know only one; Node asks for a switch. */
export function proxyEnvironment(port = PORT): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const direct = 'localhost,127.0.0.1,::1';
  const both = { http_proxy: proxy, https_proxy: proxy, no_proxy: direct };
  return {
    ...both,
    ...Object.fromEntries(Object.entries(both).map(([name, value]) => [name.toUpperCase(), value])),
    NODE_USE_ENV_PROXY: '1',
  };
}

/** The program for the sandbox's init to start: `<python> -I -S <file> <socket> <port>`. */
export function forwarder(): { readonly file: string; readonly port: number } {
  return { file: fileURLToPath(new URL('./forward.py', import.meta.url)), port: PORT };
}

/** Starts the process and resolves once its socket is there. Throws `start_failed` with what it said when it is not. */
export async function startEgress(options: EgressOptions): Promise<Egress> {
  await mkdir(options.folder, { recursive: true, mode: 0o755 });
  const keeper = new Keeper(options);
  await keeper.start();
  return {
    folder: options.folder,
    environment: { ...proxyEnvironment(), ...(options.indexes ? indexEnvironment(options.indexes, PORT) : {}) },
    socketName: SOCKET,
    stats: () => keeper.stats,
    pid: () => keeper.pid,
    close: () => keeper.close(),
  };
}

/** Keeps one process running. */
class Keeper {
  stats: EgressStats = { open: 0, total: 0, denied: 0, bytesUp: 0, bytesDown: 0 };
  readonly #options: EgressOptions;
  readonly #key = randomBytes(32).toString('base64url');
  #child: Child | undefined;
  #again: NodeJS.Timeout | undefined;
  #delay = AGAIN_MS.first;
  #closed = false;

  constructor(options: EgressOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { clock, log, indexes } = this.#options;
    const file = fileURLToPath(new URL(`./egress-process${extname(import.meta.filename)}`, import.meta.url));
    const compiled = getCompileCacheDir();
    const child = start([process.execPath, '--max-old-space-size=128', file], {
      env: {
        ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) }),
        UV_THREADPOOL_SIZE: '16', // names are looked up in these threads: a slow one must not hold up the rest
        ...(indexes?.environment['SSL_CERT_FILE'] ? { NODE_EXTRA_CA_CERTS: indexes.environment['SSL_CERT_FILE'] } : {}),
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    const since = clock.monotonic();
    child.stdin?.on('error', () => {}); // it is gone: `exit` tells
    child.stdin?.write(`${JSON.stringify(this.#order())}\n`);
    const said = tailOf(child);
    const ready = Promise.withResolvers<void>();
    const late = setTimeout(() => ready.reject(new BinderyError('start_failed', 'The network filter did not start in time.')), START_MS);
    this.#listen(child, ready.resolve);
    child.once('error', ready.reject);
    child.once('exit', (code, signal) => {
      ready.reject(new BinderyError('start_failed', `The network filter ended (${signal ?? code}).`, { logTail: said() }));
      this.#child = undefined;
      if (this.#closed) return;
      log.warn({ code, signal, said: said() }, 'egress ended');
      if (clock.monotonic() - since > AGAIN_MS.young) this.#delay = AGAIN_MS.first;
    });
    try {
      await ready.promise;
      child.once('exit', () => this.#startAgain());
    } catch (error) {
      killGroup(child);
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  #order(): EgressOrder {
    const { folder, uid, allowHosts, indexes, limits = LIMITS } = this.#options;
    const company = indexes && companyProxy(indexes.environment);
    return {
      socketPath: join(folder, SOCKET),
      uid,
      allowHosts: [...allowHosts, ...(indexes ? hostsOf([indexes.url, ...indexes.extra]) : [])],
      proxy: company && { url: company.url, except: [...company.except] },
      indexes: indexes ? gatewayIndexes(indexes) : [],
      key: this.#key,
      limits,
    };
  }

  #startAgain(): void {
    if (this.#closed) return;
    this.#again = setTimeout(() => {
      this.start().catch((error: unknown) => {
        this.#options.log.error({ error }, 'egress does not start');
        this.#startAgain();
      });
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, AGAIN_MS.most);
  }

  /** Hands on line by line what the process says; one that says endless lines is not ours any more. */
  #listen(child: Child, ready: () => void): void {
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LENGTH) killGroup(child);
      for (const line of lines) this.#hear(line, ready);
    });
  }

  #hear(line: string, ready: () => void): void {
    const report = EgressReport.safeParse(parseJson(line));
    if (!report.success) return this.#options.log.warn({ line: line.slice(0, 200) }, 'egress says something unknown');
    const said = report.data;
    if (said.says === 'ready') ready();
    else if (said.says === 'stats') this.stats = said.stats;
    else this.#options.log.info({ host: said.host, port: said.port, why: said.why, unsaid: said.unsaid }, 'egress denied');
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    const child = this.#child;
    if (child) {
      const ended = once(child, 'exit');
      child.stdin?.end();
      const hard = setTimeout(() => killGroup(child), 2000);
      await ended;
      clearTimeout(hard);
    }
    await rm(join(this.#options.folder, SOCKET), { force: true });
  }
}

/** The end of what a process says on stderr. */
function tailOf(child: Child): () => string {
  let tail = '';
  child.stderr?.on('data', (data: Buffer) => (tail = (tail + data.toString('utf8')).slice(-2000)));
  return () => tail.trim();
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
