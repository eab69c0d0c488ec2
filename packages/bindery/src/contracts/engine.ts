import type { Digest, Instant, SessionId } from '@bindery/wire/ids.ts';
import type { EndReason, SessionState } from '@bindery/wire/api.ts';
import type { BuildPlan, Lock, Step, UnkeyedLock } from './plan.ts';
import type { Source, Tree } from './source.ts';

/** Where a stage says what it does; lines reach the launch's event log. */
export interface StageLog {
  /** A sentence for people. */
  info(message: string): void;
  /** A raw line of a tool. */
  line(text: string): void;
}

/** A built plan. */
export interface Environment {
  readonly id: Digest;
  readonly engine: string;
  /** Folder or image. */
  readonly location: string;
  readonly bytes: number;
  readonly builtAt: Instant;
}

export interface BuildOrder {
  readonly id: Digest;
  readonly plan: BuildPlan;
  readonly lock: Lock;
  readonly tree: Tree;
}

/** Makes environments. Every method is idempotent and keyed by content (I1). */
export interface Builder {
  find(id: Digest): Promise<Environment | undefined>;
  lock(plan: BuildPlan, tree: Tree, log: StageLog, signal: AbortSignal): Promise<UnkeyedLock>;
  build(order: BuildOrder, log: StageLog, signal: AbortSignal): Promise<Environment>;
  list(): AsyncIterable<Environment>;
  remove(id: Digest): Promise<void>;
}

/** Where the proxy reaches a session. `token` is known to the proxy only (I7) and goes into the Authorization header. */
export interface Address {
  readonly socketPath: string;
  readonly token: string;
  /** `/s/<id>/` */
  readonly basePath: string;
  /** The folder of this machine in which the connection files and sockets of its kernels lie, where they can be reached; its user writes in it. */
  readonly kernels?: string | undefined;
}

export interface SessionOrder {
  readonly id: SessionId;
  readonly environment: Environment;
  readonly plan: BuildPlan;
  readonly lock: Lock;
  readonly source: Source;
  readonly tree: Tree;
  /** `BINDER_*` and what the launch adds; never a secret. */
  readonly env: Readonly<Record<string, string>>;
  /** Run as the user where no sandbox works. */
  readonly trust: boolean;
  /** Saved work of another session, put over the repository's files before anything runs. */
  readonly restore?: SavedWork;
}

export interface Session {
  readonly id: SessionId;
  readonly environment: Digest;
  readonly source: Source;
  readonly address: Address;
  readonly state: SessionState;
  readonly startedAt: Instant;
  readonly isolated: boolean;
  /** True when its JupyterLab shares documents with the help of the hub. */
  readonly shares?: boolean;
  readonly endedAt?: Instant;
  readonly endReason?: EndReason;
  /** One sentence for people about the end. */
  readonly message?: string;
  readonly savedBytes?: number;
  /** Why its changed files, or some of them, could not be saved. */
  readonly saveError?: string;
}

/** What a session uses; absent is what nobody measures here, or has not measured yet. */
export interface Stats {
  readonly memoryBytes?: number;
  /** Processes and threads. */
  readonly processes?: number;
  /** Bytes that it has written to its home and its layer over the environment: as of a few seconds ago. */
  readonly diskBytes?: number;
}

/** Starts sessions and tells the truth about them: `list` is what is really there (I3). */
export interface Launcher {
  start(order: SessionOrder, log: StageLog, signal: AbortSignal): Promise<Session>;
  list(): AsyncIterable<Session>;
  stop(id: SessionId, reason: EndReason, graceMs: number): Promise<void>;
  logs(id: SessionId): AsyncIterable<string>;
  stats(id: SessionId): Promise<Stats>;
}

/** Changed files of a session that ended, as one archive. */
export interface SavedWork {
  /** The archive (tar, gzip) on this machine. */
  readonly path: string;
  readonly bytes: number;
}

/** A place that offers a builder and a launcher. */
export interface Engine {
  readonly id: string;
  /** False where no sandbox works: then builds and sessions run as the user. */
  readonly isolated: boolean;
  /** Where environments lie, if they are not at the place that is the same everywhere: part of what they are named by. */
  readonly place?: string | undefined;
  /** Steps this engine leaves out, each with the reason in a sentence for people. */
  readonly lacks?: Readonly<Partial<Record<Step['uses'], string>>>;
  readonly builder: Builder;
  readonly launcher: Launcher;
  /** Called when a session ended by itself or by `stop`, once for each. */
  onEnd(listener: (session: Session) => void): void;
  /** What was saved at the end of a session, as long as it is kept. */
  saved(id: SessionId): Promise<SavedWork | undefined>;
  /** Begins to fetch what the first session will need; whoever needs it sooner waits for the same. */
  warm?(): void;
  /** Renews the lease of every session (I3); the hub calls it several times in each `session.lease`. */
  renew(): Promise<void>;
  /** Renews the leases a last time and ends what the engine started for itself; sessions stay. */
  close(): Promise<void>;
}
