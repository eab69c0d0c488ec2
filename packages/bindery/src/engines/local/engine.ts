import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Clock } from '../../base/clock.ts';
import type { Config } from '../../base/config.ts';
import type { Logger } from '../../base/log.ts';
import type { Worker } from '../../base/worker.ts';
import { findUv, type Uv } from '../../clients/uv.ts';
import type { Interpreter, BuildPlan, UnkeyedLock } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import type { Engine, SavedWork, Session, StageLog } from '../../contracts/engine.ts';
import { LocalBuilder } from './builder.ts';
import { collectGarbage } from './collect.ts';
import { condaTool, type CondaTool } from './conda.ts';
import { startEgress, type Egress } from './egress/egress.ts';
import { hostsOf } from './egress/surroundings.ts';
import { Interpreters } from './interpreters.ts';
import { LocalLauncher } from './launcher.ts';
import { makeLock } from './lock.ts';
import type { Sandboxed } from './lock-resolve.ts';
import { preparePlace, type Place } from './place.ts';
import { probe } from './probe.ts';
import { strangeRun } from './strange-run.ts';
import { installedRuntime, serverRuntime, type ServerRuntime } from './server-runtime.ts';

export interface LocalEngineOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock: Clock;
  readonly worker: Worker;
  /** The hub's environment variables: index, proxy and certificate settings are read from them. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Told what is being installed, and that it takes a moment. */
  readonly say: (message: string) => void;
}

/** Steps that are left out here, and why. */
export const LACKS = {
  apt: 'Debian packages need root on this machine or a container engine; what is installed here can be used.',
} as const;

/** Sessions and builds on this machine, each in a sandbox of its own, without a container engine. */
export async function createLocalEngine(options: LocalEngineOptions): Promise<LocalEngine> {
  await mkdir(options.config.folders.cache, { recursive: true });
  await mkdir(options.config.folders.state, { recursive: true, mode: 0o700 });
  return LocalEngine.open(options);
}

export class LocalEngine implements Engine {
  readonly id = 'local';
  readonly lacks = LACKS;
  readonly isolated: boolean;
  readonly builder: LocalBuilder;
  readonly launcher: LocalLauncher;
  readonly #listeners = new Set<(session: Session) => void>();
  readonly #services: Services;
  readonly #place: Place;

  private constructor(place: Place, services: Services, options: LocalEngineOptions) {
    this.isolated = place.isolated;
    this.#services = services;
    this.#place = place;
    this.launcher = new LocalLauncher({
      place,
      clock: options.clock,
      log: options.log,
      runtime: () => services.runtime(place),
      uv: () => services.uv(),
      egress: async () => (options.config.session.network === 'filtered' ? services.egress(place) : undefined),
      ended: (session) => {
        for (const listener of this.#listeners) listener(session);
      },
    });
    this.builder = new LocalBuilder({
      place,
      clock: options.clock,
      uv: () => services.uv(),
      egress: () => services.egress(place),
      inUse: () => this.launcher.environments(),
      lock: (plan, tree, log, signal) => services.lock(place, plan, tree, log, signal),
      conda: (log, signal) => services.conda(log, signal),
    });
  }

  static async open(options: LocalEngineOptions): Promise<LocalEngine> {
    const services = new Services(options);
    const { sandbox, overlay } = await probe(async () => (await services.helperPython()).path, options);
    if (!sandbox.ok && options.worker.uid !== undefined)
      throw new BinderyError('sandbox_unavailable', `${sandbox.why} Without a sandbox a hub that was started as root runs nothing.`, {
        hint: `Start Bindery as an ordinary user (useradd -m me, then su - me)${sandbox.mend === undefined ? '.' : `, or mend it: ${sandbox.mend}`}`,
      });
    const python = await services.helperPython();
    const { config, worker, variables } = options;
    const place = await preparePlace({ config, worker, variables, isolated: sandbox.ok, overlay: overlay.ok, python });
    if (!sandbox.ok) options.log.info(sandbox, 'sessions are not isolated');
    const engine = new LocalEngine(place, services, options);
    await engine.builder.discardUnfinished();
    return engine;
  }

  get place(): string | undefined {
    return this.isolated ? undefined : this.#place.folders.fixed;
  }

  /** Where environments, locks and packages lie. */
  get cacheFolder(): string {
    return this.#place.config.folders.cache;
  }

  onEnd(listener: (session: Session) => void): void {
    this.#listeners.add(listener);
  }

  saved(id: string): Promise<SavedWork | undefined> {
    return this.launcher.saved(id);
  }

  /** Removes environments that are not used: those above the size limit, or all. */
  collect(all: boolean): Promise<{ removed: string[]; freedBytes: number }> {
    return collectGarbage(this.#place, this.builder, () => this.#services.uv(), all);
  }

  /** Begins with what takes longest of `warm`, where it is installed: nothing is touched yet that another hub may use. */
  async load(): Promise<void> {
    if (this.isolated && (await installedRuntime(this.#place))) await this.launcher.load();
  }

  warm(): void {
    for (const service of [this.#services.runtime(this.#place), this.#services.egress(this.#place), this.launcher.warm()])
      service.catch(() => {}); // told to whoever needs it
  }

  renew(): Promise<void> {
    return this.launcher.renew();
  }

  async close(): Promise<void> {
    await this.renew();
    this.launcher.close();
    await this.#services.close();
  }
}

/** What builds and sessions share, each made when first needed. */
class Services {
  readonly #options: LocalEngineOptions;
  readonly #interpreters: Interpreters;
  readonly #closing = new AbortController();
  #uv: Promise<Uv> | undefined;
  #egress: Promise<Egress | undefined> | undefined;
  #runtime: Promise<ServerRuntime> | undefined;

  constructor(options: LocalEngineOptions) {
    this.#options = options;
    const { config, worker, variables } = options;
    this.#interpreters = new Interpreters({ config, worker, variables, uv: () => this.uv() });
  }

  uv(): Promise<Uv> {
    const { config, worker, variables, say } = this.#options;
    return (this.#uv ??= forgetFailure(
      findUv({ config, worker, variables, say, signal: this.#closing.signal }),
      () => (this.#uv = undefined),
    ));
  }

  runtime(place: Place): Promise<ServerRuntime> {
    const log: StageLog = { info: this.#options.say, line: () => {} };
    const python = async () => {
      const { interpreters } = await this.#interpreters.candidates(
        { requires: '>=3.10,<3.15', prefer: 'newest', because: 'the notebook server' },
        log,
        this.#closing.signal,
      );
      if (!interpreters[0]) throw new BinderyError('python_not_found', 'The notebook server needs Python 3.10 or newer.');
      return interpreters[0];
    };
    return (this.#runtime ??= forgetFailure(
      serverRuntime(place, () => this.uv(), python, log, this.#closing.signal),
      () => (this.#runtime = undefined),
    ));
  }

  /** Builds have the filtered network also where sessions have the open one; none where sessions have none: the policy is about strangers' code. */
  egress(place: Place): Promise<Egress | undefined> {
    if (!place.isolated || place.config.session.network === 'none') return Promise.resolve(undefined);
    return (this.#egress ??= forgetFailure(this.#startEgress(place), () => (this.#egress = undefined)));
  }

  /** Asks uv which packages exactly; what runs a stranger's code for that runs in a sandbox. */
  async lock(place: Place, plan: BuildPlan, tree: Tree, log: StageLog, signal: AbortSignal): Promise<UnkeyedLock> {
    const { config, worker, clock } = this.#options;
    const uv = await this.uv();
    const sandboxed: Sandboxed = async (order) => strangeRun(place, uv, await this.egress(place), order);
    return makeLock(plan, tree, { uv, interpreters: this.#interpreters, worker, config, clock, sandboxed }, log, signal);
  }

  async conda(log: StageLog, signal: AbortSignal): Promise<CondaTool> {
    const { config, worker } = this.#options;
    return condaTool({ uv: await this.uv(), interpreters: this.#interpreters, config, worker, log, signal });
  }

  async #startEgress(place: Place): Promise<Egress> {
    const { index } = await this.uv();
    const { log, clock, config } = this.#options;
    const allowHosts = hostsOf([config.github.url, config.python.channelAlias]);
    const folder = join(place.config.folders.state, 'egress');
    return startEgress({ folder, uid: place.worker.uid, allowHosts, indexes: index, log, clock });
  }

  /** The helpers outside the sandbox need no packages, only Python 3.8. */
  async helperPython(): Promise<Interpreter> {
    const { interpreters } = await this.#interpreters.candidates(
      { requires: '>=3.8', prefer: 'newest', because: 'the helpers of the local engine' },
      { info: this.#options.say, line: () => {} },
      this.#closing.signal,
    );
    if (!interpreters[0]) throw new BinderyError('python_not_found', 'Bindery needs Python 3.8 or newer on this machine.');
    return interpreters[0];
  }

  async close(): Promise<void> {
    this.#closing.abort(new BinderyError('cancelled', 'The hub is being stopped.'));
    await (await this.#egress?.catch(() => undefined))?.close();
  }
}

/** A service that could not be made is tried again by the next who needs it. */
function forgetFailure<T>(promise: Promise<T>, forget: () => void): Promise<T> {
  promise.catch(forget);
  return promise;
}
