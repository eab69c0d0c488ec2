import type { LaunchEvent } from '@bindery/wire/events.ts';
import type { Clock } from '../base/clock.ts';
import { frame, STAGE_TITLES, TICK_MS } from './progress-frame.ts';
import { advance, noProgress, type Progress } from './progress.ts';
import { duration, fit, tame, type Terminal } from './terminal.ts';

/** Shows a launch to whoever watches. */
export interface ProgressView {
  show(event: LaunchEvent): void;
  /** A sentence beside the stages, about what goes on in the hub. */
  note(text: string): void;
  /** Leaves what was shown standing and draws no more. */
  close(): void;
}

/** A picture that is drawn over and over in a terminal; plain lines everywhere else. */
export function progressView(terminal: Terminal, clock: Clock): ProgressView {
  return terminal.interactive ? new LiveView(terminal, clock) : new LineView(terminal, clock);
}

class LiveView implements ProgressView {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  #progress: Progress = noProgress;
  #drawn = 0;

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#timer = setInterval(() => this.#draw(), TICK_MS);
    this.#timer.unref();
  }

  show(event: LaunchEvent): void {
    this.#progress = advance(this.#progress, event, this.#clock.monotonic());
    if (this.#progress.end) this.#draw();
  }

  note(text: string): void {
    const back = this.#drawn > 0 ? `\u001B[${this.#drawn}A\r\u001B[J` : '';
    const { columns } = this.#terminal.size();
    this.#terminal.err(`${back}  ${this.#terminal.paint('dim', fit(tame(text), columns - 3))}\n`);
    this.#drawn = 0;
    this.#draw();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#draw();
    this.#drawn = 0;
  }

  #draw(): void {
    const lines = frame(this.#progress, { now: this.#clock.monotonic(), ...this.#terminal.size(), paint: this.#terminal.paint });
    const back = this.#drawn > 0 ? `\u001B[${this.#drawn}A\r` : '';
    if (back !== '' || lines.length > 0) this.#terminal.err(`${back}\u001B[J${lines.map((line) => `${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }
}

class LineView implements ProgressView {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #since: number;

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  show(event: LaunchEvent): void {
    if (event.phase === 'ready' || event.phase === 'failed') return; // the command tells the end itself
    if (event.kind === 'log') {
      this.#terminal.err(`             ${tame(event.message)}\n`);
      return;
    }
    const took = event.kind === 'done' && event.ms !== undefined ? ` (${duration(event.ms)})` : '';
    const message = event.message === '' ? '' : `: ${tame(event.message)}`;
    this.#terminal.err(`[${duration(this.#clock.monotonic() - this.#since).padStart(9)}]  ${STAGE_TITLES[event.phase]}${message}${took}\n`);
    for (const finding of event.findings ?? []) {
      if (finding.effect !== 'used') this.#terminal.err(`             ${tame(finding.file)}: ${tame(finding.why)}\n`);
    }
  }

  note(text: string): void {
    this.#terminal.err(`             ${tame(text)}\n`);
  }

  close(): void {}
}
