import { signal } from '@preact/signals';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { isFinal } from '@bindery/wire/events.ts';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { randomId } from '@bindery/wire/ids.ts';
import { LogBuffer, logLines } from '../log/log-buffer.ts';
import type { Entry } from '../shell/router.ts';
import { advance, emptyLaunch } from './launch-model.ts';

/** Where a run keeps what a reload needs. */
export interface Memory {
  entry(): Entry;
  remember(change: Entry): void;
}

/** Milliseconds for which entries are gathered before they are shown: a build may print thousands of lines a second. */
const GATHER = 40;
/** Most entries that are gathered: a hidden tab's timers hardly run. */
const GATHER_MOST = 2_000;
/** Times that the request which creates a launch is repeated when the hub does not answer. */
const ATTEMPTS = 4;

/** One launch as this page follows it: created or found again, its stream read to the end, through any number of cuts. */
export class LaunchRun {
  readonly model = signal(emptyLaunch());
  /** True while the hub cannot be reached. */
  readonly isCut = signal(false);
  /** Why there is no launch to follow. */
  readonly problem = signal<BinderyError | undefined>(undefined);
  readonly cancelling = signal(false);
  readonly log = new LogBuffer();
  readonly #hub: HubClient;
  readonly #memory: Memory;
  readonly #abort = new AbortController();
  #gathered: LaunchEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(hub: HubClient, memory: Memory) {
    this.#hub = hub;
    this.#memory = memory;
  }

  /** Follows the launch that this history entry knows, or starts one for `link`; never both. */
  async follow(link: string, options: LaunchOptions): Promise<void> {
    try {
      const { id, key } = this.#memory.entry().launch ?? (await this.#create(link, options));
      const { signal } = this.#abort;
      const onState = (state: 'open' | 'cut'): void => void (this.isCut.value = state === 'cut');
      for await (const event of this.#hub.follow(id, { launchKey: key, signal, patienceMs: Infinity, onState })) this.#gather(event);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.problem.value = error instanceof BinderyError ? error : unexpected(error);
    }
  }

  /** Asks the hub to end the launch; the stream then ends with `failed`, code `cancelled`. */
  async cancel(): Promise<void> {
    const known = this.#memory.entry().launch;
    if (!known) return;
    this.cancelling.value = true;
    await this.#hub.cancelLaunch(known.id, known.key).catch(() => (this.cancelling.value = false));
  }

  /** Stops following; the launch goes on. */
  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  async #create(link: string, options: LaunchOptions): Promise<{ id: string; key: string | undefined }> {
    const once = this.#memory.entry().once ?? randomId();
    this.#memory.remember({ once });
    for (let attempt = 0; ; attempt++) {
      try {
        const { id, key } = await this.#hub.createLaunch({ link, options }, once, this.#memory.entry().restoreKey);
        // Another page may be shown by now: then its history entry is not this launch's.
        this.#abort.signal.throwIfAborted();
        this.isCut.value = false;
        this.#memory.remember({ launch: key ? { id, key } : { id } });
        return { id, key };
      } catch (error) {
        const isPassing = error instanceof BinderyError && error.code === 'hub_unreachable';
        if (!isPassing || this.#abort.signal.aborted || attempt >= ATTEMPTS) throw error;
        this.isCut.value = true;
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
      }
    }
  }

  #gather(event: LaunchEvent): void {
    this.#gathered.push(event);
    if (isFinal(event) || this.#gathered.length >= GATHER_MOST) this.#show();
    else this.#timer ??= setTimeout(() => this.#show(), GATHER);
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#gathered;
    this.#gathered = [];
    this.log.add(events.flatMap(logLines));
    this.model.value = events.reduce(advance, this.model.value);
  }
}

function unexpected(error: unknown): BinderyError {
  const message = error instanceof Error ? error.message : String(error);
  return new BinderyError('internal', message, { hint: 'Reload the page; if it happens again, please report it.' });
}
