import { signal } from '@preact/signals';
import type { Session, Written } from './session.ts';

/** Characters of an answer that are shown. */
const MOST_SHOWN = 500_000;

/** One operation at a time, and what came of the last one. */
export class Asking {
  /** JSON. */
  readonly answer = signal('');
  /** How it stands, in words. */
  readonly state = signal('');
  readonly isGoing = signal(false);
  readonly #session: Session;
  #end: (() => void) | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  begin(written: Written, isSubscription: boolean): void {
    this.stop();
    this.isGoing.value = true;
    if (isSubscription) this.#follow(written);
    else void this.#ask(written);
  }

  stop(): void {
    if (this.isGoing.value) this.#over('Stopped.');
  }

  async #ask(written: Written): Promise<void> {
    const begun = performance.now();
    let isStopped = false;
    this.#end = () => (isStopped = true);
    this.state.value = 'Asking…';
    try {
      const result = await this.#session.ask(written);
      if (isStopped) return;
      this.#show(result);
      this.#over(`Answered in ${Math.round(performance.now() - begun)} ms.`);
    } catch (error) {
      if (!isStopped) this.#over((error as Error).message);
    }
  }

  #follow(written: Written): void {
    let count = 0;
    const events = (): string => `${count} ${count === 1 ? 'event' : 'events'}`;
    this.state.value = 'Following; nothing has come yet.';
    this.#end = this.#session.follow(
      written,
      (result) => {
        count += 1;
        this.#show(result);
        this.state.value = `Following: ${events()}, the last one is shown.`;
      },
      () => this.isGoing.value && this.#over(`Ended after ${events()}.`),
    );
  }

  #over(state: string): void {
    this.isGoing.value = false;
    this.state.value = state;
    this.#end?.();
    this.#end = undefined;
  }

  #show(result: unknown): void {
    const text = JSON.stringify(result, null, 2);
    this.answer.value = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}\n… ${text.length - MOST_SHOWN} characters more` : text;
  }
}
