import { createHash } from 'node:crypto';
import * as Y from 'yjs';
import { isObject, type JsonObject } from '@bindery/rtc/json.ts';
import { cellsOf, metaOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import { jsonOf } from '@bindery/rtc/shared-json.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import type { Asked } from './budget.ts';
import type { Desk } from './desk.ts';
import { displayView, errorView, outputView, type OutputView } from './output-view.ts';
import { part } from './part.ts';
import { presenceIn } from './presence.ts';
import { kernelWith, type KernelView } from './server-view.ts';

type Row = Y.Map<unknown>;

const TABLES = { cells: NOTEBOOK_TABLES.cells, executions: NOTEBOOK_TABLES.executions, stdin: NOTEBOOK_TABLES.stdin };
type NotebookTables = Tables<typeof TABLES>;
type ExecutionRecord = NonNullable<ReturnType<NotebookTables['executions']['get']>>;

/** Of each document, as long as it is in memory: opening them anew for each question would leave listeners behind. */
const opened = new WeakMap<Y.Doc, NotebookTables>();

export function tablesOf(doc: Y.Doc): NotebookTables {
  const tables = opened.get(doc) ?? openTables(doc, TABLES, (body) => doc.transact(body, 'server'));
  opened.set(doc, tables);
  return tables;
}

/** The cells of a document by their ids, in their order; of two with one id the first. What is no cell is left out. */
export function rowsOf(doc: Y.Doc): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const row of cellsOf(doc)) {
    const id: unknown = row instanceof Y.Map ? row.get('id') : undefined;
    if (typeof id === 'string' && !rows.has(id)) rows.set(id, row as Row);
  }
  return rows;
}

/** A notebook as the schema has it: its document as it is at the moment when a field is asked for. */
export class NotebookView {
  readonly id: string;
  readonly #desk: Desk;
  readonly #room: RelayRoom;

  constructor(desk: Desk, id: string, room: RelayRoom) {
    this.id = id;
    this.#desk = desk;
    this.#room = room;
  }

  get path(): string {
    return this.#desk.pathOf(this.id) ?? '';
  }

  get name(): string {
    return this.path.split('/').at(-1) ?? '';
  }

  metadata(_: unknown, { budget }: Asked): JsonObject {
    const metadata = jsonOf(metaOf(this.#doc).get('metadata'));
    return budget.spend(isObject(metadata) ? metadata : {});
  }

  get isDirty(): boolean {
    return this.#doc.getMap('state').get('dirty') === true;
  }

  get saveError(): string | null {
    const error = this.#doc.getMap('state').get('error');
    return typeof error === 'string' ? error : null;
  }

  get cellCount(): number {
    return rowsOf(this.#doc).size;
  }

  cells({ offset, first }: { offset: number; first: number }): CellView[] {
    return part([...rowsOf(this.#doc)], first, offset).map(([id, row]) => new CellView(this.#desk, this.#doc, id, row));
  }

  cell({ id }: { id: string }): CellView | null {
    const row = rowsOf(this.#doc).get(id);
    return row ? new CellView(this.#desk, this.#doc, id, row) : null;
  }

  executions({ first }: { first: number }): ExecutionView[] {
    const records = tablesOf(this.#doc).executions.records.get();
    const sorted = records.toSorted((a, b) => (a.requestedAt > b.requestedAt ? -1 : 1));
    return part(sorted, first).map((record) => new ExecutionView(this.#desk, this.#doc, record.id, record));
  }

  get questions() {
    return tablesOf(this.#doc).stdin.records.get();
  }

  get presence() {
    return presenceIn(this.#room);
  }

  async kernel(): Promise<KernelView | null> {
    const id = await this.#desk.kernelOf(this.path);
    return id === undefined ? null : kernelWith(this.#desk, id);
  }

  get #doc(): Y.Doc {
    return this.#room.doc;
  }
}

/** A cell, of which only what is asked for is read. */
export class CellView {
  readonly id: string;
  readonly #desk: Desk;
  readonly #doc: Y.Doc;
  readonly #row: Row;

  constructor(desk: Desk, doc: Y.Doc, id: string, row: Row) {
    this.id = id;
    this.#desk = desk;
    this.#doc = doc;
    this.#row = row;
  }

  get type(): string {
    return textOf(this.#row.get('cell_type'), 'raw');
  }

  source(_: unknown, { budget }: Asked): string {
    return budget.spend(sourceOf(this.#row));
  }

  get sourceHash(): string {
    return createHash('sha256').update(sourceOf(this.#row)).digest('hex');
  }

  metadata(_: unknown, { budget }: Asked): JsonObject {
    const metadata = jsonOf(this.#row.get('metadata'));
    return budget.spend(isObject(metadata) ? metadata : {});
  }

  attachments(_: unknown, { budget }: Asked): JsonObject | null {
    const attachments = jsonOf(this.#row.get('attachments'));
    return isObject(attachments) ? budget.spend(attachments) : null;
  }

  outputs({ first }: { first: number }): OutputView[] {
    return outputsOf(this.#desk, this.#row, first);
  }

  get executionCount(): number | null {
    const count = this.#row.get('execution_count');
    return typeof count === 'number' && Number.isInteger(count) ? count : null;
  }

  get state(): string {
    return textOf(this.#row.get('execution_state'), 'idle');
  }

  get execution(): ExecutionView | null {
    const id = this.#row.get('execution');
    return typeof id === 'string' ? executionIn(this.#desk, this.#doc, id) : null;
  }
}

/** The execution of this id; null where there is none (any more). */
export function executionIn(desk: Desk, doc: Y.Doc, id: string): ExecutionView | null {
  const record = tablesOf(doc).executions.get(id);
  return record ? new ExecutionView(desk, doc, id, record) : null;
}

/** A request to run code, and what came of it. */
export class ExecutionView {
  readonly id: string;
  readonly #desk: Desk;
  readonly #doc: Y.Doc;
  readonly #record: ExecutionRecord;

  constructor(desk: Desk, doc: Y.Doc, id: string, record: ExecutionRecord) {
    this.id = id;
    this.#desk = desk;
    this.#doc = doc;
    this.#record = record;
  }

  get state(): string {
    return this.#record.status.status.replace(' ', '_');
  }

  /** True when nothing of it changes any more. */
  get isEnded(): boolean {
    return this.state !== 'requested' && this.state !== 'in_progress';
  }

  get cell(): string | null {
    return this.#record.cell;
  }

  code(_: unknown, { budget }: Asked): string {
    return budget.spend(this.#record.code);
  }

  get kernel(): string | null {
    return this.#record.kernel?.id ?? null;
  }

  get owner(): string {
    return this.#record.owner;
  }

  get requestedAt(): string | null {
    return this.#record.requestedAt || null;
  }

  get startedAt(): string | null {
    return this.#record.startedAt || null;
  }

  get endedAt(): string | null {
    return this.#record.endedAt || null;
  }

  get executionCount(): number | null {
    const { status } = this.#record;
    return status.status === 'ok' ? status.executionCount : null;
  }

  message(_: unknown, { budget }: Asked): string | null {
    const { status } = this.#record;
    if (status.status === 'abort') return budget.spend(status.message);
    return status.status === 'error' ? budget.spend(`${status.ename}: ${status.evalue}`) : null;
  }

  get error(): OutputView | null {
    const { status } = this.#record;
    return status.status === 'error' ? errorView(status.ename, status.evalue, status.traceback) : null;
  }

  /** They stand in the cell as long as it shows this execution, else in the record. */
  outputs({ first }: { first: number }): OutputView[] {
    const { cell, displays, status } = this.#record;
    const row = cell === null ? undefined : rowsOf(this.#doc).get(cell);
    if (row?.get('execution') === this.id) return outputsOf(this.#desk, row, first);
    const blobUrl = (digest: string): string => this.#desk.blobUrl(digest);
    const shown = displays.map((display) => displayView(display, blobUrl));
    const result = status.status === 'ok' ? status.result : null;
    const output = result && outputView({ output_type: 'execute_result', ...result }, blobUrl);
    return part(output ? [...shown, output] : shown, first);
  }
}

function outputsOf(desk: Desk, row: Row, first: number): OutputView[] {
  const outputs: unknown = row.get('outputs');
  if (!(outputs instanceof Y.Array)) return [];
  const views = part(outputs.toArray(), first).map((each) => outputView(jsonOf(each), (digest) => desk.blobUrl(digest)));
  return views.filter((view) => view !== undefined);
}

/** The text of a cell, whatever others made of it. */
export function sourceOf(row: Row): string {
  const source = row.get('source');
  return source instanceof Y.Text ? source.toJSON().toWellFormed() : textOf(source, '');
}

function textOf(value: unknown, or: string): string {
  return typeof value === 'string' ? value.toWellFormed() : or;
}
