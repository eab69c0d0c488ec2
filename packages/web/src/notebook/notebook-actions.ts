import * as Y from 'yjs';
import { cellsOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import type { Observable } from '@bindery/rtc/observable.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import type { JupyterClient, SharedDocument } from './jupyter-client.ts';

export type NotebookRoom = Room<typeof NOTEBOOK_TABLES>;

/** What can be done to a notebook. Each is one step of the history, but for what runs. */
export class NotebookActions {
  readonly room: NotebookRoom;
  /** Where the notebook is: it may be renamed while it is open. */
  readonly path: Observable<string>;
  readonly #client: JupyterClient;
  readonly #document: SharedDocument;

  constructor(room: NotebookRoom, client: JupyterClient, document: SharedDocument) {
    this.room = room;
    this.#client = client;
    this.#document = document;
    const state = room.doc.getMap('state');
    this.path = {
      get: () => {
        const path = state.get('path');
        return typeof path === 'string' ? path : document.path;
      },
      subscribe: (listener) => {
        state.observe(listener);
        return () => state.unobserve(listener);
      },
    };
  }

  /** A new cell below this one, or as the first; returns its id. */
  add(type: 'code' | 'markdown', below?: string): string {
    const { room } = this;
    room.history.cut();
    return room.tables.cells.create({ type }, { at: below === undefined ? 0 : this.#index(below) + 1 });
  }

  remove(id: string): void {
    this.room.history.cut();
    this.room.tables.cells.delete(id);
  }

  /** One up (-1) or down (1). In this shared form a moved cell is made anew at its place. */
  move(id: string, by: -1 | 1): void {
    const { room } = this;
    const all = cellsOf(room.doc);
    const ids = room.tables.cells.ids.get();
    const neighbour = ids[ids.indexOf(id) + by];
    const row = all.get(this.#index(id));
    if (neighbour === undefined || !(row instanceof Y.Map)) return;
    const to = this.#index(neighbour);
    room.history.cut();
    room.transact(() => {
      const copy = row.clone();
      all.delete(this.#index(id));
      all.insert(to, [copy]);
    });
  }

  setType(id: string, type: string): void {
    const { cells } = this.room.tables;
    const cell = cells.get(id);
    if (!cell || cell.type === type) return;
    const at = this.#index(id);
    this.room.history.cut();
    this.room.transact(() => {
      cells.delete(id);
      cells.create({ type, text: cell.text, metadata: cell.metadata }, { id, at });
    });
  }

  /** Has cells run, one after the other; the server runs them, whatever becomes of this page. */
  async run(ids: readonly string[]): Promise<void> {
    const { cells } = this.room.tables;
    const kernel = await this.#kernel();
    // What was just written must be there first.
    await this.room.saved();
    for (const id of ids) {
      const cell = cells.get(id);
      if (cell?.type === 'code') await this.#client.run(this.#document.id, kernel, id, cell.text);
    }
  }

  /** Stops what runs, and takes back what waits. */
  interrupt(): void {
    const { executions } = this.room.tables;
    this.room.transact(
      () => {
        for (const { id, status } of executions.records.get()) {
          if (status.status === 'in progress') executions.update(id, { interrupt: true });
          else if (status.status === 'requested') executions.update(id, { status: { status: 'abort', message: 'It was taken back.' } });
        }
      },
      { undoable: false },
    );
  }

  async restart(): Promise<void> {
    await this.#client.restart(await this.#kernel());
  }

  async answer(question: string, value: string): Promise<void> {
    await this.#client.answer(this.#document.id, question, value);
  }

  async #kernel(): Promise<string> {
    const spec = this.room.tables.notebooks.get('notebook')?.metadata['kernelspec'] as { name?: unknown } | undefined;
    return this.#client.kernel(this.path.get(), typeof spec?.name === 'string' ? spec.name : undefined);
  }

  /** The place in the shared list, in which there may be what is no cell. */
  #index(id: string): number {
    return cellsOf(this.room.doc)
      .toArray()
      .findIndex((row) => row instanceof Y.Map && row.get('id') === id);
  }
}
