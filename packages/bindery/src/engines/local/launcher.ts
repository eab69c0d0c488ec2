import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EndReason } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { instant, type Clock } from '../../base/clock.ts';
import { run } from '../../base/run.ts';
import { Herd, type Supervised } from './herd.ts';
import type { Logger } from '../../base/log.ts';
import type { Launcher, Session, SessionOrder, StageLog, Stats } from '../../contracts/engine.ts';
import type { Uv } from '../../clients/uv.ts';
import type { Egress } from './egress/egress.ts';
import { freshUid, RUNTIME, type Place } from './place.ts';
import { restoreWork } from './restore.ts';
import type { ServerRuntime } from './server-runtime.ts';
import { forgetEnded, SessionFolder, sessionIds, type SessionRecord } from './session-folder.ts';
import { shares, supervisorOrder } from './session-order.ts';

export interface LocalLauncherParts {
  readonly place: Place;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runtime: () => Promise<ServerRuntime>;
  readonly uv: () => Promise<Uv>;
  readonly egress: () => Promise<Egress | undefined>;
  /** Called once for each session that ended. */
  readonly ended: (session: Session) => void;
}

const LOOK_EVERY_MS = 1000;
/** Longest time in which a supervisor saves what was changed, in milliseconds: two minutes, and some for the rest. */
const SAVING_MS = 130_000;
const FORGET_EVERY_MS = 3_600_000;

/** Sessions as folders and processes: `sessions/<id>/`, each under a detached supervisor (runtime/supervise.py). */
export class LocalLauncher implements Launcher {
  readonly #parts: LocalLauncherParts;
  /** Sessions that we started or adopted and that have not ended. */
  readonly #running = new Map<string, SessionRecord>();
  readonly #watch: NodeJS.Timeout;
  readonly #forgetting: NodeJS.Timeout;
  /** Of those we started: fulfilled when the supervisor has ended. */
  readonly #own = new Map<string, Promise<void>>();
  readonly #ending = new Map<string, Promise<void>>();
  readonly #herd: Herd;

  constructor(parts: LocalLauncherParts) {
    this.#parts = parts;
    this.#herd = new Herd(parts.place, parts.runtime);
    this.#watch = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    this.#watch.unref();
    this.#forgetting = setInterval(() => void this.#forget(), FORGET_EVERY_MS);
    this.#forgetting.unref();
  }

  async start(order: SessionOrder, log: StageLog, signal: AbortSignal): Promise<Session> {
    const folder = new SessionFolder(this.#parts.place.folders.sessions, order.id);
    const answers = Promise.withResolvers<number>();
    let supervised: Supervised;
    try {
      const record = await this.#prepare(folder, order, log, signal);
      supervised = await this.#herd.supervise(folder.path, ({ event, ms }) => event === 'ready' && answers.resolve(ms ?? 0));
      this.#running.set(order.id, record);
      this.#own.set(order.id, supervised.ended);
    } catch (error) {
      await this.#discard(order.id);
      throw error;
    }
    void supervised.ended.then(() => this.#gone(order.id));
    const ms = await this.#answer(order.id, supervised, answers.promise, signal);
    log.info(`The notebook server answers after ${ms} ms`);
    return (await folder.session())!;
  }

  /** Makes a session's folder. The record comes last: a session without one was never started. */
  async #prepare(folder: SessionFolder, order: SessionOrder, log: StageLog, signal: AbortSignal): Promise<SessionRecord> {
    const { place, clock } = this.#parts;
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    const [runtime, egress, uv] = await Promise.all([this.#parts.runtime(), this.#parts.egress(), this.#parts.uv()]);
    const uid = freshUid(place);
    if (order.restore) await restoreWork(folder, order, order.restore, { place, runtime, uv, uid, log, signal });
    const token = randomBytes(24).toString('base64url');
    const supervisor = await supervisorOrder(folder, order, { place, runtime, egress, uid, token, uv, signal });
    await writeFile(folder.file('order.json'), JSON.stringify(supervisor.order), { mode: 0o600 });
    await folder.renewLease();
    const record: SessionRecord = {
      id: order.id,
      environment: order.environment.id,
      source: { ...order.source },
      token,
      basePath: `/s/${order.id}/`,
      startedAt: instant(clock),
      isolated: place.isolated,
      shares: shares(order, place.config),
      kernels: supervisor.kernels,
    };
    await folder.writeRecord(record);
    return record;
  }

  async *list(): AsyncIterable<Session> {
    const { sessions } = this.#parts.place.folders;
    await this.#forget();
    for (const id of await sessionIds(sessions)) {
      const folder = new SessionFolder(sessions, id);
      const record = await folder.record().catch(() => undefined);
      if (!record) {
        if (!this.#running.has(id)) await this.#discard(id); // made, never started
        continue;
      }
      if (!(await folder.ended()) && !this.#own.has(id)) {
        if (await folder.supervisorIfAny()) this.#running.set(id, record);
        else await this.#finish(folder, 'crash', 'The session ended without a word: its supervisor was killed.');
      }
      const session = await folder.session();
      if (session) yield session;
    }
  }

  async stop(id: string, reason: EndReason, graceMs: number): Promise<void> {
    const folder = new SessionFolder(this.#parts.place.folders.sessions, id);
    if (await folder.ended()) return;
    const pid = await folder.supervisor();
    if (pid !== undefined) {
      await writeFile(folder.file('stop.json'), JSON.stringify({ reason, graceSeconds: graceMs / 1000 }));
      signalProcess(pid, 'SIGTERM');
      const ending = new AbortController();
      const late = setTimeout(() => ending.abort(), graceMs + SAVING_MS);
      await Promise.race([this.#own.get(id) ?? this.#seenGone(folder, ending.signal), once(ending.signal, 'abort')]);
      clearTimeout(late);
      ending.abort();
      if ((await folder.supervisor()) !== undefined) signalProcess(pid, 'SIGKILL');
    }
    if (!(await folder.ended())) await this.#finish(folder, reason, undefined);
    await this.#gone(id);
  }

  /** An adopted session's supervisor is not our child: its end has to be looked for. */
  async #seenGone(folder: SessionFolder, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await folder.supervisor()) !== undefined) await new Promise((done) => setTimeout(done, 20));
  }

  async *logs(id: string): AsyncIterable<string> {
    yield await new SessionFolder(this.#parts.place.folders.sessions, id).log(2 << 20);
  }

  async stats(id: string): Promise<Stats> {
    const { limits, folders } = this.#parts.place;
    const [group, seen] = await Promise.all([limits.usage(`session-${id}`), new SessionFolder(folders.sessions, id).usage()]);
    return {
      ...seen,
      ...(limits.enforced.memory ? { memoryBytes: group.memoryBytes } : {}),
      ...(limits.enforced.processes ? { processes: group.processes } : {}),
    };
  }

  /** Begins to load what sessions need; nothing is touched that another hub may use. */
  load(): Promise<void> {
    return this.#herd.load();
  }

  /** Gets ready to start sessions. */
  warm(): Promise<void> {
    return this.#herd.warm();
  }

  /** Tells every supervisor that a hub still asks for its session. */
  async renew(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => new SessionFolder(this.#parts.place.folders.sessions, id).renewLease()));
  }

  /** Environments of running sessions. */
  environments(): ReadonlySet<string> {
    return new Set([...this.#running.values()].map((record) => record.environment));
  }

  async saved(id: string): Promise<{ path: string; bytes: number } | undefined> {
    const { place, clock } = this.#parts;
    const path = join(place.folders.saved, `${id}.tar.gz`);
    const info = await stat(path).catch(() => undefined);
    const isKept = info !== undefined && info.size > 0 && info.mtimeMs >= clock.now() - place.config.session.keepSaved * 1000;
    return isKept ? { path, bytes: info.size } : undefined;
  }

  /** Leaves nothing of a session that was not started. What a hub that was killed had begun to put back may still be written to. */
  async #discard(id: string): Promise<void> {
    const { place, log } = this.#parts;
    try {
      await rm(new SessionFolder(place.folders.sessions, id).path, { recursive: true, force: true, maxRetries: 5 });
      await place.limits.end(`session-${id}`);
    } catch (error) {
      log.warn({ err: error, session: id }, 'what was made for a session is still there'); // the next hub tries again
    }
  }

  close(): void {
    clearInterval(this.#watch);
    clearInterval(this.#forgetting);
    this.#herd.close();
  }

  /** Waits for the supervisor's word that the server answers; never polls. Returns after how many milliseconds it did. */
  async #answer(id: string, { pid, ended }: Supervised, answers: Promise<number>, signal: AbortSignal): Promise<number> {
    const cancel = (): void => {
      if (pid !== undefined) signalProcess(pid, 'SIGTERM');
    };
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const ms = await Promise.race([answers, ended]);
    signal.removeEventListener('abort', cancel);
    if (ms === undefined) throw await this.#startFailure(id, signal);
    return ms;
  }

  async #startFailure(id: string, signal: AbortSignal): Promise<Error> {
    if (signal.aborted) return signal.reason as Error;
    await this.#gone(id); // whoever finishes it says why
    const folder = new SessionFolder(this.#parts.place.folders.sessions, id);
    const [ended, tail] = await Promise.all([folder.ended(), folder.log(8000)]);
    const timeout = ended?.reason === 'start' && /did not answer/.test(ended.message ?? '');
    return new BinderyError(timeout ? 'start_timeout' : 'start_failed', ended?.message ?? 'The session could not be started.', {
      logTail: tail,
    });
  }

  /** Removes what ended sessions left, once it is kept no longer. */
  async #forget(): Promise<void> {
    const { place, clock, log } = this.#parts;
    await forgetEnded(place.folders, clock.now() - place.config.session.keepSaved * 1000).catch((error: unknown) =>
      log.warn({ err: error }, 'old sessions not cleaned up'),
    );
  }

  /** Looks after sessions whose supervisor is not our child: adopted ones. */
  async #look(): Promise<void> {
    for (const id of this.#running.keys()) {
      if (this.#own.has(id)) continue;
      const folder = new SessionFolder(this.#parts.place.folders.sessions, id);
      if ((await folder.supervisor()) === undefined) await this.#gone(id);
    }
  }

  /** Takes note that a session has ended, once: whoever asks meanwhile waits for the same. */
  #gone(id: string): Promise<void> {
    const ending = this.#ending.get(id) ?? this.#tellEnd(id).finally(() => this.#ending.delete(id));
    this.#ending.set(id, ending);
    return ending;
  }

  async #tellEnd(id: string): Promise<void> {
    if (!this.#running.delete(id)) return;
    this.#own.delete(id);
    const folder = new SessionFolder(this.#parts.place.folders.sessions, id);
    const trouble = await readFile(folder.file('supervisor.log'), 'utf8').catch(() => '');
    if (trouble) this.#parts.log.error({ session: id, trouble }, 'the supervisor of a session failed');
    if (!(await folder.ended())) await this.#finish(folder, 'crash', 'The session ended without a word: its supervisor was killed.');
    const session = await folder.session();
    if (session) this.#parts.ended(session);
  }

  /** Does what a supervisor does at the end, for one that could not (I3). */
  async #finish(folder: SessionFolder, reason: EndReason, message: string | undefined): Promise<void> {
    const { place } = this.#parts;
    const ended = JSON.stringify({ reason, message: message ?? null });
    const result = await run([place.python.path, '-I', '-S', '-B', join(RUNTIME, 'supervise.py'), folder.path, ended], {
      env: { PATH: '/usr/bin:/bin' },
      timeoutMs: 180_000,
    });
    if (result.code !== 0) {
      this.#parts.log.error({ stderr: result.stderr.slice(-2000) }, 'a session could not be cleaned up');
      await writeFile(folder.file('ended.json'), JSON.stringify({ reason, message: message ?? null, at: instant(this.#parts.clock) }));
    }
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it is gone already, which is what was wanted
  }
}
