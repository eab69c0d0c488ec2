import { computed, signal } from '@preact/signals';
import type { SessionView } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { HubClient } from '@bindery/wire/client.ts';

/** Milliseconds between looks at the hub: while the sessions page is shown, and elsewhere. */
const NEAR = 4_000;
const FAR = 20_000;
/** Milliseconds before its end from which a session's end is announced. */
export const WARNING = 5 * 60_000;

/** The hub's sessions, looked at gently: never while the tab is hidden, slower when the hub does not answer. */
export class SessionStore {
  /** Undefined until the hub answered once. */
  readonly all = signal<readonly SessionView[] | undefined>(undefined);
  readonly problem = signal<BinderyError | undefined>(undefined);
  /** This machine's time, once a second while somebody looks. */
  readonly now = signal(Date.now());
  readonly ending = computed(() => (this.all.value ?? []).filter((session) => isEnding(session, this.now.value)));
  readonly #hub: HubClient;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watchers = 0;
  #near = 0;
  #failures = 0;

  constructor(hub: HubClient) {
    this.#hub = hub;
  }

  /** Looks at the hub until the returned function is called; `near` looks more often. */
  watch(near: boolean): () => void {
    this.#watchers += 1;
    if (near) this.#near += 1;
    if (this.#watchers === 1) document.addEventListener('visibilitychange', this.#visible);
    void this.refresh();
    const tick = setInterval(() => (this.now.value = Date.now()), 1000);
    return () => {
      clearInterval(tick);
      this.#watchers -= 1;
      if (near) this.#near -= 1;
      if (this.#watchers > 0) return;
      document.removeEventListener('visibilitychange', this.#visible);
      clearTimeout(this.#timer);
    };
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.all.value = (await this.#hub.sessions()).toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
      this.problem.value = undefined;
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      // One look that finds nobody may be chance; two are told.
      const isPassing = error instanceof BinderyError && error.code === 'hub_unreachable' && this.#failures < 2;
      if (error instanceof BinderyError && !isPassing) this.problem.value = error;
    }
    this.now.value = Date.now();
    this.#plan();
  }

  async stop(id: string): Promise<void> {
    await this.#hub.stopSession(id);
    await this.refresh();
  }

  /** Throws nothing of the hub's: the list or the problem shows what came of it. */
  async keepAlive(id: string): Promise<void> {
    try {
      await this.#hub.keepAlive(id);
    } catch (error) {
      // Somebody waits for the answer: that nobody answers is told at once.
      this.#failures += 1;
      if (!(error instanceof BinderyError)) throw error;
    }
    await this.refresh();
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#watchers === 0 || document.hidden || this.problem.value?.code === 'unauthorized') return;
    const pause = (this.#near > 0 ? NEAR : FAR) * Math.min(8, 2 ** this.#failures);
    this.#timer = setTimeout(() => void this.refresh(), pause);
  }

  readonly #visible = (): void => {
    if (!document.hidden) void this.refresh();
  };
}

/** True for a session that ends soon and can be kept. */
function isEnding(session: SessionView, now: number): boolean {
  if (session.state !== 'running' || session.endsAt === undefined) return false;
  return Date.parse(session.endsAt) - now < WARNING;
}
