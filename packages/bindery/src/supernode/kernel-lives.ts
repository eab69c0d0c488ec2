/** How often each kernel was restarted, so that what was asked of one life of it does not run in the next. */
export interface KernelLives {
  /** The life that it is in now. */
  current(kernel: string): number;
  restarted(kernel: string): void;
  /** Tells what the kernel's process calls itself. False when that is another one than before: it was restarted unseen, and counted. */
  isSame(kernel: string, process: string): boolean;
}

/** For as long as this process lives. */
export class PassingLives implements KernelLives {
  readonly #lives = new Map<string, { session: number; process: string }>();

  current(kernel: string): number {
    return this.#lives.get(kernel)?.session ?? 0;
  }

  restarted(kernel: string): void {
    // Its process is known when it answers.
    this.#lives.set(kernel, { session: this.current(kernel) + 1, process: '' });
  }

  isSame(kernel: string, process: string): boolean {
    const known = this.#lives.get(kernel)?.process ?? '';
    const isSame = known === '' || known === process;
    if (!isSame) this.restarted(kernel);
    this.#lives.set(kernel, { session: this.current(kernel), process });
    return isSame;
  }
}
