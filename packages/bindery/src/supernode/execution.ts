import { isObject, portable, type JsonObject } from '@bindery/rtc/json.ts';
import { joinOutput } from '@bindery/rtc/notebook/nbformat.ts';
import type { ExecutionStatus } from '@bindery/rtc/tables/jupyter.ts';
import { numberOf, type KernelMessage } from './kernel-messages.ts';
import { errorOf, type Outputs } from './outputs.ts';
import type { Sealed } from './seals.ts';

/** Milliseconds that the second of the two words by which a kernel ends an execution may take longer than the first. */
const LAST_WORD_MS = 5000;
/** A result that is longer than this, in characters, is not in the record. */
const LONGEST_RESULT = 1024 * 1024;

const GAP = '[The connection to the kernel was lost for a while: output may be missing here.]\n';

/** What is to run, as it was accepted: nobody changes it any more. */
export interface Order extends Sealed {
  readonly owner: string;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** What a record asks for; undefined where it can't be run. */
export function orderOf(
  id: string,
  record: Omit<Order, 'id' | 'owner' | 'kernel'> & { readonly kernel: Order['kernel'] | null },
  owner: string,
): Order | undefined {
  const { code, kernel, cell, silent, allowStdin, userExpressions } = record;
  return kernel && ID.test(id) ? { id, code, kernel, cell, silent, allowStdin, userExpressions, owner } : undefined;
}

/** The document that an execution belongs to. */
export interface Home {
  readonly id: string;
  /** Writes down that it runs; comes when that is safe. */
  begin(execution: Execution): Promise<void>;
  /** Writes down how it ended, with all outputs; comes when that is safe. Never fails. */
  end(execution: Execution, status: ExecutionStatus): Promise<void>;
  /** The running code asks for a line of text. */
  asked(execution: Execution, question: { readonly prompt: string; readonly isPassword: boolean }): void;
  /** Of an IPython kernel: what the code wants to be in the next cell, or in this one. */
  proposed(execution: Execution, text: string, replace: boolean): void;
  outputs(execution: Execution): Outputs;
}

/** What ended an execution without it having a say. */
export function abort(message: string): ExecutionStatus {
  return { status: 'abort', message };
}

/** One request to run code, from its acceptance to its end. */
export class Execution {
  readonly order: Order;
  /** Of the message that asks the kernel. */
  readonly messageId: string;
  readonly home: Home;
  /** True from the moment on when the kernel may have got it. */
  isSent: boolean;
  /** True when it is written down, and safe, that it runs. */
  isBegun = false;
  /** The kernel's number for it, when it has told. */
  executionCount: number | null = null;
  /** The number of the kernel's last message, of which all before are taken. */
  heard: number | undefined;
  /** The number of the last message whose outputs a process before this one has written. */
  readonly #written: number;
  #gap: Gap | undefined;
  readonly #outputs: Outputs;
  #late: Outputs | undefined;
  #reply: JsonObject | undefined;
  #error: JsonObject | undefined;
  #result: { data: JsonObject; metadata: JsonObject } | null = null;
  #isIdle = false;
  #isEnded = false;
  #isDropped = false;
  #done: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param adopted for one that a process before this one has sent: the number of the last message that is in the document, if there is one */
  constructor(order: Order, messageId: string, home: Home, adopted?: { readonly heard: number | undefined }) {
    this.order = order;
    this.messageId = messageId;
    this.home = home;
    this.isSent = adopted !== undefined;
    this.isBegun = this.isSent;
    this.#written = adopted?.heard ?? -1;
    this.#outputs = home.outputs(this);
    if (!adopted) return;
    this.#outputs.goOn();
    this.heard = adopted.heard;
    this.interrupted();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get hasReply(): boolean {
    return this.#reply !== undefined;
  }

  /** The content of the `execute_request`. */
  get request(): JsonObject {
    const { code, silent, allowStdin, userExpressions } = this.order;
    return { code, silent, store_history: !silent, user_expressions: userExpressions, allow_stdin: allowStdin, stop_on_error: true };
  }

  /** Told once, when the kernel has said its last word about it. */
  whenDone(done: () => void): void {
    this.#done = done;
  }

  /** The connection to the kernel was lost: what comes next may not be what comes next. */
  interrupted(): void {
    this.#gap = new Gap(this.heard);
  }

  /** Counts a message of the kernel, whoever it is for, while this runs. */
  count(message: KernelMessage): void {
    const number = numberOf(message);
    if (this.#gap?.take(number, message.parent.msg_id === this.messageId && message.content['execution_state'] === 'busy')) this.#sayGap();
    if (number !== undefined && number > (this.heard ?? -1)) this.heard = number;
  }

  /** Takes a message of the kernel that belongs to it. */
  take(message: KernelMessage): void {
    if (this.#isDropped) return;
    const { channel, content } = message;
    const { msg_type: type } = message.header;
    if (this.#isEnded) {
      this.#takeLate(type, content);
      return;
    }
    if (type === 'execute_reply' && channel === 'shell') this.#replied(content);
    else if (type === 'input_request' && channel === 'stdin') this.#ask(content);
    else if (channel !== 'iopub') return;
    else if (type === 'status') this.#told(content['execution_state'] === 'idle');
    else if (type === 'execute_input') this.#counted(content['execution_count']);
    else {
      if (type === 'error') this.#error = content;
      if (type === 'execute_result') this.#keepResult(content);
      if ((numberOf(message) ?? Infinity) > this.#written) this.#outputs.take(type, content);
    }
  }

  /** As the kernel told it; where its answer was lost, as far as the outputs tell. */
  get outcome(): ExecutionStatus {
    const reply = this.#reply ?? this.#error ?? {};
    if (reply['status'] === 'aborted' || reply['status'] === 'abort') return abort('The kernel did not run it.');
    if (reply['status'] === 'error' || (!this.#reply && this.#error)) {
      const { ename, evalue, traceback } = errorOf(reply);
      return { status: 'error', ename, evalue, traceback };
    }
    return { status: 'ok', executionCount: this.executionCount, result: this.#result };
  }

  /** Ends it, if it has not ended. Comes when that is safe. */
  async end(status: ExecutionStatus): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    await this.home.end(this, status);
  }

  /** Forgets it, with nothing written: another process, or another time, takes it up. */
  drop(): void {
    this.#isEnded = true;
    this.#isDropped = true;
    clearTimeout(this.#timer);
    this.#outputs.drop();
    this.#late?.drop();
  }

  /** Ends its outputs, and does `body` in the same edit. */
  endOutputs(body: () => void): Promise<void> {
    return this.#outputs.end(body);
  }

  /** Puts text among the outputs, as if the code had written it. */
  say(text: string, name: 'stdout' | 'stderr' = 'stdout'): void {
    this.#outputs.take('stream', { name, text });
  }

  get displayIds(): ReadonlyMap<string, number> {
    return this.#outputs.displayIds;
  }

  #replied(content: JsonObject): void {
    this.#reply = content;
    this.#counted(content['execution_count']);
    const { payload } = content;
    for (const item of Array.isArray(payload) ? (payload as readonly unknown[]) : []) {
      if (!isObject(item)) continue;
      // A page that a pager would show, as after `?name`.
      if (item['source'] === 'page' && isObject(item['data'])) this.#outputs.take('display_data', { data: item['data'], metadata: {} });
      if (item['source'] === 'set_next_input' && typeof item['text'] === 'string')
        this.home.proposed(this, item['text'], item['replace'] === true);
    }
    this.#wait();
  }

  #told(isIdle: boolean): void {
    if (!isIdle) return;
    this.#isIdle = true;
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#reply && this.#isIdle) this.#end();
    else this.#timer = setTimeout(() => this.#end(), LAST_WORD_MS);
  }

  #end(): void {
    if (this.#gap && !this.#gap.isClosed) this.#sayGap();
    this.#done?.();
  }

  #sayGap(): void {
    this.#gap = undefined;
    this.say(GAP, 'stderr');
  }

  #counted(count: unknown): void {
    if (typeof count === 'number' && Number.isInteger(count)) this.executionCount = count;
  }

  #ask({ prompt, password }: JsonObject): void {
    this.home.asked(this, { prompt: typeof prompt === 'string' ? prompt.toWellFormed() : '', isPassword: password === true });
  }

  #keepResult(content: JsonObject): void {
    const { data, metadata } = joinOutput({ ...(portable(content) as JsonObject), output_type: 'execute_result' });
    const result = { data: isObject(data) ? data : {}, metadata: isObject(metadata) ? metadata : {} };
    if (JSON.stringify(result).length <= LONGEST_RESULT) this.#result = result;
  }

  /** What threads of it show after its end, as it would have been shown before. */
  #takeLate(type: string, content: JsonObject): void {
    if (this.#late === undefined) {
      this.#late = this.home.outputs(this);
      this.#late.goOn();
    }
    this.#late.take(type, content);
  }
}

/** Finds out by their numbers whether messages are missing after an interruption. */
class Gap {
  #after: number | undefined;
  #isFirst = true;
  #count = 0;
  #highest = 0;

  /** @param after the last number before; undefined when none was heard */
  constructor(after: number | undefined) {
    this.#after = after;
  }

  /** True when messages are missing before this one. */
  take(number: number | undefined, isBegin: boolean): boolean {
    if (number !== undefined && number <= (this.#after ?? -1)) return false;
    if (this.#isFirst && this.#after === undefined && isBegin && number !== undefined) this.#after = number - 1;
    const isMissing = this.#isFirst && (number === undefined || number !== (this.#after ?? -1) + 1);
    this.#isFirst = false;
    this.#count += 1;
    this.#highest = Math.max(this.#highest, number ?? 0);
    return isMissing;
  }

  /** True when none is missing. */
  get isClosed(): boolean {
    return this.#after !== undefined && this.#count === this.#highest - this.#after;
  }
}
