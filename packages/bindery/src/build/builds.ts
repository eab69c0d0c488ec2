import { BinderyError } from '@bindery/wire/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Builder, BuildOrder, Environment, StageLog } from '../contracts/engine.ts';

/** Lines of a build's log that are kept for those who join late; the whole log lies with the environment. */
const KEPT_LINES = 5000;
/** Milliseconds for which a build that failed by the repository's fault fails again at once: a class that clicks on it builds it once, a second try builds again. */
const FAILURE_MS = 30_000;
const KEPT_RUNS = 200;

interface Line {
  readonly kind: 'info' | 'line';
  readonly text: string;
}

interface Watcher {
  readonly log: StageLog;
  readonly begins: () => void;
  readonly waiting: (position: number) => void;
}

/** One build under way or failed a while ago. */
interface Run {
  readonly promise: Promise<Environment>;
  readonly lines: Line[];
  readonly watchers: Set<Watcher>;
  state: 'waiting' | 'running' | 'failed';
  failedAt?: number;
}

/** All builds of a hub: one for each id (I1), a few at once, each living on whoever watches (I2), failures remembered. */
export class Builds {
  readonly #clock: Clock;
  readonly #concurrent: number;
  readonly #runs = new Map<string, Run>();
  readonly #queue: (() => void)[] = [];
  readonly #closing = new AbortController();
  #running = 0;

  constructor(clock: Clock, concurrent: number) {
    this.#clock = clock;
    this.#concurrent = concurrent;
  }

  /** Waits for the build of `order.id`, starting it if need be; its log is told from the start. An abort leaves, the build goes on. */
  async join(order: BuildOrder, builder: Builder, watcher: Watcher, signal: AbortSignal, retry = false): Promise<Environment> {
    signal.throwIfAborted();
    const run = this.#find(order.id, retry) ?? this.#start(order, builder);
    if (run.state === 'waiting') watcher.waiting(this.#queue.length);
    else watcher.begins();
    if (run.failedAt !== undefined) {
      const seconds = Math.round((this.#clock.monotonic() - run.failedAt) / 1000);
      watcher.log.info(`This build failed ${seconds} s ago; what follows is its log. Try again to build it anew.`);
    }
    for (const line of run.lines) tell(watcher.log, line);
    run.watchers.add(watcher);
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([run.promise, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      run.watchers.delete(watcher);
    }
  }

  /** Ends every build (a local build dies with its hub) and resolves when none runs any more. */
  async close(): Promise<void> {
    this.#closing.abort(new BinderyError('cancelled', 'The hub is being stopped.'));
    for (const go of this.#queue.splice(0)) go();
    await Promise.allSettled([...this.#runs.values()].map((run) => run.promise));
  }

  #find(id: string, retry: boolean): Run | undefined {
    const run = this.#runs.get(id);
    if (run?.state !== 'failed') return run;
    if (!retry && this.#clock.monotonic() - (run.failedAt ?? 0) < FAILURE_MS) return run;
    this.#runs.delete(id);
    return undefined;
  }

  #start(order: BuildOrder, builder: Builder): Run {
    const lines: Line[] = [];
    const watchers = new Set<Watcher>();
    const add = (line: Line): void => {
      if (lines.push(line) > KEPT_LINES) lines.shift();
      for (const watcher of watchers) tell(watcher.log, line);
    };
    const log: StageLog = { info: (text) => add({ kind: 'info', text }), line: (text) => add({ kind: 'line', text }) };
    const work = async (): Promise<Environment> => {
      await this.#turn();
      const waited = run.state === 'waiting';
      run.state = 'running';
      if (waited) for (const watcher of watchers) watcher.begins();
      try {
        return await builder.build(order, log, this.#closing.signal);
      } finally {
        this.#running -= 1;
        this.#queue.shift()?.();
      }
    };
    const promise = Promise.resolve().then(work);
    const run: Run = { promise, lines, watchers, state: this.#running < this.#concurrent ? 'running' : 'waiting' };
    promise.then(
      () => this.#runs.delete(order.id),
      (error: unknown) => this.#failed(order.id, run, error),
    );
    this.#runs.set(order.id, run);
    return run;
  }

  #failed(id: string, run: Run, error: unknown): void {
    run.state = 'failed';
    run.failedAt = this.#clock.monotonic();
    if (!(error instanceof BinderyError) || error.retryable) this.#runs.delete(id);
    for (const [key, old] of this.#runs) {
      if (this.#runs.size <= KEPT_RUNS) return;
      if (old.state === 'failed') this.#runs.delete(key);
    }
  }

  async #turn(): Promise<void> {
    if (this.#running >= this.#concurrent) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#closing.signal.throwIfAborted();
    this.#running += 1;
  }
}

function tell(log: StageLog, line: Line): void {
  if (line.kind === 'info') log.info(line.text);
  else log.line(line.text);
}
