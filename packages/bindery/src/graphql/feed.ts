import type { RelayRoom } from '../relay/relay-room.ts';

/** Milliseconds between two events of one subscription. */
const PACE_MS = 50;

/** What a feed tells of a room. */
export interface Source<T> {
  /** Calls `changed` when there is something new; returns what ends it. Begins anew where the room was closed and opened again. */
  watch(room: RelayRoom, changed: () => void): () => void;
  /** What there is to tell now: `more` where a part of it comes next, `isLast` where nothing comes after it. Undefined where there is nothing any more. */
  read(room: RelayRoom): { readonly value: T; readonly more?: boolean; readonly isLast?: boolean } | undefined;
}

/** How fast somebody takes what he is told. */
export interface Flow {
  /** Comes when there is room for more, or nobody who takes it. */
  ready(): Promise<void>;
}

export interface FeedOptions<T> {
  /** Enters the room, and stays in it until it is left. */
  readonly stay: (ended: () => void) => Promise<{ readonly room: RelayRoom; readonly leave: () => void }>;
  readonly source: Source<T>;
  readonly flow: Flow;
}

const DONE = { done: true, value: undefined } as const;

/**
 * What is to be told of a room, read at the moment when it can be taken: whatever changes until then is told once, so that nothing waits for one who is
 * slow (`SPEC.md`, S2).
 */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #options: FeedOptions<T>;
  #leave: (() => void) | undefined;
  #room: RelayRoom | undefined;
  #isChanged = true;
  #isEnded = false;
  #dueAt = 0;
  #wake: (() => void) | undefined;

  private constructor(options: FeedOptions<T>) {
    this.#options = options;
  }

  /** Fails as entering the room does. */
  static async open<T>(options: FeedOptions<T>): Promise<Feed<T>> {
    const feed = new Feed(options);
    await feed.#enter();
    return feed;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T>> {
    try {
      return await this.#next();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#end();
    return DONE;
  }

  async throw(error: unknown): Promise<IteratorResult<T>> {
    this.#end();
    throw error;
  }

  async #next(): Promise<IteratorResult<T>> {
    while (!this.#isEnded) {
      const early = this.#dueAt - performance.now();
      if (!this.#isChanged) await this.#sleep();
      else if (early > 0) await this.#sleep(early);
      else {
        await this.#options.flow.ready();
        if (this.#isEnded) break;
        const room = this.#room ?? (await this.#enter());
        this.#isChanged = false;
        const told = this.#options.source.read(room);
        if (!told) break;
        this.#dueAt = performance.now() + PACE_MS;
        if (told.isLast) this.#end();
        else if (told.more) this.#changed();
        return { done: false, value: told.value };
      }
    }
    this.#end();
    return DONE;
  }

  async #enter(): Promise<RelayRoom> {
    const { room, leave } = await this.#options.stay(() => this.#closed());
    const unwatch = this.#options.source.watch(room, () => this.#changed());
    this.#leave = () => {
      unwatch();
      leave();
    };
    this.#room = room;
    if (this.#isEnded) this.#end();
    return room;
  }

  /** The server closed the room: it is opened anew, and what it says then is told. */
  #closed(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.#room = undefined;
    this.#changed();
  }

  #changed(): void {
    this.#isChanged = true;
    this.#wake?.();
  }

  #end(): void {
    this.#isEnded = true;
    this.#leave?.();
    this.#leave = undefined;
    this.#wake?.();
  }

  /** Until something changes, or it is time. */
  async #sleep(ms?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
