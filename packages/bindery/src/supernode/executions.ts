import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import { tryJson } from '../base/try-json.ts';
import type { BlobStore } from './blobs.ts';
import type { Execution } from './execution.ts';
import { DocumentComms } from './document-comms.ts';
import { DocumentQuestions } from './document-questions.ts';
import { ExecutionDocument, type CellRequest, type Runner } from './execution-document.ts';
import type { JupyterServer } from './jupyter-server.ts';
import { PassingLives, type KernelLives } from './kernel-lives.ts';
import type { KernelMessage } from './kernel-messages.ts';
import { KernelQueue } from './kernel-queue.ts';
import type { Mirror } from './mirror.ts';
import { Seals } from './seals.ts';
import type { SharedDoc } from './shared-doc.ts';

/** Executions that may wait for one kernel. */
const MOST_WAITING = 10_000;
const MOST_KERNELS = 1000;

const Idle = z.object({ execution_state: z.literal('idle') });

export interface ExecutionsOptions {
  readonly server: Pick<JupyterServer, 'address' | 'ask'>;
  /** Known to this server alone, and the same after a restart. */
  readonly secret: string;
  readonly blobs: BlobStore;
  /** Where it is kept how often kernels were restarted, and told what they say of themselves; without it neither outlives this process. */
  readonly mirror?: KernelLives & Pick<Mirror, 'tell'>;
  /** Told when a document can't be edited any more, and was let go: it has to be attached anew. */
  readonly failed?: (document: string, error: Error) => void;
  readonly clock?: Clock;
  /** Milliseconds after which a kernel that does not answer is asked whether it will: 10,000. */
  readonly doubtMs?: number;
}

/** A document, and all that is done in it. */
interface Attached {
  readonly executions: ExecutionDocument;
  readonly questions: DocumentQuestions;
  readonly comms: DocumentComms;
}

/** Runs the cells of shared documents on the kernels of one Jupyter server (`SPEC.md`, X). */
export class Executions {
  readonly #options: ExecutionsOptions;
  readonly #seals: Seals;
  readonly #lives: KernelLives;
  readonly #documents = new Map<string, Attached>();
  readonly #queues = new Map<string, KernelQueue>();
  readonly #checks = new Map<string, Promise<void>>();
  readonly #runner: Runner;

  constructor(options: ExecutionsOptions) {
    this.#options = options;
    this.#seals = new Seals(options.secret);
    this.#lives = options.mirror ?? new PassingLives();
    this.#runner = {
      add: (execution) => this.#add(execution),
      adopt: (execution) => this.#queue(execution.order.kernel.id).adopt(execution),
      remove: (execution) => this.#queues.get(execution.order.kernel.id)?.remove(execution) ?? false,
      interrupt: (execution) => void this.interrupt(execution.order.kernel.id).catch(() => undefined),
      answer: (execution, value) => this.#queues.get(execution.order.kernel.id)?.answer(value) ?? false,
      life: (kernel) => this.#lives.current(kernel),
    };
  }

  /**
   * Takes part in a document: runs what is asked for in it, goes on with what a process before has begun.
   * @param document names it, always the same, also after a restart
   */
  attach(document: string, shared: SharedDoc): void {
    this.detach(document);
    const failed = (error: Error): void => {
      this.detach(document);
      this.#options.failed?.(document, error);
    };
    const { blobs, clock = systemClock } = this.#options;
    this.#documents.set(document, {
      executions: new ExecutionDocument({ id: document, shared, runner: this.#runner, seals: this.#seals, blobs, clock, failed }),
      questions: new DocumentQuestions(shared, (kernel, type, content) => this.#question(kernel, type, content)),
      comms: new DocumentComms(shared),
    });
  }

  /** Lets go of a document, with nothing written: what runs is taken up again when it is attached again. */
  detach(document: string): void {
    const known = this.#documents.get(document);
    this.#documents.delete(document);
    if (known) letGo(known);
    for (const queue of known ? this.#queues.values() : []) queue.forget(document);
  }

  /** True while something of the document waits or runs. */
  isBusy(document: string): boolean {
    return this.#documents.get(document)?.executions.isBusy ?? false;
  }

  /**
   * Asks for a cell to be run. Comes with the id of its record when that is safe; the cell runs whatever becomes of whoever asked. Throws
   * `cell_not_found`, `cell_changed`, `kernel_not_found`, `execution_refused`.
   */
  async request(document: string, request: CellRequest): Promise<string> {
    const attached = this.#attached(document);
    if (!this.#queues.has(request.kernel)) await this.#check(request.kernel);
    return attached.request(request);
  }

  /** Aborts what waits; false when it does not wait (any more). */
  cancel(document: string, execution: string): boolean {
    return this.#documents.get(document)?.executions.cancel(execution) ?? false;
  }

  /** Interrupts what a kernel runs. Throws `kernel_not_found`, `execution_refused`. */
  async interrupt(kernel: string): Promise<void> {
    await this.#command(kernel, 'interrupt');
  }

  /** Restarts a kernel; all that waits for it or runs in it is aborted. Throws `kernel_not_found`, `execution_refused`. */
  async restart(kernel: string): Promise<void> {
    await this.#check(kernel);
    await this.#queue(kernel).restart(() => this.#command(kernel, 'restart'));
  }

  /** Gives running code the line that it asked for, by the id of the question in `stdin`. Throws `input_not_expected`. */
  answerStdin(document: string, question: string, value: string): void {
    this.#attached(document).answer(question, value);
  }

  /** Leaves everything as it is: the next process goes on with it. */
  close(): void {
    for (const document of this.#documents.values()) letGo(document);
    for (const queue of this.#queues.values()) queue.close();
    this.#documents.clear();
    this.#queues.clear();
  }

  #attached(document: string): ExecutionDocument {
    const attached = this.#documents.get(document);
    if (!attached) throw new BinderyError('execution_refused', 'The document is not open.');
    return attached.executions;
  }

  #add(execution: Execution): void {
    const queue = this.#queue(execution.order.kernel.id);
    if (queue.length >= MOST_WAITING)
      throw new BinderyError('execution_refused', `${MOST_WAITING} executions wait for the kernel already.`);
    queue.add(execution);
  }

  #queue(kernel: string): KernelQueue {
    const known = this.#queues.get(kernel);
    if (known) return known;
    if (this.#queues.size >= MOST_KERNELS) throw new BinderyError('execution_refused', `${MOST_KERNELS} kernels are in use already.`);
    const queue: KernelQueue = new KernelQueue({
      address: this.#options.server.address,
      kernel,
      session: this.#seals.session(kernel),
      lives: this.#lives,
      comm: (message, cause) => this.#comm(kernel, message, cause),
      restarted: () => {
        for (const { comms } of this.#documents.values()) comms.closeAll(kernel);
      },
      tell: (news) => this.#options.mirror?.tell(kernel, news),
      gone: () => {
        if (this.#queues.get(kernel) === queue) this.#queues.delete(kernel);
      },
      isIdle: () => this.#isIdle(kernel),
      doubtMs: this.#options.doubtMs,
    });
    this.#queues.set(kernel, queue);
    return queue;
  }

  #question(kernel: string, type: string, content: JsonObject): Promise<JsonObject | undefined> {
    try {
      return this.#queue(kernel).question(type, content);
    } catch {
      return Promise.resolve(undefined);
    }
  }

  /** A comm belongs to the document whose code opened it. */
  #comm(kernel: string, message: KernelMessage, cause: Execution | undefined): void {
    const { comm_id: id } = message.content;
    const documents = [...this.#documents];
    const found = documents.find(([name, { comms }]) => (typeof id === 'string' && comms.has(id)) || name === cause?.home.id);
    found?.[1].comms.take(message, { id: kernel, session: this.#lives.current(kernel) });
  }

  /** All who ask at the same time wait for one answer, and go on in their order. */
  #check(kernel: string): Promise<void> {
    const known = this.#checks.get(kernel);
    if (known) return known;
    const check = this.#ask(kernel).finally(() => this.#checks.delete(kernel));
    this.#checks.set(kernel, check);
    return check;
  }

  async #ask(kernel: string): Promise<void> {
    const { status } = await this.#options.server.ask('GET', `api/kernels/${encodeURIComponent(kernel)}`);
    if (status === 404) throw new BinderyError('kernel_not_found', `There is no kernel ${kernel}.`);
  }

  async #isIdle(kernel: string): Promise<boolean> {
    const answer = await this.#options.server.ask('GET', `api/kernels/${encodeURIComponent(kernel)}`).catch(() => undefined);
    return Idle.safeParse(tryJson(answer?.text ?? '')).success;
  }

  async #command(kernel: string, command: 'interrupt' | 'restart'): Promise<void> {
    const { status, text } = await this.#options.server.ask('POST', `api/kernels/${encodeURIComponent(kernel)}/${command}`);
    if (status === 404) throw new BinderyError('kernel_not_found', `There is no kernel ${kernel}.`);
    if (status >= 300) throw new BinderyError('execution_refused', `The Jupyter server answered ${status}: ${text.slice(0, 200)}`);
  }
}

function letGo({ executions, questions, comms }: Attached): void {
  executions.close();
  questions.close();
  comms.close();
}
