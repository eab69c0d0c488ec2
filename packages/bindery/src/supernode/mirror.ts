import { z } from 'zod';
import { portable, type JsonObject } from '@bindery/rtc/json.ts';
import { SERVER_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { JupyterServer } from './jupyter-server.ts';
import type { KernelLives } from './kernel-lives.ts';
import { putRecord } from './put-record.ts';
import type { SharedDoc } from './shared-doc.ts';

export interface MirrorOptions {
  readonly server: Pick<JupyterServer, 'ask'>;
  /** The document of the server's tables. */
  readonly shared: SharedDoc;
  /** True while somebody looks at it. */
  readonly isWatched: () => boolean;
  /** True for a record of `sessions` that is a request of a member, and none of the server's. */
  readonly isRequest?: (id: string) => boolean;
  /** Milliseconds between two looks at the server while somebody looks at the document (1000), and else (30,000). */
  readonly watchedMs?: number;
  readonly idleMs?: number;
}

/** Looks between two at what hardly ever changes, and milliseconds that news of kernels wait for others. */
const SPECS_EVERY = 60;
const QUIET_MS = 50;

const TABLES = {
  kernelspecs: SERVER_TABLES.kernelspecs,
  status: SERVER_TABLES.status,
  terminals: SERVER_TABLES.terminals,
  kernels: SERVER_TABLES.kernels,
  sessions: SERVER_TABLES.sessions,
};
type Name = keyof typeof TABLES;

const Activity = z.object({ last_activity: z.string().default(''), connections: z.number().default(0) });
const Kernels = z.array(Activity.extend({ id: z.string(), name: z.string(), execution_state: z.string().optional() }));
const Sessions = z.array(
  z.object({
    id: z.string(),
    path: z.string().default(''),
    name: z.string().default(''),
    type: z.string().default(''),
    kernel: z.object({ id: z.string() }).nullish(),
  }),
);
const Terminals = z.array(z.object({ name: z.string() }));
const Status = Activity.extend({ started: z.string().default(''), kernels: z.number().default(0) });
const Specs = z.object({ default: z.string(), kernelspecs: z.record(z.string(), z.custom<JsonObject>()) });

/** Keeps the tables of a Jupyter server in step with it (`SPEC.md`, X5). */
export class Mirror implements KernelLives {
  readonly #options: MirrorOptions;
  readonly #tables: Tables<typeof TABLES>;
  readonly #lives = new Map<string, { session: number; process: string }>();
  readonly #news = new Map<string, { status?: string; info?: JsonObject }>();
  #looks = 0;
  #timer: NodeJS.Timeout | undefined;
  #newsTimer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: MirrorOptions) {
    const { doc } = options.shared;
    this.#options = options;
    this.#tables = openTables(doc, TABLES, (body) => doc.transact(body, 'server'));
    for (const { id, session, process } of this.#tables.kernels.records.get()) this.#lives.set(id, { session, process });
    void this.look();
  }

  /** Looks at the server now; comes when the document says what the server said. Never fails: a server that does not answer is looked at later. */
  look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
      this.#wait(performance.now());
    });
    return this.#looking;
  }

  /** Until somebody looks at the document, or it is time to look for nobody. */
  #wait(since: number): void {
    const { isWatched, watchedMs = 1000, idleMs = 30_000 } = this.#options;
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      if (isWatched() || performance.now() - since >= idleMs) void this.look();
      else this.#wait(since);
    }, watchedMs).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#newsTimer);
  }

  current(kernel: string): number {
    return this.#lives.get(kernel)?.session ?? 0;
  }

  restarted(kernel: string): void {
    this.#live(kernel, this.current(kernel) + 1, '');
  }

  isSame(kernel: string, process: string): boolean {
    const known = this.#lives.get(kernel)?.process ?? '';
    const isSame = known === '' || known === process;
    if (known !== process) this.#live(kernel, this.current(kernel) + (isSame ? 0 : 1), process);
    return isSame;
  }

  /** What a kernel's own channel tells, sooner than the server can be asked. */
  tell(kernel: string, news: { readonly status?: string; readonly info?: JsonObject }): void {
    this.#news.set(kernel, { ...this.#news.get(kernel), ...news });
    this.#newsTimer ??= setTimeout(() => this.#writeNews(), QUIET_MS);
  }

  #live(kernel: string, session: number, process: string): void {
    this.#lives.set(kernel, { session, process });
    this.#edit(() => this.#put('kernels', kernel, { session, process }));
  }

  #writeNews(): void {
    this.#newsTimer = undefined;
    const news = [...this.#news];
    this.#news.clear();
    this.#edit(() => {
      for (const [kernel, { status, info }] of news) {
        if (!this.#tables.kernels.get(kernel)) continue;
        this.#put('kernels', kernel, { ...stateOf(status), ...(info ? { info: portable(info) } : {}) });
      }
    });
  }

  async #lookOnce(): Promise<void> {
    const withSpecs = this.#looks++ % SPECS_EVERY === 0;
    const [kernels, sessions, terminals, status, specs] = await Promise.all([
      this.#ask('kernels', Kernels),
      this.#ask('sessions', Sessions),
      this.#ask('terminals', Terminals),
      this.#ask('status', Status),
      withSpecs ? this.#ask('kernelspecs', Specs) : undefined,
    ]);
    // A server that is just not there leaves things as they were; the next look may find it.
    if (withSpecs && !specs) this.#looks = 0;
    if (this.#isClosed) return;
    this.#edit(() => {
      if (kernels) this.#replace('kernels', kernels, (each) => ({ name: each.name, ...activity(each), ...stateOf(each.execution_state) }));
      if (sessions)
        this.#replace('sessions', sessions, ({ path, name, type, kernel }) => ({
          path,
          name,
          type,
          state: kernel ? { label: 'created', kernelId: kernel.id } : { label: 'pending', kernel: { name: '' } },
        }));
      if (terminals)
        this.#replace(
          'terminals',
          terminals.map(({ name }) => ({ id: name })),
          ({ id }) => ({ name: id }),
        );
      if (status) this.#put('status', 'status', { started: status.started, kernels: status.kernels, ...activity(status) });
      if (specs)
        this.#replace(
          'kernelspecs',
          Object.keys(specs.kernelspecs).map((id) => ({ id })),
          ({ id }) => ({ kernelspec: portable({ ...specs.kernelspecs[id], default: id === specs.default }) }),
        );
    });
  }

  async #ask<T>(what: string, schema: z.ZodType<T>): Promise<T | undefined> {
    try {
      // That it is looked at is no use of the server by anybody.
      const { status, text } = await this.#options.server.ask('GET', `api/${what}?no_track_activity=1`);
      return status === 200 ? schema.parse(JSON.parse(text)) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Makes a table hold these records and no others. */
  #replace<T extends { readonly id: string }>(name: Name, all: readonly T[], fields: (each: T) => object): void {
    const ids = new Set(all.map(({ id }) => id));
    for (const id of this.#tables[name].ids.get()) {
      if (ids.has(id) || (name === 'sessions' && this.#options.isRequest?.(id))) continue;
      this.#tables[name].delete(id);
      if (name === 'kernels') this.#lives.delete(id);
    }
    for (const each of all) this.#put(name, each.id, fields(each));
  }

  /** Writes the fields of a record that are others than they were. */
  #put(name: Name, id: string, fields: object): void {
    putRecord(this.#tables[name] as Tables<typeof TABLES>['kernels'], id, fields, name === 'kernels' ? this.#lives.get(id) : {});
  }

  #edit(body: () => void): void {
    // When the document can't be edited any more, it is opened anew, with another mirror.
    this.#options.shared.edit(body).catch(() => this.close());
  }
}

function activity({ last_activity: lastActivity, connections }: z.infer<typeof Activity>): object {
  return { lastActivity, connections };
}

const STATES: Readonly<Record<string, string>> = {
  starting: 'starting',
  idle: 'idle',
  busy: 'busy',
  restarting: 'restarting',
  autorestarting: 'restarting',
  terminating: 'dead',
  dead: 'dead',
};

function stateOf(state: string | undefined): object {
  const status = STATES[state ?? ''];
  return status === undefined ? {} : { status };
}
