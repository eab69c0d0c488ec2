import type * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { cellsOf, metaOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import { ListRows } from '@bindery/rtc/tables/rows.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import type { Desk } from './desk.ts';
import type { Source } from './feed.ts';
import { CellView, executionIn, NotebookView, rowsOf, tablesOf, type ExecutionView } from './notebook-view.ts';

/** Cells that one event holds; the others come in the next. */
const CELLS_AT_ONCE = 100;

interface NotebookChange {
  readonly notebook: NotebookView;
  readonly cells: readonly CellView[];
  readonly removed: readonly string[];
  readonly order: readonly string[] | null;
}

/** What changes in a notebook, cell by cell: only ids are kept until it is told. */
export class NotebookChanges implements Source<NotebookChange> {
  readonly #desk: Desk;
  readonly #id: string;
  /** As they were told. */
  #order: readonly string[] = [];
  readonly #changed = new Set<string>();
  #isFirst = true;

  constructor(desk: Desk, id: string) {
    this.#desk = desk;
    this.#id = id;
  }

  watch({ doc }: RelayRoom, changed: () => void): () => void {
    for (const id of rowsOf(doc).keys()) this.#changed.add(id);
    const heard = (ids: Iterable<string | null>): void => {
      for (const id of ids) if (id !== null) this.#changed.add(id);
      changed();
    };
    const { executions, stdin } = tablesOf(doc);
    const meta = metaOf(doc);
    const state = doc.getMap('state');
    const stops = [
      new ListRows(cellsOf(doc)).observe((ids) => heard(ids)),
      watchExecutions(doc, (cells) => heard(cells)),
      executions.ids.subscribe(changed),
      stdin.records.subscribe(changed),
    ];
    meta.observeDeep(changed);
    state.observe(changed);
    return () => {
      for (const stop of stops) stop();
      meta.unobserveDeep(changed);
      state.unobserve(changed);
    };
  }

  read(room: RelayRoom): { value: NotebookChange; more: boolean } {
    mustStillSee(this.#desk, this.#id);
    const rows = rowsOf(room.doc);
    const order = [...rows.keys()];
    const known = new Set(this.#order);
    for (const id of order) if (!known.has(id)) this.#changed.add(id);
    const removed = this.#order.filter((id) => !rows.has(id));
    const isMoved = this.#isFirst || order.length !== this.#order.length || order.some((id, index) => id !== this.#order[index]);
    const cells: CellView[] = [];
    for (const [id, row] of rows) {
      if (cells.length >= CELLS_AT_ONCE) break;
      if (this.#changed.delete(id)) cells.push(new CellView(this.#desk, room.doc, id, row));
    }
    if (cells.length < CELLS_AT_ONCE) this.#changed.clear();
    this.#order = order;
    this.#isFirst = false;
    const notebook = new NotebookView(this.#desk, this.#id, room);
    return { value: { notebook, cells, removed, order: isMoved ? order : null }, more: this.#changed.size > 0 };
  }
}

/** One cell, until it is gone. */
export function cellChanges(desk: Desk, document: string, id: string): Source<CellView> {
  return {
    watch({ doc }, changed) {
      const heard = (ids: Iterable<string | null>): void => {
        if ([...ids].includes(id)) changed();
      };
      // A cell that comes or goes may be this one, too.
      const stops = [new ListRows(cellsOf(doc)).observe((ids, isList) => (isList ? changed() : heard(ids))), watchExecutions(doc, heard)];
      return () => stops.forEach((stop) => stop());
    },
    read({ doc }) {
      mustStillSee(desk, document);
      const row = rowsOf(doc).get(id);
      return row && { value: new CellView(desk, doc, id, row) };
    },
  };
}

/** One execution, until it has ended. */
export function executionChanges(desk: Desk, document: string, id: string): Source<ExecutionView> {
  return {
    watch({ doc }, changed) {
      const { executions } = tablesOf(doc);
      const cell = executions.get(id)?.cell;
      const stops = [
        executions.record(id).subscribe(changed),
        new ListRows(cellsOf(doc)).observe((ids) => {
          if (cell !== undefined && cell !== null && ids.has(cell)) changed();
        }),
      ];
      return () => stops.forEach((stop) => stop());
    },
    read({ doc }) {
      mustStillSee(desk, document);
      const view = executionIn(desk, doc, id);
      return view ? { value: view, isLast: view.isEnded } : undefined;
    },
  };
}

/** Tells of the cells whose executions changed. */
function watchExecutions(doc: Y.Doc, heard: (cells: Iterable<string | null>) => void): () => void {
  const { executions } = tablesOf(doc);
  let known = executions.records.get();
  return executions.records.subscribe(() => {
    const before = new Map(known.map((record) => [record.id, record]));
    known = executions.records.get();
    const changed = known.filter((record) => before.get(record.id)?.status !== record.status);
    if (changed.length > 0) heard(changed.map(({ cell }) => cell));
  });
}

/** A file that was renamed may lie outside of what is shared now. */
function mustStillSee(desk: Desk, document: string): void {
  if (!desk.sees(document)) throw new BinderyError('forbidden', 'This document is not shared with you any more.');
}
