import { createHash } from 'node:crypto';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { difference } from '@bindery/rtc/tables/fields.ts';
import { NOTEBOOK_TABLES, type ExecutionStatus } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { Clock } from '../base/clock.ts';
import type { BlobStore } from './blobs.ts';
import { Displays } from './displays.ts';
import { abort, Execution, orderOf, type Home, type Order } from './execution.ts';
import { inCell, inRecord, type OutputPlace } from './output-place.ts';
import { Outputs } from './outputs.ts';
import { putRecord } from './put-record.ts';
import type { Seals } from './seals.ts';
import type { SharedDoc } from './shared-doc.ts';
import { BROUGHT, isFresh, LOST, watchTable } from './table-watch.ts';

/** Records of ended executions that stay: of each cell, and of those without one. */
const KEPT_OF_CELL = 3;
const KEPT_OTHERS = 50;
/** Ends that are remembered, in case somebody brings an older word about them. */
const MOST_ENDS = 1000;

const TABLES = { cells: NOTEBOOK_TABLES.cells, executions: NOTEBOOK_TABLES.executions, stdin: NOTEBOOK_TABLES.stdin };
type Snapshot = NonNullable<ReturnType<Tables<typeof TABLES>['executions']['get']>>;

/** What a document asks of those who run code. */
export interface Runner {
  /** Lets it wait for its turn. Throws why it can't. */
  add(execution: Execution): void;
  adopt(execution: Execution): void;
  /** Takes it out, if it still waits. */
  remove(execution: Execution): boolean;
  interrupt(execution: Execution): void;
  answer(execution: Execution, value: string): boolean;
  /** The life that a kernel is in. */
  life(kernel: string): number;
}

export interface ExecutionDocumentOptions {
  /** Names the document, always the same. */
  readonly id: string;
  readonly shared: SharedDoc;
  readonly runner: Runner;
  readonly seals: Seals;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  /** Told when the document can't be edited any more: it has to be attached anew. */
  readonly failed: (error: Error) => void;
}

export interface CellRequest {
  readonly cell: string;
  readonly kernel: string;
  readonly owner: string;
  /** SHA-256 (hex) of the source that is meant (UTF-8). */
  readonly sourceHash?: string;
  readonly allowStdin?: boolean;
}

/** The executions of one shared document: what is asked for in it, and what is shown in it (`SPEC.md`, X3). */
export class ExecutionDocument implements Home {
  readonly id: string;
  readonly #options: ExecutionDocumentOptions;
  readonly #doc: Y.Doc;
  readonly #tables: Tables<typeof TABLES>;
  readonly #displays = new Displays();
  readonly #executions = new Map<string, Execution>();
  readonly #ends = new Map<string, ExecutionStatus>();
  readonly #stops: readonly (() => void)[];
  #hasFailed = false;

  constructor(options: ExecutionDocumentOptions) {
    this.#options = options;
    this.id = options.id;
    this.#doc = options.shared.doc;
    this.#tables = openTables(this.#doc, TABLES, (body) => this.#doc.transact(body, 'server'));
    this.#takeUp();
    this.#stops = [
      watchTable(this.#doc, 'executions', (id, origin, owner) => this.#heard(id, origin, owner)),
      watchTable(this.#doc, 'stdin', (id, origin) => this.#heardAnswer(id, origin)),
    ];
  }

  get isBusy(): boolean {
    return this.#executions.size > 0;
  }

  /** Asks for a cell to be run. Comes with the execution's id when the request is safe. */
  async request({ cell: id, kernel, owner, sourceHash, allowStdin = false }: CellRequest): Promise<string> {
    const cell = this.#tables.cells.get(id);
    if (cell?.type !== 'code') throw new BinderyError('cell_not_found', `The notebook has no code cell ${id}.`);
    const { text: code } = cell;
    if (sourceHash !== undefined && createHash('sha256').update(code).digest('hex') !== sourceHash.toLowerCase())
      throw new BinderyError('cell_changed', `The source of the cell ${id} is not the one that was meant to run.`);
    const order: Order = {
      id: crypto.randomUUID(),
      code,
      kernel: { id: kernel, session: this.#options.runner.life(kernel) },
      cell: id,
      owner,
      silent: false,
      allowStdin,
      userExpressions: {},
    };
    const execution = this.#execution(order);
    const safe = this.#options.shared.edit(() => {
      this.#tables.executions.create(
        { code, kernel: order.kernel, cell: id, owner, allowStdin, requestedAt: this.#now(), seal: this.#seal(order) },
        { id: order.id },
      );
      this.#link(order);
    });
    this.#enqueue(execution);
    await safe.catch((error: Error) => {
      this.#fail(error);
      throw error;
    });
    return order.id;
  }

  /** Aborts what waits; false when it does not wait (any more). */
  cancel(id: string, why = 'It was taken back.'): boolean {
    const execution = this.#executions.get(id);
    if (!execution || !this.#options.runner.remove(execution)) return false;
    void execution.end(abort(why));
    return true;
  }

  /** Gives running code the line that it asked for. */
  answer(question: string, value: string): void {
    const { execution: id = '', prompt = '', isPassword = false } = this.#tables.stdin.get(question) ?? {};
    const execution = this.#executions.get(id);
    if (!execution || !this.#options.runner.answer(execution, value))
      throw new BinderyError('input_not_expected', 'No code waits for this input.');
    execution.say(`${prompt}${isPassword ? '········' : value}\n`);
    void this.#edit(() => void this.#tables.stdin.delete(question));
  }

  /** Lets go of the document, with nothing written. */
  close(): void {
    for (const stop of this.#stops) stop();
    for (const execution of this.#executions.values()) execution.drop();
    this.#executions.clear();
  }

  async begin({ order: { id } }: Execution): Promise<void> {
    await this.#edit(() => {
      if (this.#tables.executions.get(id))
        this.#tables.executions.update(id, { status: { status: 'in progress' }, startedAt: this.#now() });
    });
    if (this.#hasFailed) throw new Error('The document was closed.');
  }

  async end(execution: Execution, status: ExecutionStatus): Promise<void> {
    const { order, executionCount } = execution;
    await execution
      .endOutputs(() => {
        const isShown = this.#isShown(order);
        if (this.#tables.executions.get(order.id)) {
          // What is shown in the cell does not stand here again.
          const brief: ExecutionStatus = status.status === 'ok' && isShown ? { ...status, result: null } : status;
          const displayIds = Object.fromEntries(execution.displayIds);
          this.#tables.executions.update(order.id, { status: brief, endedAt: this.#now(), displayIds });
          this.#ends.set(order.id, brief);
          const [oldest] = this.#ends.keys();
          if (this.#ends.size > MOST_ENDS && oldest !== undefined) this.#ends.delete(oldest);
        }
        if (isShown && order.cell !== null) this.#tables.cells.update(order.cell, { executionState: 'idle', executionCount });
        for (const { id, execution: of } of this.#tables.stdin.records.get()) if (of === order.id) this.#tables.stdin.delete(id);
        this.#prune(order);
      })
      .catch((error: Error) => this.#fail(error));
    this.#executions.delete(order.id);
  }

  asked(execution: Execution, question: { readonly prompt: string; readonly isPassword: boolean }): void {
    void this.#edit(() => void this.#tables.stdin.create({ execution: execution.order.id, ...question }));
  }

  proposed({ order }: Execution, text: string, replace: boolean): void {
    void this.#edit(() => {
      const at = this.#tables.cells.ids.get().indexOf(order.cell ?? '');
      if (order.cell === null || at < 0) return;
      if (replace) this.#tables.cells.update(order.cell, { text: difference(this.#tables.cells.get(order.cell)?.text ?? '', text) });
      else this.#tables.cells.create({ text }, { at: at + 1 });
    });
  }

  outputs(execution: Execution): Outputs {
    return new Outputs({
      place: () => this.#place(execution.order),
      wrote: () => {
        if (execution.heard !== undefined) this.#update(execution.order.id, { heard: execution.heard });
      },
      edit: (body) => this.#options.shared.edit(body),
      failed: (error) => this.#fail(error),
      displays: this.#displays,
      blobs: this.#options.blobs,
    });
  }

  /** What a process before this one has left: what it accepted goes on, the rest is aborted with a word. */
  #takeUp(): void {
    const { executions, cells } = this.#tables;
    const open = executions.records.get().filter(({ status: { status } }) => status === 'requested' || status === 'in progress');
    const refused = new Map<string, string>();
    for (const record of open.toSorted((a, b) => (a.requestedAt < b.requestedAt ? -1 : 1))) {
      const order = orderOf(record.id, record, record.owner);
      const isRunning = record.status.status === 'in progress';
      if (!order || !this.#options.seals.isSealed(this.id, order, record.seal))
        refused.set(record.id, 'Nobody can tell any more who asked for it.');
      else if (!isRunning && !isFresh(this.#doc, 'executions', record.id))
        refused.set(record.id, 'Its record was changed after it was accepted.');
      else if (isRunning) this.#options.runner.adopt(this.#execution(order, { heard: record.heard ?? undefined }));
      else this.#enqueue(this.#execution(order));
    }
    for (const { id, execution } of cells.records.get()) this.#rememberDisplays(id, execution);
    void this.#edit(() => {
      for (const [id, why] of refused) executions.update(id, { status: { status: 'abort', message: why }, endedAt: this.#now() });
      for (const { id, executionState, execution } of cells.records.get())
        if (executionState === 'running' && !this.#executions.has(execution ?? '')) cells.update(id, { executionState: 'idle' });
    });
  }

  #rememberDisplays(cell: string, execution: string | null): void {
    const { displayIds = {} } = (execution === null ? undefined : this.#tables.executions.get(execution)) ?? {};
    for (const [displayId, index] of Object.entries(displayIds)) {
      const find = (): unknown => this.#outputsOf(cell)?.get(index);
      const map = find();
      if (map instanceof Y.Map && map.has('data')) this.#displays.add(displayId, map as Y.Map<unknown>, find);
    }
  }

  #heard(id: string, origin: unknown, owner: string): void {
    const known = this.#executions.get(id);
    // What is asked for is what the record says at this moment, before anybody can have changed it.
    const record = this.#tables.executions.get(id);
    if (!known) {
      if (record?.status.status === 'requested') this.#consider(id, record, origin, owner);
      else if (record?.status.status === 'in progress' && origin !== 'server') queueMicrotask(() => this.#correct(id, record));
      return;
    }
    if (origin === 'server') return;
    if (origin !== 'execute') queueMicrotask(() => this.#restore(known));
    else if (!record || record.status.status === 'abort') this.cancel(id, record?.status.status === 'abort' ? record.status.message : '');
    else if (record.interrupt) {
      queueMicrotask(() => void this.#edit(() => this.#update(id, { interrupt: false })));
      if (!this.cancel(id, 'It was interrupted before it began.')) this.#options.runner.interrupt(known);
    } else queueMicrotask(() => this.#restore(known));
  }

  /**
   * Somebody brings the word that it runs, and it does not. A server before this one said so, and ended before that was safe: then the kernel was
   * sent nothing, and it is aborted, unless it has been run since.
   */
  #correct(id: string, { cell }: Snapshot): void {
    const status = this.#ends.get(id) ?? abort('The server stopped before it began.');
    void this.#edit(() => {
      this.#update(id, { status, endedAt: this.#now() });
      if (cell !== null && this.#isShown({ id, cell })) this.#tables.cells.update(cell, { executionState: 'idle' });
    });
  }

  #consider(id: string, record: Snapshot, origin: unknown, owner: string): void {
    const order = orderOf(id, record, owner);
    const refuse = (why: string): void =>
      queueMicrotask(() => void this.#edit(() => this.#update(id, { status: { status: 'abort', message: why }, endedAt: this.#now() })));
    if (origin === BROUGHT) return refuse(LOST);
    if (origin !== 'execute' && origin !== 'server') return refuse('Who asked for it may edit here, and not run code.');
    if (!order) return refuse('It names no kernel, or is named by something that is no id.');
    if (!isFresh(this.#doc, 'executions', id)) return refuse('An execution is asked for by a new record, once.');
    if (order.kernel.session !== this.#options.runner.life(order.kernel.id)) return refuse('The kernel was restarted.');
    const execution = this.#execution(order);
    queueMicrotask(() => {
      void this.#edit(() => {
        this.#update(id, { seal: this.#seal(order), owner, requestedAt: this.#now() });
        if (order.cell !== null) this.#link(order);
      });
      this.#enqueue(execution);
    });
  }

  /** What somebody wrote into a record that is ours, and may not, is taken back. */
  #restore({ order, isBegun, isEnded }: Execution): void {
    if (isEnded) return;
    const { id, code, kernel, owner, cell, allowStdin } = order;
    const fields = { code, kernel, owner, seal: this.#seal(order), status: { status: isBegun ? 'in progress' : 'requested' } } as const;
    const fresh = { cell, allowStdin, requestedAt: this.#now() };
    void this.#edit(() => putRecord(this.#tables.executions, id, { ...fields, interrupt: false }, fresh));
  }

  #heardAnswer(id: string, origin: unknown): void {
    if (origin !== 'execute') return;
    const { answer = null, isPassword = false } = this.#tables.stdin.get(id) ?? {};
    if (answer === null) return;
    queueMicrotask(() => {
      // All can read what lies here: a password must not, and goes another way.
      const clear = (): void => {
        if (this.#tables.stdin.get(id)) this.#tables.stdin.update(id, { answer: null });
      };
      if (isPassword) void this.#edit(clear);
      else {
        try {
          this.answer(id, answer);
        } catch {
          // It has ended, or somebody else was faster.
        }
      }
    });
  }

  #execution(order: Order, adopted?: { readonly heard: number | undefined }): Execution {
    const execution = new Execution(order, this.#options.seals.message(this.id, order.id), this, adopted);
    this.#executions.set(order.id, execution);
    return execution;
  }

  #enqueue(execution: Execution): void {
    try {
      this.#options.runner.add(execution);
    } catch (error) {
      void execution.end(abort((error as Error).message));
    }
  }

  #seal(order: Order): string {
    return this.#options.seals.seal(this.id, order);
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  #update(id: string, patch: Parameters<Tables<typeof TABLES>['executions']['update']>[1]): void {
    if (this.#tables.executions.get(id)) this.#tables.executions.update(id, patch);
  }

  /** Makes the cell show this execution, and nothing of those before. */
  #link({ id, cell }: Order): void {
    const outputs = cell === null ? undefined : this.#outputsOf(cell);
    if (cell === null || !outputs) return;
    if (outputs.length > 0) outputs.delete(0, outputs.length);
    // What somebody ran who may run code, pages may show with all that it does.
    const metadata = { trusted: true };
    this.#tables.cells.update(cell, { execution: id, executionCount: null, executionState: 'running', metadata });
  }

  #isShown({ id, cell }: Pick<Order, 'id' | 'cell'>): boolean {
    const map = cell === null ? undefined : this.#cell(cell);
    return map?.get('execution') === id && map.get('outputs') instanceof Y.Array;
  }

  #place(order: Order): OutputPlace | undefined {
    if (order.cell !== null && this.#isShown(order)) return inCell(this.#outputsOf(order.cell)!);
    const row = this.#doc.getMap('table:executions').get(order.id);
    const displays = row instanceof Y.Map ? row.get('displays') : undefined;
    return displays instanceof Y.Array ? inRecord(displays) : undefined;
  }

  #outputsOf(cell: string): Y.Array<unknown> | undefined {
    const outputs = this.#cell(cell)?.get('outputs');
    return outputs instanceof Y.Array ? outputs : undefined;
  }

  /** The first with this id, as it is: a snapshot would read all of its outputs each time. */
  #cell(id: string): Y.Map<unknown> | undefined {
    for (const map of this.#doc.getArray('cells')) if (map instanceof Y.Map && map.get('id') === id) return map as Y.Map<unknown>;
    return undefined;
  }

  #prune({ cell }: Order): void {
    const ended = this.#tables.executions.records
      .get()
      .filter((record) => record.endedAt !== '' && record.cell === cell)
      .toSorted((a, b) => (a.endedAt < b.endedAt ? -1 : 1));
    const kept = cell === null ? KEPT_OTHERS : KEPT_OF_CELL;
    for (const { id } of ended.slice(0, Math.max(0, ended.length - kept))) this.#tables.executions.delete(id);
  }

  async #edit(body: () => void): Promise<void> {
    if (this.#hasFailed) return;
    await this.#options.shared.edit(body).catch((error: Error) => this.#fail(error));
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.failed(error);
  }
}
