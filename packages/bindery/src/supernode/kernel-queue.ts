import type { JsonObject } from '@bindery/rtc/json.ts';
import { abort, type Execution } from './execution.ts';
import type { JupyterAddress } from './jupyter-server.ts';
import { KernelChannel, type ChannelListener } from './kernel-channel.ts';
import type { KernelLives } from './kernel-lives.ts';
import type { KernelMessage } from './kernel-messages.ts';

/** What the server says where an execution can't go on. */
export const WORDS = {
  died: 'The kernel died.',
  dead: 'The kernel died, and could not be started again.',
  restarted: 'The kernel was restarted.',
  gone: 'There is no such kernel any more.',
  failed: 'An earlier one of the same run failed.',
  lost: 'The connection to the kernel was lost while it ran; outputs since then are lost.',
} as const;

const PROBE_MS = 1000;
/** Milliseconds without an answer after which is asked whether one will come: doubled each time, as a kernel that runs something says nothing else. */
const DOUBT_MS = 10_000;
const LONGEST_DOUBT_MS = 300_000;
/** Executions that have ended whose late outputs are still shown; questions that wait for an answer. */
const MOST_ENDED = 200;
const MOST_WAITING = 1000;

export interface KernelQueueOptions {
  readonly address: JupyterAddress;
  readonly kernel: string;
  /** Under which name it is connected. */
  readonly session: string;
  readonly lives: KernelLives;
  /** Messages of the kernel about its comms; with the execution that caused them, where there is one of ours. */
  readonly comm: (message: KernelMessage, cause: Execution | undefined) => void;
  /** The kernel has begun another life. */
  readonly restarted: () => void;
  /** What the kernel says of itself, and whether it is busy. */
  readonly tell: (news: { readonly status?: string; readonly info?: JsonObject }) => void;
  readonly gone: () => void;
  /** Whether the Jupyter server says that the kernel has nothing to do. */
  readonly isIdle: () => Promise<boolean>;
  /** Milliseconds without an answer until the first doubt: 10,000. */
  readonly doubtMs?: number | undefined;
}

/** What one kernel has to run, one after another, and the connection to it. */
export class KernelQueue implements ChannelListener {
  readonly #options: KernelQueueOptions;
  readonly #channel: KernelChannel;
  #waiting: Execution[] = [];
  #running: Execution | undefined;
  /** Those that a process before this one has sent. */
  readonly #adopted = new Set<Execution>();
  readonly #byMessage = new Map<string, Execution>();
  #questions: { readonly type: string; readonly content: JsonObject; readonly answer: (content: JsonObject | undefined) => void }[] = [];
  readonly #answers = new Map<string, (content: JsonObject | undefined) => void>();
  /** The last question who the kernel is, while it has no answer, and what had been sent before it. Answers to earlier ones say less. */
  #probe = '';
  #probed: readonly Execution[] = [];
  #doubtMs: number;
  #isKnown = false;
  #isRestarting = false;
  #probeTimer: NodeJS.Timeout | undefined;

  constructor(options: KernelQueueOptions) {
    this.#options = options;
    this.#doubtMs = options.doubtMs ?? DOUBT_MS;
    this.#channel = new KernelChannel({ address: options.address, kernel: options.kernel, session: options.session, listener: this });
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(execution: Execution): void {
    this.#waiting.push(execution);
    this.#next();
  }

  /** Takes up what another process has sent: its answer may be on its way, or have been kept. */
  adopt(execution: Execution): void {
    this.#adopted.add(execution);
    this.#follow(execution);
    if (this.#channel.isOpen) this.#ask();
  }

  /** Takes one out that waits; false when it does not. */
  remove(execution: Execution): boolean {
    const index = this.#waiting.indexOf(execution);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  /** Takes out what belongs to a document, with nothing written. */
  forget(document: string): void {
    this.#waiting = this.#waiting.filter((execution) => execution.home.id !== document);
    for (const execution of this.#active()) if (execution.home.id === document) this.#leave(execution);
    this.#next();
  }

  /** Aborts everything, and lets nothing run until `work` is done and the kernel answers again. */
  async restart(work: () => Promise<void>): Promise<void> {
    this.#isRestarting = true;
    const aborted = this.#abortAll(WORDS.restarted);
    this.#options.lives.restarted(this.#options.kernel);
    try {
      await work();
    } finally {
      this.#ask();
    }
    await aborted;
  }

  /** Gives what runs the line that it asked for; false when the kernel is not there. */
  answer(value: string): boolean {
    if (!this.#channel.isOpen) return false;
    this.#channel.send('stdin', 'input_reply', { value, status: 'ok' });
    return true;
  }

  /** Asks the kernel something on its shell, when it is there; undefined when there is no answer. */
  question(type: string, content: JsonObject): Promise<JsonObject | undefined> {
    if (this.#answers.size + this.#questions.length >= MOST_WAITING) return Promise.resolve(undefined);
    return new Promise((answer) => {
      this.#questions.push({ type, content, answer });
      this.#askAll();
    });
  }

  close(): void {
    clearTimeout(this.#probeTimer);
    this.#channel.close();
    for (const execution of [...this.#active(), ...this.#waiting]) execution.drop();
    this.#unanswered();
  }

  opened(): void {
    this.#ask();
  }

  lost(): void {
    this.#isKnown = false;
    for (const execution of this.#active()) if (execution.isSent) execution.interrupted();
    this.#unanswered();
  }

  gone(): void {
    this.#isKnown = false;
    clearTimeout(this.#probeTimer);
    void this.#abortAll(WORDS.gone);
    this.#options.gone();
  }

  message(message: KernelMessage): void {
    const { header, parent, content } = message;
    const id = parent.msg_id ?? '';
    for (const execution of this.#active()) if (execution.isSent) execution.count(message);
    if (header.msg_type.startsWith('comm_') && message.channel === 'iopub') this.#options.comm(message, this.#byMessage.get(id));
    if (header.msg_type === 'kernel_info_reply' && id === this.#probe) this.#known(header.session, content);
    else if (header.msg_type === 'status') this.#status(content['execution_state']);
    else if (header.msg_type === 'shutdown_reply' && content['restart'] === true) this.#restarted(WORDS.restarted);
    this.#byMessage.get(id)?.take(message);
    if (message.channel !== 'shell' || !header.msg_type.endsWith('_reply')) return;
    this.#answers.get(id)?.(content);
    this.#answers.delete(id);
  }

  #status(state: unknown): void {
    if (typeof state === 'string') this.#options.tell({ status: state });
    if (state === 'restarting' || state === 'autorestarting') this.#restarted(WORDS.died);
    else if (state === 'dead') void this.#abortAll(WORDS.dead);
    // Of another process, or late news of this one: it is asked.
    else if (state === 'starting' && this.#channel.isOpen && this.#isKnown) this.#ask();
  }

  #restarted(why: string): void {
    if (this.#isRestarting) return;
    this.#isRestarting = true;
    this.#options.lives.restarted(this.#options.kernel);
    void this.#abortAll(why);
    this.#ask();
  }

  /** Asks the kernel who it is. What was sent before and has no answer when this has one, will get none: a shell answers in order. */
  #ask(): void {
    clearTimeout(this.#probeTimer);
    if (!this.#channel.isOpen) return;
    this.#probed = this.#active().filter(({ isSent }) => isSent);
    this.#probe = this.#channel.send('shell', 'kernel_info_request', {});
    // What is sent to a process that is about to end may never be answered.
    if (this.#isRestarting) this.#probeTimer = setTimeout(() => this.#ask(), PROBE_MS);
    else this.#doubt();
  }

  /**
   * Asks again, more and more rarely, as long as an answer is due: a Jupyter server loses messages, of which it tells nobody, while it gets over
   * a connection that ended as it was being made.
   */
  #doubt(): void {
    clearTimeout(this.#probeTimer);
    this.#probeTimer = setTimeout(() => void this.#askAgain(), this.#doubtMs);
    this.#doubtMs = Math.min(2 * this.#doubtMs, LONGEST_DOUBT_MS);
  }

  async #askAgain(): Promise<void> {
    const probe = this.#probe;
    // One that has nothing to do answers at once: then nothing gets through here.
    if (probe !== '' && (await this.#options.isIdle()) && this.#probe === probe) this.#channel.again();
    else if (this.#isAwaited) this.#ask();
  }

  #known(process: string, info: JsonObject): void {
    clearTimeout(this.#probeTimer);
    this.#probe = '';
    const { lives, kernel, session } = this.#options;
    // Kernels that call their messages by their client's name tell nothing of themselves.
    const isSame = process === session || lives.isSame(kernel, process);
    if (!isSame && !this.#isRestarting) void this.#abortAll(WORDS.restarted);
    for (const execution of this.#probed) if (!execution.isEnded && !execution.hasReply) this.#lose(execution);
    this.#isKnown = true;
    this.#isRestarting = false;
    this.#options.tell({ info });
    this.#send();
    this.#askAll();
    this.#next();
    if (this.#isAwaited) this.#doubt();
  }

  /** Whether the kernel owes an answer. */
  get #isAwaited(): boolean {
    return this.#probe !== '' || this.#active().some(({ isSent, isEnded }) => isSent && !isEnded);
  }

  #lose(execution: Execution): void {
    const { outcome } = execution;
    void this.#finish(execution, outcome.status === 'error' ? outcome : abort(WORDS.lost));
  }

  #active(): Execution[] {
    return [...this.#adopted, ...(this.#running ? [this.#running] : [])];
  }

  #next(): void {
    if (this.#running || this.#adopted.size > 0 || !this.#isKnown || this.#isRestarting) return;
    const execution = this.#waiting.shift();
    if (!execution) return;
    this.#running = execution;
    if (execution.order.kernel.session !== this.#options.lives.current(this.#options.kernel)) {
      void this.#finish(execution, abort(WORDS.restarted));
      return;
    }
    this.#follow(execution);
    execution.home.begin(execution).then(
      () => {
        execution.isBegun = true;
        this.#send();
      },
      () => this.#leave(execution),
    );
  }

  /** Sends what runs, once it is written down that it does, and if it was not aborted meanwhile. */
  #send(): void {
    const execution = this.#running;
    if (!execution?.isBegun || execution.isSent || execution.isEnded || !this.#isKnown || this.#isRestarting) return;
    const { cell } = execution.order;
    execution.isSent = true;
    this.#channel.send('shell', 'execute_request', execution.request, {
      id: execution.messageId,
      metadata: cell === null ? {} : { cellId: cell },
    });
    this.#doubtMs = this.#options.doubtMs ?? DOUBT_MS;
    this.#doubt();
  }

  #follow(execution: Execution): void {
    this.#byMessage.set(execution.messageId, execution);
    const [oldest] = this.#byMessage.keys();
    if (this.#byMessage.size > MOST_ENDED && oldest !== undefined && this.#byMessage.get(oldest)?.isEnded) this.#byMessage.delete(oldest);
    execution.whenDone(() => void this.#finish(execution, execution.outcome));
  }

  async #finish(execution: Execution, status: Parameters<Execution['end']>[0]): Promise<void> {
    const failed = status.status === 'error' ? this.#waiting.filter(({ order }) => order.owner === execution.order.owner) : [];
    this.#waiting = this.#waiting.filter((each) => !failed.includes(each));
    await Promise.all([execution.end(status), ...failed.map((each) => each.end(abort(WORDS.failed)))]);
    this.#leave(execution);
  }

  #leave(execution: Execution): void {
    if (this.#running === execution) this.#running = undefined;
    this.#adopted.delete(execution);
    this.#next();
  }

  async #abortAll(why: string): Promise<void> {
    this.#options.restarted();
    this.#unanswered();
    const all = [...this.#active(), ...this.#waiting.splice(0)];
    await Promise.all(all.map((execution) => execution.end(abort(why))));
    for (const execution of all) this.#leave(execution);
  }

  #askAll(): void {
    if (!this.#isKnown || this.#isRestarting || !this.#channel.isOpen) return;
    for (const { type, content, answer } of this.#questions.splice(0))
      this.#answers.set(this.#channel.send('shell', type, content), answer);
  }

  #unanswered(): void {
    for (const { answer } of this.#questions.splice(0)) answer(undefined);
    for (const answer of this.#answers.values()) answer(undefined);
    this.#answers.clear();
  }
}
