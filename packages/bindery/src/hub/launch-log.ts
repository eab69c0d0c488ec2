import { isFinal, type FailedEvent, type LaunchEvent, type Phase, type ReadyEvent } from '@bindery/wire/events.ts';
import type { Progress } from '../contracts/context.ts';
import { instant, type Clock } from '../base/clock.ts';

type Final = Omit<ReadyEvent, 'seq' | 'at'> | Omit<FailedEvent, 'seq' | 'at'>;

/** Raw lines of tools that a log keeps; what comes after is counted, not kept (a build may print a gigabyte). */
const MAX_LINES = 20_000;
/** Characters of a log's messages altogether, for the same reason. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/**
 * A launch's append-only log: entries numbered from 0 without gaps, at most one final entry and nothing after it.
 * Holds no secret: credentials in addresses are cut out on the way in.
 */
export class LaunchLog {
  readonly #events: LaunchEvent[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #clock: Clock;
  #phase: Phase = 'resolving';
  #lines = 0;
  #characters = 0;
  #dropped = 0;

  constructor(clock: Clock, events: readonly LaunchEvent[] = []) {
    this.#clock = clock;
    this.#events.push(...events);
    this.#phase = events.at(-1)?.phase ?? 'resolving';
  }

  get events(): readonly LaunchEvent[] {
    return this.#events;
  }

  /** Characters of all messages together. */
  get size(): number {
    return this.#characters;
  }

  /** Where the launch is: the phase of its last entry. */
  get phase(): Phase {
    return this.#phase;
  }

  /** The entry after which there are no more. */
  get final(): ReadyEvent | FailedEvent | undefined {
    const last = this.#events.at(-1);
    return last && isFinal(last) ? last : undefined;
  }

  /** Adds an entry; dropped once the log has ended or, for raw lines, is full. */
  add(entry: Progress): void {
    if (this.final) return;
    if (entry.kind === 'log' && this.#isFull(entry.message)) {
      this.#dropped++;
      return;
    }
    this.#append(entry);
  }

  /** Adds the final entry, unless there is one. Returns whether this call ended the log. */
  end(entry: Final): boolean {
    if (this.final) return false;
    if (this.#dropped > 0) {
      const message = `${this.#dropped} more lines were not kept.`;
      this.#append({ phase: entry.phase === 'failed' ? 'building' : 'launching', kind: 'info', message });
    }
    this.#append(entry);
    return true;
  }

  /** Calls `listener` after each new entry, until the returned function is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isFull(message: string): boolean {
    this.#lines++;
    return this.#lines > MAX_LINES || this.#characters + message.length > MAX_CHARACTERS;
  }

  #append(entry: Progress | Final): void {
    const message = withoutCredentials(entry.message);
    this.#phase = entry.phase;
    this.#characters += message.length;
    this.#events.push({ seq: this.#events.length, at: instant(this.#clock), ...entry, message });
    for (const listener of this.#listeners) listener();
  }
}

/** Cuts user name and password out of every address in a text. */
export function withoutCredentials(text: string): string {
  return text.includes('@') ? text.replaceAll(/:\/\/[^\s/@'"]+@/g, '://') : text;
}
