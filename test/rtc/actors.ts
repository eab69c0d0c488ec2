import { connect } from '@bindery/rtc/room/connect.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { cellsOf, sharedCell } from '@bindery/rtc/notebook/shared-notebook.ts';
import * as Y from 'yjs';
import type { Seeded } from '../fakes/seeded.ts';
import { TABLES } from '../fakes/notes-room.ts';
import type { ProviderClass } from '../fakes/y-websocket.ts';

/** What an edit did. */
interface Done {
  readonly piece: string;
  readonly isTaken: boolean;
}

/** What was written in a room and taken out again, each piece under a name of its own; what is safe, as those who did it were told. */
export class Book {
  readonly #pieces = new Map<string, { isSafe: boolean; isTaken: boolean; isTakenSafely: boolean }>();

  add(piece: string): void {
    this.#pieces.set(piece, { isSafe: false, isTaken: false, isTakenSafely: false });
  }

  take(piece: string): void {
    this.#of(piece).isTaken = true;
  }

  /** That it was written is safe, or that it was taken out. */
  safe({ piece, isTaken }: Done): void {
    const known = this.#of(piece);
    known.isSafe = true;
    known.isTakenSafely ||= isTaken;
  }

  get safeCount(): number {
    return [...this.#pieces.values()].filter(({ isSafe }) => isSafe).length;
  }

  /** What of that which is safe a document does not say, or says although it was safely taken out. */
  missing(found: ReadonlySet<string>): string[] {
    return [...this.#pieces].flatMap(([piece, { isSafe, isTaken, isTakenSafely }]) => {
      if (isSafe && !isTaken && !found.has(piece)) return [`${piece} is gone`];
      return isTakenSafely && found.has(piece) ? [`${piece} is back`] : [];
    });
  }

  #of(piece: string): { isSafe: boolean; isTaken: boolean; isTakenSafely: boolean } {
    const known = this.#pieces.get(piece);
    if (!known) throw new Error(`Nobody wrote ${piece}.`);
    return known;
  }
}

const textOf = (doc: Y.Doc): Y.Text => doc.getText('text');
const PIECE = /\[([^[\]]*)\]/g;

function cellsIn(doc: Y.Doc): { readonly id: string; readonly source: Y.Text }[] {
  return cellsOf(doc)
    .toArray()
    .map((cell) => ({ id: (cell as Y.Map<string>).get('id') as string, source: (cell as Y.Map<unknown>).get('source') as Y.Text }));
}

/** All pieces that a document says; throws when one is there twice, or in pieces. */
export function piecesOf(doc: Y.Doc): Set<string> {
  const cells = cellsIn(doc);
  const texts = [textOf(doc), ...cells.map(({ source }) => source)].map((text) => text.toJSON());
  for (const text of texts) if (text.replaceAll(PIECE, '') !== '') throw new Error(`This is no text that anybody wrote: ${text}`);
  const written = texts.flatMap((text) => [...text.matchAll(PIECE)].map((match) => match[1] as string));
  const notes = [...doc.getMap('table:notes').keys()].map((id) => `note ${id}`);
  const all = [...written, ...cells.map(({ id }) => `cell ${id}`), ...notes];
  const pieces = new Set(all);
  if (pieces.size < all.length) throw new Error(`There twice: ${all.filter((piece, index) => all.indexOf(piece) < index).join(', ')}`);
  return pieces;
}

/** Somebody in a room, who writes pieces and takes out some of them. */
export interface Actor {
  readonly doc: Y.Doc;
  /** Writes something, or takes something out. */
  edit(): void;
  /** Whether all is known to be safe, as far as that can be known. */
  isSettled(): boolean;
  /** Whether it believes to be connected. */
  isThere(): boolean;
  setPresence(state: Record<string, unknown>): void;
  leave(): void;
}

/** One edit of a random kind. */
function write(doc: Y.Doc, name: string, own: string[], random: Seeded, book: Book): Done {
  const kind = random.below(100);
  const piece = `${name}.${own.length}`;
  if (kind < 15 && own.length > 0) {
    const old = random.one(own);
    const text = textOf(doc);
    const at = text.toJSON().indexOf(`[${old}]`);
    if (at >= 0) {
      book.take(old);
      text.delete(at, old.length + 2);
      return { piece: old, isTaken: true };
    }
  }
  if (kind < 30) {
    const cells = cellsOf(doc);
    book.add(`cell ${piece}`);
    own.push(`cell ${piece}`);
    const cell = { id: piece, type: 'code', source: '', metadata: {}, outputs: [], executionCount: null, extra: {} };
    cells.insert(random.below(cells.length + 1), [sharedCell(cell)]);
    return { piece: `cell ${piece}`, isTaken: false };
  }
  const cells = cellsIn(doc);
  const text = kind < 55 && cells.length > 0 ? random.one(cells).source : textOf(doc);
  const starts = [...text.toJSON().matchAll(/\[/g)].map((match) => match.index);
  book.add(piece);
  if (text === textOf(doc)) own.push(piece);
  else own.push(`in a cell ${piece}`);
  text.insert(random.one([...starts, text.length]), `[${piece}]`);
  return { piece, isTaken: false };
}

/** One with a client of ours, which is told what is safe. */
export function member(url: string, name: string, random: Seeded, book: Book): Actor & { readonly room: Room<typeof TABLES> } {
  const room = connect({ url, tables: TABLES });
  const { doc } = room;
  const own: string[] = [];
  const note = (): Done => {
    const id = `${name}.${own.length}`;
    const piece = `note ${id}`;
    book.add(piece);
    own.push(piece);
    room.tables.notes.create({ title: name }, { id });
    return { piece, isTaken: false };
  };
  return {
    doc,
    room,
    edit() {
      const done = random.happens(10) ? note() : room.transact(() => write(doc, name, own, random, book));
      room.saved().then(
        () => book.safe(done),
        () => undefined,
      );
    },
    isSettled: () => room.state.get().phase === 'open' && room.state.get().isSaved,
    isThere: () => room.state.get().phase === 'open',
    setPresence: (state) => room.awareness.setLocalState(state),
    leave: () => room.close(),
  };
}

/** One with a client that others published, which is told nothing. */
export function guest(Client: ProviderClass, url: string, name: string, random: Seeded, book: Book): Actor {
  const doc = new Y.Doc();
  const { origin, pathname, searchParams } = new URL(url.replace('/room/', '/y/'));
  const [, path = '', room = ''] = /^(.*)\/([^/]+)$/.exec(pathname) ?? [];
  const params = Object.fromEntries(searchParams);
  // Clients of one process would tell each other past the server.
  const provider = new Client(`${origin === 'null' ? `ws://${new URL(url).host}` : origin}${path}`, room, doc, {
    params,
    disableBc: true,
    maxBackoffTime: 200,
  });
  const own: string[] = [];
  return {
    doc,
    edit: () => void doc.transact(() => write(doc, name, own, random, book)),
    isSettled: () => provider.synced,
    isThere: () => provider.synced,
    setPresence: (state) => provider.awareness.setLocalState(state),
    leave() {
      provider.destroy();
      doc.destroy();
    },
  };
}
