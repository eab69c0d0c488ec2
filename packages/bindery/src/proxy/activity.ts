import type { Clock } from '../base/clock.ts';
import { FrameTap } from './frames.ts';
import { isUserMessage, readStatus, type KernelStatus } from './messages.ts';
import type { Tap } from './splice.ts';

/** What is going on in a session, by the classes of SPEC.md (rules V1–V7). */
export interface ActivityView {
  /** Last user input or kernel work, in milliseconds since the epoch. */
  readonly activeAt: number;
  /** Kernels at work for the user, as far as passing messages tell. */
  readonly busyKernels: number;
  /** Open WebSockets. */
  readonly connections: number;
}

/** What an upgraded connection is watched for. */
export interface Connection {
  /** True where messages are read, so that they may not be compressed. */
  readonly plain: boolean;
  open(protocol: string | undefined): Taps;
  close(): void;
}

export interface Taps {
  readonly toSession: Tap | undefined;
  readonly toClient: Tap | undefined;
}

interface Entry {
  activeAt: number;
  toldAt: number;
  connections: number;
  /** Open connections to each kernel. */
  readonly kernels: Map<string, number>;
  /** For each kernel at work: the requests it works on. */
  readonly busy: Map<string, Set<string>>;
}

const TELL_EVERY_MS = 30_000;
const MOST_KERNELS = 256;
const MOST_REQUESTS = 256;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Unsafe requests that pages send on their own, again and again: RStudio's event poll, socket.io's transport. */
const POLL = /(?:^|\/)(?:events\/get_events|socket\.io\/?|api\/status|api\/metrics\/.*|metrics)$/;

/** Who last did something in each session. Bytes count for nothing: pings, pongs, polls and status never do. */
export class Activity {
  readonly #clock: Clock;
  readonly #tell: ((id: string, activeAt: number) => void) | undefined;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, tell?: (id: string, activeAt: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(id: string, activeAt?: number): void {
    if (this.#entries.has(id)) return;
    const at = activeAt ?? this.#clock.now();
    this.#entries.set(id, { activeAt: at, toldAt: at, connections: 0, kernels: new Map(), busy: new Map() });
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }

  view(id: string): ActivityView | undefined {
    const entry = this.#entries.get(id);
    return entry && { activeAt: entry.activeAt, busyKernels: entry.busy.size, connections: entry.connections };
  }

  /** A request passes: what changes something counts, and so does opening a page. */
  request(id: string, method: string, tail: string, navigation: boolean): void {
    if (navigation || (!SAFE.has(method) && !POLL.test(tail))) this.touch(id);
  }

  /** A connection is being upgraded. */
  connection(id: string, tail: string): Connection {
    const kernel = /^api\/kernels\/([^/]+)\/channels$/.exec(tail)?.[1];
    const client = this.#clientReader(id, tail, kernel);
    let counted: Entry | undefined;
    return {
      plain: kernel !== undefined || /^(?:terminals\/websocket|api\/collaboration)\//.test(tail),
      open: (protocol) => {
        counted = this.#entries.get(id);
        if (counted) count(counted, kernel, 1);
        const status = {
          limit: 8192,
          message: (start: Buffer, whole: boolean) => whole && this.#status(id, kernel ?? '', readStatus(start, protocol)),
        };
        return { toSession: client && new FrameTap(client), toClient: kernel === undefined ? undefined : new FrameTap(status) };
      },
      close: () => {
        if (!counted) return;
        count(counted, kernel, -1);
        // Nobody would hear when the kernel is done: from here on only the session's server can tell.
        if (kernel !== undefined && !counted.kernels.has(kernel) && counted.busy.delete(kernel)) this.touch(id);
        counted = undefined;
      },
    };
  }

  #clientReader(id: string, tail: string, kernel: string | undefined): ConstructorParameters<typeof FrameTap>[0] | undefined {
    const when = (limit: number, counts: (start: Buffer, whole: boolean) => boolean) => ({
      limit,
      message: (start: Buffer, whole: boolean) => {
        if (counts(start, whole)) this.touch(id);
      },
    });
    // Only code and widget data come in messages longer than this.
    if (kernel !== undefined) return when(65_536, (start, whole) => !whole || isUserMessage(start));
    if (tail.startsWith('terminals/websocket/')) return when(12, (start) => /^\[\s*"stdin"/.test(start.toString('latin1')));
    // Yjs: a sync message with an update. Awareness (who is here) is renewed by forgotten tabs as well.
    if (tail.startsWith('api/collaboration/')) return when(2, (start) => start[0] === 0 && start[1] === 2);
    if (tail.startsWith('api/events/')) return undefined;
    return when(64, (start) => start.length > 16 && !/ping|pong|keep.?alive|heartbeat/i.test(start.toString('latin1')));
  }

  #status(id: string, kernel: string, status: KernelStatus | undefined): void {
    const busy = this.#entries.get(id)?.busy;
    if (!busy || !status) return;
    if (status.state === 'restarting' || status.state === 'starting' || status.state === 'dead') {
      busy.delete(kernel);
      return;
    }
    if (status.work === undefined) return;
    const requests = busy.get(kernel) ?? new Set<string>();
    if (status.state === 'busy' && (busy.has(kernel) || busy.size < MOST_KERNELS)) {
      if (requests.size < MOST_REQUESTS) busy.set(kernel, requests.add(status.work));
    } else if (status.state === 'idle') {
      requests.delete(status.work);
      if (requests.size === 0) busy.delete(kernel);
    } else return;
    this.touch(id);
  }

  /** Counts as activity, now. */
  touch(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const now = this.#clock.now();
    entry.activeAt = now;
    if (now - entry.toldAt < TELL_EVERY_MS) return;
    entry.toldAt = now;
    this.#tell?.(id, now);
  }

  /** What the session's own server says of its kernels: it knows those that no browser is connected to, and those that are gone. */
  correct(id: string, busyKernels: ReadonlySet<string>): void {
    const busy = this.#entries.get(id)?.busy;
    for (const kernel of busy?.keys() ?? []) if (!busyKernels.has(kernel)) busy?.delete(kernel);
  }
}

function count(entry: Entry, kernel: string | undefined, change: 1 | -1): void {
  entry.connections += change;
  if (kernel === undefined) return;
  const open = (entry.kernels.get(kernel) ?? 0) + change;
  if (open > 0) entry.kernels.set(kernel, open);
  else entry.kernels.delete(kernel);
}
