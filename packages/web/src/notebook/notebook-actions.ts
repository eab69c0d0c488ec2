import * as Y from 'yjs';
import { cellsOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import type { JupyterClient } from './jupyter-client.ts';

export type NotebookRoom = Room<typeof NOTEBOOK_TABLES>;

/** What can be done to a notebook. Each is one step of the history, but for what runs. */
export class NotebookActions {
  readonly room: NotebookRoom;
  readonly #client: JupyterClient;
  readonly #path: string;
  /** Restarts that were asked for here. */
  readonly #restarts = new Map<string, number>();

  constructor(room: NotebookRoom, client: JupyterClient, path: string) {
    this.room = room;
    this.#client = client;
    this.#path = path;
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

  /** Asks for a cell to be run; whoever keeps the documents runs it, whatever becomes of this page. */
  async run(id: string): Promise<void> {
    await this.runAll([id]);
  }

  async runAll(ids: readonly string[]): Promise<void> {
    const { room } = this;
    const code = ids.filter((id) => room.tables.cells.get(id)?.type === 'code');
    if (code.length === 0) return;
    const kernel = await this.#kernel();
    room.transact(
      () => {
        for (const cell of code) {
          const text = room.tables.cells.get(cell)?.text;
          if (text !== undefined) room.tables.executions.create({ code: text, kernel, cell, allowStdin: true });
        }
      },
      { undoable: false },
    );
    await room.saved();
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
    const { id, session } = await this.#kernel();
    await this.#client.restart(id);
    this.#restarts.set(id, session + 1);
  }

  answer(question: string, value: string): void {
    this.room.transact(() => this.room.tables.stdin.update(question, { answer: value }), { undoable: false });
  }

  async #kernel(): Promise<{ id: string; session: number }> {
    const { executions, notebooks } = this.room.tables;
    const spec = notebooks.get('notebook')?.metadata['kernelspec'] as { name?: unknown } | undefined;
    const id = await this.#client.kernel(this.#path, typeof spec?.name === 'string' ? spec.name : undefined);
    const lives = executions.records.get().map(({ kernel }) => (kernel?.id === id ? kernel.session : 0));
    return { id, session: Math.max(this.#restarts.get(id) ?? 0, ...lives) };
  }

  /** The place in the shared list, in which there may be what is no cell. */
  #index(id: string): number {
    return cellsOf(this.room.doc)
      .toArray()
      .findIndex((row) => row instanceof Y.Map && row.get('id') === id);
  }
}
