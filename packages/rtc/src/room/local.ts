import { Awareness } from 'y-protocols/awareness.js';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Value } from '../observable.ts';
import { openTables, type Definitions } from '../tables/table.ts';
import { History, type HistoryOptions } from './history.ts';
import type { Room, RoomState } from './room.ts';
import { Transactions } from './transactions.ts';

export interface LocalOptions<D extends Definitions> {
  readonly tables: D;
  /** What `snapshot` gave: the room goes on from there. */
  readonly from?: Uint8Array;
  /** By default every transaction is a step. */
  readonly history?: HistoryOptions;
}

export interface LocalRoom<D extends Definitions> extends Room<D> {
  /** The whole document, to be kept and given to `openLocal` again. */
  snapshot(): Uint8Array;
}

/** A room for one, with no server: the same tables, transactions and history. Throws when `from` is no snapshot. */
export function openLocal<D extends Definitions>(options: LocalOptions<D>): LocalRoom<D> {
  const doc = new Y.Doc();
  if (options.from) Y.applyUpdate(doc, options.from);
  const state = new Value<RoomState>({ phase: 'open', role: 'admin', isSaved: true, error: undefined, lineage: undefined, run: undefined });
  const transactions = new Transactions(doc);
  const [edit, silent] = [Symbol('edit'), Symbol('not undoable')];
  const transact = <T>(body: () => T, how: { readonly undoable?: boolean } = {}): T => {
    if (state.get().phase === 'closed') throw new BinderyError('room_closed', 'The room was closed: nothing can be changed in it.');
    return transactions.run(body, how.undoable === false ? silent : edit);
  };
  const history = new History(doc, edit, { joinMs: 0, ...options.history });
  const awareness = new Awareness(doc);
  // It looks after others, of whom there are none: without this a room that nobody closed would keep a program from ending.
  clearInterval(awareness._checkInterval as ReturnType<typeof setInterval>);
  return {
    doc,
    tables: openTables(doc, options.tables, transact),
    awareness,
    history,
    state,
    transact,
    saved: () => Promise.resolve(),
    snapshot: () => Y.encodeStateAsUpdate(doc),
    close: () => {
      if (state.get().phase === 'closed') return;
      state.set({ ...state.get(), phase: 'closed' });
      doc.destroy();
    },
  };
}
