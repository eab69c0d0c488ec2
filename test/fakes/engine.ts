import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EndReason } from '@bindery/wire/api.ts';
import type {
  Builder,
  BuildOrder,
  Engine,
  Environment,
  Launcher,
  SavedWork,
  Session,
  SessionOrder,
} from '../../packages/bindery/src/contracts/engine.ts';
import type { BuildPlan, UnkeyedLock } from '../../packages/bindery/src/contracts/plan.ts';

/** What answers in place of Jupyter, for all sessions of the engine. */
const HELLO: RequestListener = (req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ url: req.url, authorization: req.headers.authorization }));
};

/** An engine that builds and starts nothing: one small server on a UNIX socket stands for every session. */
export class NullEngine implements Engine {
  readonly id = 'null';
  readonly isolated: boolean;
  readonly builder: Builder;
  readonly launcher: Launcher;
  readonly sessions = new Map<string, Session>();
  readonly environments = new Map<string, Environment>();
  readonly savedWork = new Map<string, SavedWork>();
  renewals = 0;
  /** Sessions are started only when this resolves. */
  gate: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<(session: Session) => void>();
  readonly #folder: string;
  readonly #server: Server;

  private constructor(folder: string, server: Server, isolated: boolean) {
    this.#folder = folder;
    this.#server = server;
    this.isolated = isolated;
    this.builder = this.#makeBuilder();
    this.launcher = this.#makeLauncher();
  }

  static async start(options: { isolated?: boolean; answer?: RequestListener } = {}): Promise<NullEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'null-engine-'));
    const server = createServer(options.answer ?? HELLO);
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
    return new NullEngine(folder, server, options.isolated ?? true);
  }

  onEnd(listener: (session: Session) => void): void {
    this.#listeners.add(listener);
  }

  async saved(id: string): Promise<SavedWork | undefined> {
    return this.savedWork.get(id);
  }

  async renew(): Promise<void> {
    this.renewals++;
  }

  /** Forgets who listens, as if the hub had died: a next one may adopt what is there. */
  async close(): Promise<void> {
    this.#listeners.clear();
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  /** A session ends by itself. */
  endSession(id: string, endReason: EndReason, more: Partial<Session> = {}): void {
    const session = this.sessions.get(id);
    if (!session) return;
    this.sessions.delete(id);
    const ended: Session = { ...session, state: 'ended', endReason, endedAt: new Date().toISOString(), ...more };
    for (const listener of this.#listeners) listener(ended);
  }

  #makeBuilder(): Builder {
    const { environments } = this;
    return {
      find: async (id) => this.environments.get(id),
      lock: async (plan) => lockOf(plan),
      build: async (order: BuildOrder) => {
        const environment: Environment = {
          id: order.id,
          engine: this.id,
          location: this.#folder,
          bytes: 1,
          builtAt: new Date().toISOString(),
        };
        this.environments.set(order.id, environment);
        return environment;
      },
      list: async function* () {
        yield* environments.values();
      },
      remove: async (id) => void this.environments.delete(id),
    };
  }

  #makeLauncher(): Launcher {
    const { sessions } = this;
    return {
      start: async (order: SessionOrder, log, signal) => {
        await this.gate;
        signal.throwIfAborted();
        log.line('[null] serving');
        const session: Session = {
          id: order.id,
          environment: order.environment.id,
          source: order.source,
          address: { socketPath: join(this.#folder, 'socket'), token: `jupyter-${order.id}`, basePath: `/s/${order.id}/` },
          state: 'running',
          startedAt: new Date().toISOString(),
          isolated: !order.trust,
        };
        sessions.set(order.id, session);
        return session;
      },
      list: async function* () {
        yield* sessions.values();
      },
      stop: async (id, reason) => this.endSession(id, reason),
      logs: async function* (id) {
        yield `log of ${id}`;
      },
      stats: async () => ({ memoryBytes: 1_000_000, processes: 1, diskBytes: 5000 }),
    };
  }
}

function lockOf(plan: BuildPlan): UnkeyedLock {
  return {
    version: 1,
    id: '0'.repeat(64),
    python: { path: '/usr/bin/python3', version: '3.11.0', prefix: '/usr', build: 'null', from: 'machine' },
    layout: 'split',
    layoutBecause: plan.layoutBecause,
    packages: [],
    madeAt: new Date().toISOString(),
    notes: [],
    fixed: true,
  };
}
