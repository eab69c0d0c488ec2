import type { EndReason, SessionView, ShareLink, ShareSession } from '@bindery/wire/api.ts';
import { restorePath } from '@bindery/wire/link-v2.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Address, Engine, SavedWork, Session } from '../contracts/engine.ts';
import type { Explanation } from '../proxy/access.ts';
import type { Proxy } from '../proxy/proxy.ts';
import type { Beside } from '../proxy/routes.ts';
import { pageFor } from '../proxy/visitors.ts';
import type { Clock } from '../base/clock.ts';
import { withoutSlashes } from '../base/within.ts';
import { keyHash, sameSecret } from '../base/secrets.ts';
import type { SessionRecord, SessionRecords } from './session-records.ts';

/** Says when sessions will end by themselves, and puts it off (session/cull.ts). */
export interface Culling {
  readonly view: (session: RunningSession) => { readonly endsAt: number; readonly because: EndReason; readonly activeAt: number };
  readonly keepAlive: (session: RunningSession) => unknown;
}

/** `startedAt` in milliseconds since the epoch. */
export interface RunningSession {
  readonly id: string;
  readonly startedAt: number;
}

export interface SessionsOptions {
  readonly engine: Engine;
  readonly proxy: Proxy;
  readonly records: SessionRecords;
  readonly clock: Clock;
  readonly culling: Culling;
  /** Who keeps the documents that a session's users share. */
  readonly documents: Documents;
  /** Seconds for which what is known of an ended session is kept. */
  readonly keepSaved: number;
  readonly onEnd: (view: SessionView) => void;
}

/** Where shared documents of sessions are kept (supernode/beside.ts). */
export interface Documents {
  readonly takes: Beside['takes'];
  /** Comes when the documents of this session can be asked for. */
  put(session: Address & { readonly id: string }): Promise<{ socketPath: string; authorization: string }>;
  /** Saves what is open of a session. */
  flush(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  keepOnly(ids: ReadonlySet<string>): Promise<void>;
}

/** Milliseconds that a session has to end in peace: to save changed files. */
const GRACE_MS = 10_000;
/** Milliseconds after a session's start until its documents can be asked for without a wait. */
const DOCUMENTS_MS = 1500;
/** Ended sessions that are remembered. */
const KEEP_ENDED = 500;
const KEEP_EARLY = 100;

/** Why a session ended, for people; the engine may know it better. */
const REASONS: Readonly<Record<EndReason, string>> = {
  stopped: 'The session was stopped.',
  idle: 'The session ended because nothing was done in it for a while.',
  age: 'The session ended because it had run as long as sessions may.',
  memory: 'The session ended because it used more memory than it may.',
  disk: 'The session ended because it wrote more than it may.',
  processes: 'The session ended because it started too many processes.',
  crash: 'The notebook server of the session crashed.',
  start: 'The notebook server of the session ended while starting.',
  abandoned: 'The session ended while no hub was running.',
  shutdown: 'The session ended because the hub was shut down.',
};

/** What the launch knows of its session. */
export type NewSession = Pick<SessionRecord, 'launchId' | 'keyHash' | 'open' | 'options'> & { readonly link: string };

/** All sessions of this hub: their routes, what opens them, and for a while what became of those that ended. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #running = new Map<string, SessionRecord>();
  readonly #ended = new Map<string, SessionRecord>();
  /** Sessions that ended before the hub heard of their start. */
  readonly #early = new Map<string, Session>();
  /** Tokens given out since the start, by session: whoever asks again gets the same. */
  readonly #tokens = new Map<string, string>();

  constructor(options: SessionsOptions) {
    this.#options = options;
    options.engine.onEnd((session) => this.#end(session));
  }

  /** Sessions that run. */
  get count(): number {
    return this.#running.size;
  }

  running(): RunningSession[] {
    return [...this.#running.values()].map(running);
  }

  /** Takes up what an earlier hub left: sessions that are really there, and what is known of those that are not (I3). */
  async adopt(): Promise<void> {
    const { engine, records, clock, keepSaved, documents } = this.#options;
    const known = new Map((await records.load()).map((record) => [record.view.id, record]));
    for await (const session of engine.launcher.list()) {
      const record = known.get(session.id) ?? { launchId: session.id, keyHash: '', open: '', tokens: [], view: viewOf(session) };
      known.delete(session.id);
      if (session.state === 'ended') this.#remember({ ...record, view: { ...viewOf(session), ...kept(record.view) } });
      else this.#route(session, record);
    }
    for (const record of [...known.values()].toSorted((a, b) => endOf(a).localeCompare(endOf(b)))) {
      const ended = record.view.state === 'ended' ? record : vanished(record, clock.now());
      if (Date.parse(endOf(ended)) < clock.now() - keepSaved * 1000) await records.remove(ended.view.id);
      else this.#remember(ended);
    }
    await documents.keepOnly(new Set(this.#running.keys()));
  }

  /**
   * Gives a session that was just started its route. Resolves when what opens it is on disk: whoever is told of it, the next hub knows (I3).
   * @throws BinderyError start_failed when it has ended meanwhile
   */
  async add(session: Session, about: NewSession): Promise<void> {
    const { link, ...known } = about;
    const record = { ...known, tokens: [], view: { ...viewOf(session), link } };
    this.#route(session, record);
    this.#mintToken(record);
    await this.#options.records.save(record);
    const ended = this.#early.get(session.id);
    if (!ended) return;
    this.#end(ended);
    throw new BinderyError('start_failed', this.record(session.id).view.message ?? REASONS.crash);
  }

  /** @throws BinderyError session_not_found */
  record(id: string): SessionRecord {
    const record = this.#running.get(id) ?? this.#ended.get(id);
    if (!record) throw new BinderyError('session_not_found', `There is no session ${id}.`);
    return record;
  }

  /** True for the key of the launch that started the session. */
  opensWith(id: string, key: string): boolean {
    return sameSecret(keyHash(key), this.record(id).keyHash);
  }

  async view(id: string): Promise<SessionView> {
    const { view } = this.record(id);
    if (view.state === 'ended') return view;
    const { culling, engine } = this.#options;
    const { activeAt, endsAt, because } = culling.view(running(this.record(id)));
    const stats = await engine.launcher.stats(id).catch(() => undefined);
    return {
      ...view,
      activeAt: new Date(activeAt).toISOString(),
      endsAt: new Date(endsAt).toISOString(),
      endsBecause: because,
      ...(stats?.memoryBytes === undefined ? {} : { memoryBytes: stats.memoryBytes }),
      ...(stats?.diskBytes === undefined ? {} : { diskBytes: stats.diskBytes }),
    };
  }

  /** Running ones first, newest first in both. */
  async list(): Promise<SessionView[]> {
    const running = await Promise.all([...this.#running.keys()].map((id) => this.view(id)));
    const ended = [...this.#ended.values()].map(({ view }) => view);
    const newest = (a: SessionView, b: SessionView): number => b.startedAt.localeCompare(a.startedAt);
    return [...running.toSorted(newest), ...ended.toSorted(newest)];
  }

  /** The token with which programs reach a running session; undefined when it has ended. */
  token(id: string): string | undefined {
    const record = this.#running.get(id);
    if (!record) return undefined;
    const known = this.#tokens.get(id);
    if (known !== undefined) return known;
    const token = this.#mintToken(record);
    void this.#options.records.save(record);
    return token;
  }

  /**
   * What was saved of a session that ended.
   * @throws BinderyError session_not_found, saved_not_found, saved_expired
   */
  async saved(id: string): Promise<SavedWork> {
    const { view } = this.record(id);
    const saved = view.state === 'ended' ? await this.#options.engine.saved(id) : undefined;
    if (saved) return saved;
    if (view.state !== 'ended')
      throw new BinderyError('saved_not_found', `Session ${id} still runs: its changed files are saved when it ends.`);
    if (!view.savedBytes)
      throw new BinderyError('saved_not_found', `Nothing was saved of session ${id}: it changed no files, or they could not be saved.`);
    throw new BinderyError('saved_expired', `What was saved of session ${id} is no longer kept.`);
  }

  /** A one-time address for a browser, of what the launch asked for or of `path`. @throws BinderyError session_not_found */
  browserUrl(id: string, path?: string, form: 'host' | 'port' = 'host'): string {
    const record = this.record(id);
    if (record.view.state === 'ended')
      throw new BinderyError('session_not_found', record.view.message ?? REASONS.stopped, { hint: 'Launch the repository again.' });
    return this.#options.proxy.browserUrl(id, path ?? record.open, form);
  }

  /** A link by which others use a session, as much as `role` allows. @throws BinderyError session_not_found */
  share(id: string, { role, seconds, path, form = 'host' }: ShareSession): ShareLink {
    if (this.record(id).view.state === 'ended')
      throw new BinderyError('session_not_found', this.record(id).view.message ?? REASONS.stopped);
    const until = (Math.floor(this.#options.clock.now() / 1000) + seconds) * 1000;
    const url = this.#options.proxy.shareUrl(id, pageFor({ role, path }), { role, path: withoutSlashes(path), until }, form);
    return { url, role, endsAt: new Date(until).toISOString() };
  }

  /** Ends a session and resolves when it has ended; one that has ended stays as it is. What is edited in its shared documents is saved before. */
  async stop(id: string, reason: EndReason, graceMs = GRACE_MS): Promise<void> {
    if (this.record(id).view.state === 'ended') return;
    await this.#options.documents.flush(id);
    await this.#options.engine.launcher.stop(id, reason, graceMs);
  }

  async stopAll(reason: EndReason): Promise<void> {
    await Promise.allSettled([...this.#running.keys()].map((id) => this.stop(id, reason)));
  }

  keepAlive(id: string): void {
    const record = this.record(id);
    if (record.view.state !== 'ended') this.#options.culling.keepAlive(running(record));
  }

  /** Running sessions of an environment. */
  using(environmentId: string): number {
    return [...this.#running.values()].filter(({ view }) => view.environmentId === environmentId).length;
  }

  /** What the proxy tells whoever asks for a session that has no route. */
  explain(id: string, pageUrl: string): Explanation | undefined {
    const view = this.#ended.get(id)?.view;
    if (!view) return undefined;
    const { link, savedBytes } = view;
    const links = [{ href: `${pageUrl}#${id}`, text: 'Sessions, logs and saved files' }];
    if (link !== undefined && savedBytes)
      links.unshift({ href: new URL(restorePath(link, id), pageUrl).href, text: 'Start again with my changes' });
    return {
      state: 'gone',
      message: view.message ?? REASONS[view.endReason ?? 'stopped'],
      hint: 'Launch the repository again to go on.',
      links,
    };
  }

  /** When something was last done in a session, written down so that a restart knows it. */
  noteActivity(id: string, activeAt: number): void {
    const record = this.#running.get(id);
    if (!record) return;
    record.view.activeAt = new Date(activeAt).toISOString();
    void this.#options.records.save(record);
  }

  #route(session: Session, record: SessionRecord): void {
    const { proxy } = this.#options;
    const { basePath, socketPath, token } = session.address;
    this.#running.set(session.id, record);
    const route = { id: session.id, prefix: basePath, target: { socketPath }, authorization: `token ${token}` };
    proxy.addRoute({ ...route, beside: this.#beside(session) }, Date.parse(record.view.activeAt));
    for (const sha256 of record.tokens) proxy.adoptToken(session.id, sha256);
  }

  #mintToken(record: SessionRecord): string {
    const { id } = record.view;
    const token = this.#options.proxy.mintToken(id);
    this.#tokens.set(id, token);
    record.tokens.push(keyHash(token));
    return token;
  }

  #beside({ id, address, shares }: Session): Beside | undefined {
    if (!shares) return undefined;
    const { documents } = this.#options;
    let asked: ReturnType<Beside['ready']> | undefined;
    const ready = (): ReturnType<Beside['ready']> =>
      (asked ??= documents.put({ id, ...address }).then(
        ({ socketPath, authorization }) => ({ target: { socketPath }, authorization }),
        // Said in the log by who could not start it.
        () => undefined,
      ));
    // A browser asks soon; by then it is there, and has not taken the machine's time from the session's own start.
    setTimeout(() => this.#running.has(id) && void ready(), DOCUMENTS_MS).unref();
    return { takes: documents.takes, ready };
  }

  #end(session: Session): void {
    const record = this.#running.get(session.id);
    this.#options.proxy.removeRoute(session.id);
    void this.#options.documents.remove(session.id);
    this.#tokens.delete(session.id);
    if (!record) {
      this.#early.set(session.id, session);
      const oldest = this.#early.keys().next().value;
      if (this.#early.size > KEEP_EARLY && oldest !== undefined) this.#early.delete(oldest);
      return;
    }
    this.#early.delete(session.id);
    this.#running.delete(session.id);
    this.#remember({ ...record, tokens: [], view: { ...viewOf(session), ...kept(record.view), state: 'ended' } });
    this.#options.onEnd(this.record(session.id).view);
  }

  #remember(record: SessionRecord): void {
    const reason = record.view.endReason ?? 'stopped';
    const endedAt = record.view.endedAt ?? new Date(this.#options.clock.now()).toISOString();
    const view: SessionView = { ...record.view, endReason: reason, endedAt, message: record.view.message ?? REASONS[reason] };
    this.#ended.set(view.id, { ...record, view });
    void this.#options.records.save({ ...record, view });
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= KEEP_ENDED) break;
      this.#ended.delete(oldest);
      void this.#options.records.remove(oldest);
    }
  }
}

/** What the engine does not know of a session. */
function kept({ activeAt, link }: SessionView): Pick<SessionView, 'activeAt' | 'link'> {
  return { activeAt, ...(link === undefined ? {} : { link }) };
}

function running({ view }: SessionRecord): RunningSession {
  return { id: view.id, startedAt: Date.parse(view.startedAt) };
}

function endOf({ view }: SessionRecord): string {
  return view.endedAt ?? view.activeAt;
}

function vanished(record: SessionRecord, now: number): SessionRecord {
  return { ...record, view: { ...record.view, state: 'ended', endReason: 'abandoned', endedAt: new Date(now).toISOString() } };
}

/** What the engine says of the end; that work was lost must not go unsaid. */
function endMessage({ message, saveError, savedBytes, endReason = 'stopped' }: Session): Pick<SessionView, 'message'> {
  if (saveError !== undefined) {
    const what = savedBytes ? 'Not all of its changed files could be saved' : 'Its changed files could not be saved';
    return { message: `${message ?? REASONS[endReason]} ${what}: ${saveError}` };
  }
  return message === undefined ? {} : { message };
}

function viewOf(session: Session): SessionView {
  const { source } = session;
  return {
    id: session.id,
    state: session.state,
    repoUrl: source.url,
    ref: source.ref,
    refUrl: source.refUrl ?? source.url,
    environmentId: session.environment,
    startedAt: session.startedAt,
    activeAt: session.startedAt,
    isolated: session.isolated,
    shares: session.shares === true,
    ...(session.endedAt === undefined ? {} : { endedAt: session.endedAt }),
    ...(session.endReason === undefined ? {} : { endReason: session.endReason }),
    ...endMessage(session),
    ...(session.savedBytes === undefined ? {} : { savedBytes: session.savedBytes }),
  };
}
