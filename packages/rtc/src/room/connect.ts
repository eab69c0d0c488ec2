import { Awareness } from 'y-protocols/awareness.js';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { openTables, type Definitions } from '../tables/table.ts';
import { History, type HistoryOptions } from './history.ts';
import { Link, type LinkOptions } from './link.ts';
import type { Room } from './room.ts';
import { webSocket, type OpenSocket } from './socket.ts';
import { Transactions } from './transactions.ts';

export interface ConnectOptions<D extends Definitions> {
  /** Of the room: `ws://` or `wss://`. */
  readonly url: string;
  readonly tables: D;
  readonly history?: HistoryOptions;
  /** How connections are opened; by default with the WebSocket that is there. */
  readonly open?: OpenSocket;
}

/**
 * Enters a room on a server. Comes back at once: `state` tells when it is open. Edits may be made at any time; those that the server has not yet are
 * sent when it is there (again). Throws when the address is none.
 */
export function connect<D extends Definitions>(options: ConnectOptions<D>): Room<D> {
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  const link = linked({ url: options.url, doc, awareness, open: options.open ?? webSocket });
  const transactions = new Transactions(doc);
  const [edit, silent] = [Symbol('edit'), Symbol('not undoable')];
  const transact = <T>(body: () => T, how: { readonly undoable?: boolean } = {}): T => {
    const { phase, role, error } = link.state.get();
    if (phase === 'closed' || phase === 'ended')
      throw new BinderyError('room_closed', `Nothing can be changed in the room any more${error ? `: ${error.message}` : '.'}`);
    if (role === 'read') throw new BinderyError('room_read_only', 'You may read in this room and not write.');
    return transactions.run(body, how.undoable === false ? silent : edit);
  };
  return {
    doc,
    tables: openTables(doc, options.tables, transact),
    awareness,
    history: new History(doc, edit, options.history),
    state: link.state,
    transact,
    saved: () => link.saved(),
    close: () => {
      link.close();
      doc.destroy();
    },
  };
}

/** A link, or an error and nothing that goes on. */
function linked(options: LinkOptions): Link {
  try {
    return new Link(options);
  } catch (error) {
    options.doc.destroy();
    throw error;
  }
}
