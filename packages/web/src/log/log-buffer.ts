import { signal } from '@preact/signals';
import type { LaunchEvent } from '@bindery/wire/events.ts';

/** Most lines that are kept; older ones are dropped and counted. */
const MAX_LINES = 20_000;
/** Longest line that is kept, in characters. */
const MAX_LENGTH = 8_000;

const BOLD = '\u001b[1m';
const GREY = '\u001b[90m';
const RED = '\u001b[31m';
const PLAIN = '\u001b[0m';
// oxlint-disable-next-line no-control-regex -- these are the control sequences that a log's plain text leaves out
const CONTROL = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b\[[0-?]*[ -/]*[@-~]|\u001b[@-Z\\-_]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** The text without colours and other control sequences; of a line that was written over, what was written last. */
export function plainText(line: string): string {
  const written = line.replace(/\r+$/, '');
  return written.slice(written.lastIndexOf('\r') + 1).replace(CONTROL, '');
}

/** The lines of a launch's log, as a terminal would show them, for one terminal at a time and for copying. */
export class LogBuffer {
  readonly lastLine = signal('');
  readonly count = signal(0);
  #lines: string[] = [];
  #dropped = 0;
  #listeners = new Set<(lines: readonly string[]) => void>();

  add(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const cut = lines.map((line) => (line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)} …` : line));
    for (const line of cut) this.#lines.push(line);
    if (this.#lines.length > MAX_LINES * 1.1) {
      this.#dropped += this.#lines.length - MAX_LINES;
      this.#lines = this.#lines.slice(-MAX_LINES);
    }
    this.count.value += cut.length;
    this.lastLine.value = cut.map(plainText).findLast((line) => line.trim() !== '') ?? this.lastLine.value;
    for (const listener of this.#listeners) listener(cut);
  }

  clear(): void {
    this.#lines = [];
    this.#dropped = 0;
    this.count.value = 0;
    this.lastLine.value = '';
  }

  /** Calls back with what there is and then with everything that comes. Returns the end of it. */
  follow(listener: (lines: readonly string[]) => void): () => void {
    if (this.#lines.length > 0) listener(this.#lines);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  text(): string {
    const head = this.#dropped > 0 ? [`(${this.#dropped} earlier lines are not shown)`] : [];
    return [...head, ...this.#lines.map(plainText)].join('\n');
  }
}

/** How an entry looks in the log. */
export function logLines(event: LaunchEvent): string[] {
  const lines = event.message.replace(/\n+$/, '').split('\n');
  if (event.phase === 'failed') return lines.map((line) => `${RED}${line}${PLAIN}`);
  if (event.phase === 'ready') return lines.map((line) => `${BOLD}${line}${PLAIN}`);
  if (event.kind === 'log') return lines;
  return lines.map((line) => (event.kind === 'begin' ? `${BOLD}${line}${PLAIN}` : `${GREY}${line}${PLAIN}`));
}
