import { Pool, type Dispatcher } from 'undici';
import type { Target } from './routes.ts';

/** At most so many connections to one target at once; further requests wait. */
const MOST_CONNECTIONS = 64;
/** An idle connection to a session is closed after this many milliseconds. */
const IDLE_MS = 15_000;
const CONNECT_MS = 10_000;

interface Entry {
  pool: Pool | undefined;
  routes: number;
}

/** One bounded connection pool for each target, made at its first request and shared by the routes that lead there. */
export class Pools {
  readonly #entries = new Map<string, Entry>();

  /** A route leads to this target from now on. */
  hold(target: Target): void {
    const entry = this.#entries.get(keyOf(target)) ?? { pool: undefined, routes: 0 };
    entry.routes++;
    this.#entries.set(keyOf(target), entry);
  }

  /** A route leads there no more: with the last one the pool goes, and what is under way in it. */
  release(target: Target): void {
    const key = keyOf(target);
    const entry = this.#entries.get(key);
    if (!entry || --entry.routes > 0) return;
    this.#entries.delete(key);
    void entry.pool?.destroy();
  }

  /** The pool of a target that some route holds. */
  get(target: Target): Dispatcher | undefined {
    const entry = this.#entries.get(keyOf(target));
    return entry && (entry.pool ??= makePool(target));
  }

  async close(): Promise<void> {
    const pools = [...this.#entries.values()].flatMap(({ pool }) => (pool ? [pool.destroy()] : []));
    this.#entries.clear();
    await Promise.all(pools);
  }
}

function keyOf(target: Target): string {
  return 'socketPath' in target ? target.socketPath : `${target.tls === true ? 'tls ' : ''}${target.host}:${target.port}`;
}

function makePool(target: Target): Pool {
  const local = 'socketPath' in target;
  const host = local ? 'localhost' : target.host.includes(':') ? `[${target.host}]` : target.host;
  return new Pool(local ? `http://${host}` : `http${target.tls === true ? 's' : ''}://${host}:${target.port}`, {
    ...(local ? { socketPath: target.socketPath } : {}),
    connections: MOST_CONNECTIONS,
    pipelining: 1,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    connectTimeout: CONNECT_MS,
    maxHeaderSize: 64 * 1024,
    strictContentLength: true,
  });
}
