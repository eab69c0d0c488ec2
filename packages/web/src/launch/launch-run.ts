import { batch, signal } from '@preact/signals';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import { isFinal, LaunchEvent } from '@bindery/wire/events.ts';
import { backOff, readStream } from '../event-stream.ts';
import type { StreamMessage } from '../event-stream.ts';
import { HubError, isPassing } from '../hub.ts';
import type { Hub } from '../hub.ts';
import { LogBuffer, logLines } from '../log/log-buffer.ts';
import type { Entry } from '../shell/router.ts';
import { advance, emptyLaunch } from './launch-model.ts';

/** Where a run keeps what a reload needs. */
export interface Memory {
  entry(): Entry;
  remember(change: Entry): void;
}

/** One launch as this page follows it: created or found again, its stream read to the end, through any number of cuts. */
export class LaunchRun {
  readonly model = signal(emptyLaunch());
  /** Attempts to reach the stream since it was cut; 0 while it flows. */
  readonly cut = signal(0);
  /** Why there is no launch to follow. */
  readonly problem = signal<HubError | undefined>(undefined);
  readonly cancelling = signal(false);
  readonly log = new LogBuffer();
  /** What the hub's clock is ahead of this one, in milliseconds; 0 unless they clearly differ. */
  clockSkew = 0;
  readonly #hub: Hub;
  readonly #memory: Memory;
  readonly #abort = new AbortController();
  #wake: () => void = () => undefined;

  constructor(hub: Hub, memory: Memory) {
    this.#hub = hub;
    this.#memory = memory;
  }

  /** Follows the launch that this history entry knows, or starts one for `link`; never both. */
  async follow(link: string, options: LaunchOptions): Promise<void> {
    try {
      const { id, key } = this.#memory.entry().launch ?? (await this.#create(link, options));
      await this.#readToEnd(id, key);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.problem.value = error instanceof HubError ? error : unexpected(error);
    }
  }

  /** Asks the hub to end the launch; the stream then ends with `failed`, code `cancelled`. */
  async cancel(): Promise<void> {
    const known = this.#memory.entry().launch;
    if (!known) return;
    this.cancelling.value = true;
    await this.#hub.cancelLaunch(known.id, known.key).catch(() => (this.cancelling.value = false));
  }

  /** Tries at once instead of waiting for the next attempt. */
  reconnect(): void {
    this.#wake();
  }

  /** Stops following; the launch goes on. */
  close(): void {
    this.#abort.abort();
    this.#wake();
  }

  async #create(link: string, options: LaunchOptions): Promise<{ id: string; key: string | undefined }> {
    const once = this.#memory.entry().once ?? crypto.randomUUID();
    this.#memory.remember({ once });
    for (let attempt = 0; ; attempt++) {
      try {
        const { id, key } = await this.#hub.createLaunch(link, options, once);
        // Another page is shown by now: its history entry is not this launch's.
        this.#abort.signal.throwIfAborted();
        this.cut.value = 0;
        this.#memory.remember({ launch: key ? { id, key } : { id } });
        return { id, key };
      } catch (error) {
        if (!isPassing(error) || this.#abort.signal.aborted || attempt >= 5) throw error;
        await this.#pause(attempt);
      }
    }
  }

  async #readToEnd(id: string, key: string | undefined): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const before = this.model.value.seq;
      try {
        await this.#readOnce(id, key);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (!isPassing(error)) throw error;
      }
      if (this.model.value.end || this.#abort.signal.aborted) return;
      if (this.model.value.seq > before) attempt = 0;
      await this.#pause(attempt);
    }
  }

  async #readOnce(id: string, key: string | undefined): Promise<void> {
    const response = await this.#hub.events(id, key, this.model.value.seq, this.#abort.signal);
    this.clockSkew = skewOf(response);
    this.cut.value = 0;
    if (!response.body) return;
    for await (const messages of readStream(response.body)) {
      batch(() => this.#take(messages));
      if (this.model.value.end) return;
    }
  }

  #take(messages: readonly StreamMessage[]): void {
    const lines: string[] = [];
    let model = this.model.value;
    for (const message of messages) {
      const event = parseEvent(message.data);
      if (event.seq <= model.seq) continue;
      lines.push(...logLines(event));
      model = advance(model, event);
      if (isFinal(event)) break;
    }
    this.log.add(lines);
    this.model.value = model;
  }

  async #pause(attempt: number): Promise<void> {
    this.cut.value = attempt + 1;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#wake(), backOff(attempt));
      const wake = (): void => {
        clearTimeout(timer);
        removeEventListener('online', wake);
        resolve();
      };
      this.#wake = wake;
      addEventListener('online', wake);
    });
  }
}

/** A stream that says what we can't read is not mended by reading it again. */
function parseEvent(data: string): LaunchEvent {
  try {
    return LaunchEvent.parse(JSON.parse(data));
  } catch (error) {
    throw unexpected(error);
  }
}

function skewOf(response: Response): number {
  const date = Date.parse(response.headers.get('date') ?? '');
  const skew = date - Date.now();
  return Number.isNaN(skew) || Math.abs(skew) < 2000 ? 0 : skew;
}

function unexpected(error: unknown): HubError {
  return new HubError({
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    hint: 'Reload the page; if it happens again, please report it.',
    retryable: true,
  });
}
