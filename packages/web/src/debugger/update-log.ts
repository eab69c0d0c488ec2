import type { Awareness } from 'y-protocols/awareness.js';
import * as Y from 'yjs';
import { Value } from '@bindery/rtc/observable.ts';
import { nameOf } from '../rooms/people.ts';

/** One update, as it came in. */
export interface LoggedUpdate {
  readonly number: number;
  /** Milliseconds since the epoch, here. */
  readonly at: number;
  readonly who: string;
  readonly bytes: number;
}

/** How many are kept. */
const MOST = 200;

/** The last updates of a document, newest first, from now until `end`. */
export class UpdateLog {
  readonly entries = new Value<readonly LoggedUpdate[]>([]);
  readonly #doc: Y.Doc;
  readonly #awareness: Awareness;
  #count = 0;

  constructor(doc: Y.Doc, awareness: Awareness) {
    this.#doc = doc;
    this.#awareness = awareness;
    doc.on('update', this.#heard);
  }

  end(): void {
    this.#doc.off('update', this.#heard);
  }

  readonly #heard = (update: Uint8Array, _origin: unknown, _doc: Y.Doc, { local }: Y.Transaction): void => {
    const entry = { number: ++this.#count, at: Date.now(), who: local ? 'you' : this.#authors(update), bytes: update.byteLength };
    this.entries.set([entry, ...this.entries.get()].slice(0, MOST));
  };

  /** Who made what is in it: an update of nothing but deletions does not say. */
  #authors(update: Uint8Array): string {
    const clients = [...new Set(Y.decodeUpdate(update).structs.map(({ id }) => id.client))];
    const states = this.#awareness.getStates();
    const named = clients.map((client) => (states.has(client) ? nameOf(states.get(client)) : `client ${client}`));
    return named.length === 0 ? 'somebody' : named.join(', ');
  }
}
