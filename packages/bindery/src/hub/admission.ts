import { BinderyError } from '@bindery/wire/errors.ts';

export interface AdmissionOptions {
  /** Launches that run at once. */
  readonly concurrent: number;
  /** Launches that may wait; more are refused. */
  readonly waiting: number;
  /** Sessions at once, running ones and those of launches under way together. */
  readonly maximum: number;
  /** Bytes that must stay free. */
  readonly freeMemory: number;
  /** Bytes free on this machine now. */
  readonly free: () => number;
  /** Sessions that run now. */
  readonly sessions: () => number;
}

/** Memory that a session which is about to start is counted with, in bytes: a server with one kernel. */
const SESSION_BYTES = 160 * 2 ** 20;
/** How often waiting launches look whether memory has become free, in milliseconds. */
const LOOK_MS = 1000;

interface Waiter {
  readonly admit: (leave: () => void) => void;
  readonly moved: (position: number) => void;
}

/** Lets launches in as long as there is room, in the order in which they came; the others wait in a queue. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue: Waiter[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Resolves when the launch may run, with the function that gives its place back. `onPosition` hears the place in the
   * queue, from 1, when the launch has to wait and each time it moves up. Throws `no_capacity` when the queue is full.
   */
  async enter(signal: AbortSignal, onPosition: (position: number) => void): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#queue.length === 0 && this.#hasRoom()) return this.#take();
    if (this.#queue.length >= this.#options.waiting)
      throw new BinderyError('no_capacity', `${this.#queue.length} launches are waiting already.`);
    return this.#wait(signal, onPosition);
  }

  /** Looks again whether there is room: to be called when a session ended. */
  look(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) {
      this.#queue.shift()?.admit(this.#take());
      this.#queue.forEach((waiter, index) => waiter.moved(index + 1));
    }
    if (this.#queue.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  #hasRoom(): boolean {
    const { concurrent, maximum, freeMemory, free, sessions } = this.#options;
    if (this.#running >= concurrent || sessions() + this.#running >= maximum) return false;
    return freeMemory === 0 || free() >= freeMemory + this.#running * SESSION_BYTES;
  }

  #wait(signal: AbortSignal, moved: (position: number) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const index = this.#queue.indexOf(waiter);
        if (index >= 0) this.#queue.splice(index, 1);
        this.#queue.slice(index).forEach((other, offset) => other.moved(index + offset + 1));
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        moved,
        admit: (giveBack) => {
          signal.removeEventListener('abort', leave);
          resolve(giveBack);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.push(waiter);
      moved(this.#queue.length);
      this.look();
    });
  }

  #take(): () => void {
    this.#running++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running--;
      this.look();
    };
  }
}
