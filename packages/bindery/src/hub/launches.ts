import type { LaunchOptions } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { FailedEvent, ReadyEvent } from '@bindery/wire/events.ts';
import { LaunchId, randomId } from '@bindery/wire/ids.ts';
import type { Link } from '@bindery/wire/link.ts';
import type { Context, LaunchRequest, Shared } from '../contracts/context.ts';
import type { Environment, Session } from '../contracts/engine.ts';
import type { Source } from '../contracts/source.ts';
import { instant } from '../base/clock.ts';
import { pageToOpen } from '../link/link.ts';
import type { Admission } from './admission.ts';
import { Launch } from './launch.ts';
import { LaunchLog } from './launch-log.ts';
import type { LaunchStore } from './launch-store.ts';
import { keyHash, newKey } from '../base/secrets.ts';

/** What a launch ended in; without a session when only a build was asked for. */
export interface Launched {
  readonly source: Source;
  readonly environment: Environment;
  readonly session?: Session | undefined;
}

export interface LaunchesOptions {
  readonly shared: Shared;
  readonly admission: Admission;
  readonly store: LaunchStore;
  readonly run: (request: LaunchRequest, ctx: Context) => Promise<Launched>;
  /** Called before a launch is ready: the session gets its route. */
  readonly onSession: (session: Session, launch: Launch) => Promise<void>;
  readonly onEnd: (launch: Launch) => void;
}

/** What is asked for when a launch is made. */
export interface NewLaunch {
  readonly link: Link;
  readonly options: LaunchOptions;
  /** `BINDER_*` for the session. */
  readonly env?: Readonly<Record<string, string>>;
  /** Repeated with the same value (by the same asker), the same launch is meant. */
  readonly once?: string | undefined;
}

/** Launches that have ended and stay in memory, as long as their logs are short (in characters). */
const KEEP_ENDED = 200;
const SHORT = 256 * 1024;

/** All launches: made, run to their end whether anybody watches or not (I2), kept for a while, read back from disk. */
export class Launches {
  readonly #options: LaunchesOptions;
  readonly #launches = new Map<string, Launch>();
  readonly #ended: string[] = [];
  readonly #once = new Map<string, { readonly id: string; readonly key: string }>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: LaunchesOptions) {
    this.#options = options;
  }

  /** Starts a launch and returns it with the key that opens its session. */
  async create(asked: NewLaunch): Promise<{ launch: Launch; key: string }> {
    const again = asked.once === undefined ? undefined : this.#once.get(asked.once);
    return again ? { launch: await this.get(again.id), key: again.key } : this.#begin(asked);
  }

  #begin(asked: NewLaunch): { launch: Launch; key: string } {
    const { clock } = this.#options.shared;
    const key = newKey();
    const header = { id: randomId(), link: asked.link, createdAt: instant(clock), keyHash: keyHash(key) };
    const launch = new Launch(header, asked.options, new LaunchLog(clock));
    this.#launches.set(launch.id, launch);
    if (asked.once !== undefined) this.#remember(asked.once, { id: launch.id, key });
    const recorded = this.#options.store.record(header, launch.log);
    const running = this.#run(launch, asked.env ?? {}).catch((error: unknown) => void this.#bug(launch, error));
    this.#running.add(running);
    void running.then(() => {
      this.#running.delete(running);
      return this.#forgetLong(launch, recorded);
    });
    return { launch, key };
  }

  /** A launch by its id. @throws BinderyError launch_not_found */
  async get(id: string): Promise<Launch> {
    const launch = this.#launches.get(id) ?? (await this.#load(id));
    if (!launch) throw new BinderyError('launch_not_found', `There is no launch ${LaunchId.safeParse(id).success ? id : 'of this id'}.`);
    return launch;
  }

  /** Ends a launch under way; one that has ended stays as it is. Resolves when it has ended. */
  async cancel(launch: Launch): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      const stop = launch.log.watch(() => {
        if (!launch.log.final) return;
        stop();
        resolve();
      });
    });
    if (launch.log.final) return;
    launch.controller.abort(new BinderyError('cancelled', 'The launch was cancelled.'));
    await ended;
  }

  /** Ends all launches under way, because the hub ends. */
  async close(): Promise<void> {
    for (const launch of this.#launches.values())
      if (!launch.log.final) launch.controller.abort(new BinderyError('interrupted', 'The hub was stopped during the launch.'));
    await Promise.all(this.#running);
    await this.#options.store.settled();
  }

  async #run(launch: Launch, env: Readonly<Record<string, string>>): Promise<void> {
    const { shared, run, admission } = this.#options;
    const since = shared.clock.monotonic();
    const { signal } = launch.controller;
    let leave: (() => void) | undefined;
    try {
      leave = await this.#enter(launch, admission);
      const request = { launchId: launch.id, sessionId: randomId(), link: launch.link, options: launch.options, env };
      const launched = await run(request, { ...shared, signal, emit: (entry) => launch.log.add(entry) });
      if (launched.session) await this.#expose(launched.session, launch);
      launch.log.end(this.#ready(launch, launched, shared.clock.monotonic() - since));
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error;
      launch.log.end(this.#failed(launch, reason));
    } finally {
      leave?.();
      this.#options.onEnd(launch);
      this.#ended.push(launch.id);
      if (this.#ended.length > KEEP_ENDED) this.#launches.delete(this.#ended.shift() ?? '');
    }
  }

  async #enter(launch: Launch, admission: Admission): Promise<() => void> {
    const { clock } = this.#options.shared;
    const since = clock.monotonic();
    let waited = false;
    const leave = await admission.enter(launch.controller.signal, (position) => {
      const message =
        position === 1
          ? 'Waiting for room on this machine: next in line.'
          : `Waiting for room on this machine: number ${position} in line.`;
      launch.log.add({ phase: 'waiting', kind: waited ? 'info' : 'begin', message, position });
      waited = true;
    });
    if (waited) launch.log.add({ phase: 'waiting', kind: 'done', message: 'There is room now.', ms: clock.monotonic() - since });
    return leave;
  }

  /** A session that was started for a launch which nobody wants any more is stopped again. */
  async #expose(session: Session, launch: Launch): Promise<void> {
    const { signal } = launch.controller;
    if (!signal.aborted) return this.#options.onSession(session, launch);
    await this.#options.shared.engine.launcher.stop(session.id, 'stopped', 0);
    signal.throwIfAborted();
  }

  #ready(launch: Launch, launched: Launched, ms: number): Omit<ReadyEvent, 'seq' | 'at'> {
    const { session, source, environment } = launched;
    const seconds = (ms / 1000).toFixed(1);
    return {
      phase: 'ready',
      message: session ? `Ready after ${seconds} s.` : `Built after ${seconds} s.`,
      ...(session ? { sessionId: session.id } : {}),
      ms,
      repoUrl: source.url,
      refUrl: source.refUrl ?? source.url,
      environmentId: environment.id,
      open: pageToOpen(launch.link, source),
    };
  }

  #failed(launch: Launch, error: unknown): Omit<FailedEvent, 'seq' | 'at'> {
    const told = forPeople(error) ?? this.#bug(launch, error);
    return {
      phase: 'failed',
      during: launch.log.phase,
      code: told.code,
      message: told.message,
      hint: told.hint,
      retryable: told.retryable,
      ...(told.logTail === undefined ? {} : { logTail: told.logTail }),
    };
  }

  /** Anything that no stage foresaw is our fault (I4). */
  #bug(launch: Launch, error: unknown): BinderyError {
    this.#options.shared.log.error({ err: error, launch: launch.id }, 'launch failed by a fault of ours');
    return new BinderyError('internal', `Something went wrong in Bindery itself (launch ${launch.id}).`);
  }

  async #load(id: string): Promise<Launch | undefined> {
    const stored = LaunchId.safeParse(id).success ? await this.#options.store.read(id) : undefined;
    if (!stored) return undefined;
    const log = new LaunchLog(this.#options.shared.clock, stored.events);
    const launch = new Launch(stored.header, {}, log);
    // Nobody runs it any more: the hub that did ended in between.
    if (!log.final) log.end(this.#failed(launch, new BinderyError('interrupted', 'The hub ended during the launch.')));
    return launch;
  }

  /** A long log is read back from disk when somebody asks for it again. */
  async #forgetLong(launch: Launch, recorded: Promise<boolean>): Promise<void> {
    if (launch.log.size > SHORT && (await recorded)) this.#launches.delete(launch.id);
  }

  #remember(once: string, made: { id: string; key: string }): void {
    this.#once.set(once, made);
    for (const oldest of this.#once.keys()) {
      if (this.#once.size <= KEEP_ENDED) break;
      this.#once.delete(oldest);
    }
  }
}

/** The error that a person can be told, undefined when it is none of those. */
export function forPeople(error: unknown): BinderyError | undefined {
  if (error instanceof BinderyError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new BinderyError('disk_full', `The disk is full: ${(error as Error).message}`, { cause: error });
  return undefined;
}
