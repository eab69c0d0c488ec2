import type { EndReason } from '@bindery/wire/api.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** Durations in milliseconds. */
export interface CullLimits {
  /** Without activity for so long, a session ends. */
  readonly idleMs: number;
  /** Whatever happens in it, a session ends at this age. */
  readonly maxAgeMs: number;
  /** How long before its end a session says so. */
  readonly warningMs: number;
  /** How long a session has to end by itself once it is told to. */
  readonly graceMs: number;
}

/** What a decision needs to know. Instants in milliseconds since the epoch. */
export interface CullFacts {
  readonly startedAt: number;
  readonly activeAt: number;
  /** When this hub first saw the session: one that was adopted gets its warning too. */
  readonly seenAt: number;
  /** A kernel is at work for the user. */
  readonly busy: boolean;
}

/** When a session will be ended if nothing happens, and why. */
export interface Verdict {
  readonly endsAt: number;
  readonly because: Extract<EndReason, 'idle' | 'age'>;
  /** The end is near enough to say so. */
  readonly warn: boolean;
  readonly end: boolean;
}

/** The whole rule: idle time counts from the last activity, a busy kernel is activity, nothing lives longer than the maximum age. */
export function judge(facts: CullFacts, limits: CullLimits, now: number): Verdict {
  const age = facts.startedAt + limits.maxAgeMs;
  const idle = Math.max((facts.busy ? now : facts.activeAt) + limits.idleMs, facts.seenAt + limits.warningMs);
  const endsAt = Math.min(age, idle);
  return { endsAt, because: idle < age ? 'idle' : 'age', warn: now >= endsAt - limits.warningMs, end: now >= endsAt };
}

export interface CullSession {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

export interface CullParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: CullLimits;
  /** The running sessions. */
  readonly sessions: () => Iterable<CullSession>;
  /** What the proxy saw. */
  readonly activity: (id: string) => { readonly activeAt: number; readonly busyKernels: number } | undefined;
  /** What the session's own server says; undefined where it does not answer. */
  readonly busyKernels: (id: string) => Promise<number | undefined>;
  /** Counts as activity from now on. */
  readonly touch: (id: string) => void;
  readonly stop: (id: string, reason: EndReason, graceMs: number) => Promise<void>;
}

interface Memory {
  readonly seenAt: number;
  /** When its kernels were last known to be busy. */
  busyAt: number;
  /** How often in a row the server did not answer. */
  silent: number;
  ending: boolean;
}

/** A server that does not answer so often in a row is taken for idle. */
const SILENT_TIMES = 3;

/** Ends sessions that nobody uses, and says before that it will. */
export class Culler {
  readonly #parts: CullParts;
  readonly #memory = new Map<string, Memory>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(parts: CullParts) {
    this.#parts = parts;
  }

  /** Looks at all sessions again and again, a few times in each warning. */
  start(): void {
    const every = Math.min(15_000, Math.max(50, Math.min(this.#parts.limits.warningMs, this.#parts.limits.idleMs) / 4));
    this.#timer ??= setInterval(() => void this.look(), every).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  /** When a running session will end and why. */
  view(session: CullSession): Verdict & { readonly activeAt: number } {
    const facts = this.#facts(session);
    return { ...judge(facts, this.#parts.limits, this.#parts.clock.now()), activeAt: facts.activeAt };
  }

  /** The user wants to go on: idle time begins anew. The maximum age stays. */
  keepAlive(session: CullSession): Verdict {
    this.#parts.touch(session.id);
    return this.view(session);
  }

  /** One look at every session; a second call while one is under way joins it. */
  look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const sessions = [...this.#parts.sessions()];
    const ids = new Set(sessions.map(({ id }) => id));
    for (const id of this.#memory.keys()) if (!ids.has(id)) this.#memory.delete(id);
    await Promise.all(sessions.map((session) => this.#consider(session)));
  }

  async #consider(session: CullSession): Promise<void> {
    const { clock, limits, stop, log } = this.#parts;
    const memory = this.#remember(session.id);
    if (memory.ending) return;
    let verdict = judge(this.#facts(session), limits, clock.now());
    if (verdict.warn && verdict.because === 'idle') {
      const sure = await this.#ask(session.id, memory);
      verdict = judge(this.#facts(session), limits, clock.now());
      if (!sure) return;
    }
    if (!verdict.end) return;
    memory.ending = true;
    try {
      await stop(session.id, verdict.because, limits.graceMs);
    } catch (error) {
      log.error({ sessionId: session.id, err: error }, 'A session could not be ended; it will be tried again.');
      memory.ending = false;
    }
  }

  /** Asks the server itself before a session is ended as idle: nobody may be connected to a kernel that works. False: not sure yet. */
  async #ask(id: string, memory: Memory): Promise<boolean> {
    const busy = await this.#parts.busyKernels(id);
    memory.silent = busy === undefined ? memory.silent + 1 : 0;
    if (busy) memory.busyAt = this.#parts.clock.now();
    return busy !== undefined || memory.silent >= SILENT_TIMES;
  }

  #facts({ id, startedAt }: CullSession): CullFacts {
    const { busyAt, seenAt } = this.#remember(id);
    const activity = this.#parts.activity(id);
    const busy = (activity?.busyKernels ?? 0) > 0;
    return { startedAt, seenAt, busy, activeAt: Math.max(activity?.activeAt ?? startedAt, busyAt) };
  }

  #remember(id: string): Memory {
    let memory = this.#memory.get(id);
    if (!memory) this.#memory.set(id, (memory = { seenAt: this.#parts.clock.now(), busyAt: 0, silent: 0, ending: false }));
    return memory;
  }
}
