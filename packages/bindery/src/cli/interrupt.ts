/** Repeated signals within this many milliseconds are one: a terminal's Ctrl-C reaches us twice when npm passes it on as well. */
const ONE_KEYSTROKE_MS = 1000;
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Ctrl-C and the signals that mean the same. */
export interface Interrupt {
  /** Aborts with the first of them. */
  readonly signal: AbortSignal;
  /** Comes with the first of them. */
  readonly first: Promise<void>;
  /** Which of them was the first. */
  readonly name: NodeJS.Signals | undefined;
  /** What to do when somebody insists: called once, by a second one. */
  onForce(work: () => void): void;
  /** Gives the signals their usual meaning back. */
  close(): void;
}

export function interruptOf(source: NodeJS.EventEmitter, now: () => number): Interrupt {
  const controller = new AbortController();
  let first: number | undefined;
  const hasCome = Promise.withResolvers<void>();
  let force: (() => void) | undefined;
  let name: NodeJS.Signals | undefined;
  const heard = (heardName: NodeJS.Signals): void => {
    if (first === undefined) {
      first = now();
      name = heardName;
      controller.abort(new Error('interrupted'));
      hasCome.resolve();
    } else if (now() - first >= ONE_KEYSTROKE_MS) {
      force?.();
      force = undefined;
    }
  };
  for (const one of SIGNALS) source.on(one, heard);
  return {
    signal: controller.signal,
    first: hasCome.promise,
    get name() {
      return name;
    },
    onForce(work) {
      force = work;
    },
    close() {
      for (const one of SIGNALS) source.off(one, heard);
    },
  };
}
