import * as Y from 'yjs';
import { cellsOf } from './shared-notebook.ts';
import { hunksOf } from './text-merge.ts';

/** So many moved cells are remembered, the last ones: who edits one of an earlier move has been away for long. */
const MOST_MOVES = 100;

/** Letters of one client in a row, and those that stand for them elsewhere. */
interface Run {
  readonly clock: number;
  readonly length: number;
  readonly to: { readonly client: number; readonly clock: number };
}

/** A cell that was moved: the text that it had, and the one that it has. */
interface Move {
  readonly cell: Y.Item;
  readonly from: Y.Text;
  readonly to: Y.Text;
  /** By client. */
  readonly runs: Map<number, Run[]>;
}

/**
 * Keeps what is written into a cell that somebody else is moving (rule M6). A move takes the cell out and puts a copy in, so that what its
 * writer wrote before hearing of it would be lost: it is put into the copy, at its place. One peer of a room does this, the one with the file.
 * Returns what ends it.
 */
export function keepLateEdits(doc: Y.Doc): () => void {
  const late = new LateEdits(doc);
  return () => late.end();
}

class LateEdits {
  readonly #doc: Y.Doc;
  readonly #moves = new Map<Y.Text, Move>();
  /** Of these moves: the cells and what is their text. */
  readonly #kept = new Set<Y.Item | null>();

  constructor(doc: Y.Doc) {
    this.#doc = doc;
    // What was moved away must be known for as long as somebody may write into it.
    doc.gcFilter = (item) => !this.#kept.has(item) && !this.#moves.has(item.parent as Y.Text);
    doc.on('afterTransaction', this.#look);
  }

  end(): void {
    this.#doc.off('afterTransaction', this.#look);
    this.#doc.gcFilter = () => true;
    for (const move of this.#moves.values()) this.#forget(move);
  }

  readonly #look = (transaction: Y.Transaction): void => {
    const late = this.#moves.size > 0 ? this.#lateItems(transaction) : [];
    if (late.length > 0) this.#doc.transact(() => late.forEach(([move, item]) => put(move, item)), transaction.origin);
    if (!transaction.changed.has(cellsOf(this.#doc) as never)) return;
    this.#findMoves(transaction);
    this.#unite(transaction);
  };

  /** What came just now into texts that were moved away, in the order in which it stands there. */
  #lateItems({ beforeState, afterState, doc }: Y.Transaction): [Move, Y.Item][] {
    const late: Y.Item[] = [];
    for (const [client, end] of afterState) {
      const start = beforeState.get(client) ?? 0;
      const structs = end > start ? doc.store.clients.get(client) : undefined;
      if (!structs) continue;
      for (let index = Y.findIndexSS(structs, start); index < structs.length; index++) {
        const struct = structs[index];
        if (struct instanceof Y.Item && struct.id.clock >= start && this.#moves.has(struct.parent as Y.Text)) late.push(struct);
      }
    }
    const known = new Set(late);
    return [...this.#moves.values()].flatMap((move) =>
      late.some((item) => item.parent === move.from)
        ? itemsOf(move.from)
            .filter((item) => known.has(item))
            .map((item): [Move, Y.Item] => [move, item])
        : [],
    );
  }

  /** Cells that one transaction took out and put in again. */
  #findMoves(transaction: Y.Transaction): void {
    const cells = cellsOf(this.#doc);
    const came = new Map<unknown, Y.Text>();
    for (const cell of cells.toArray()) {
      if (!(cell instanceof Y.Map) || !cell._item || !isNew(transaction, cell._item)) continue;
      const source: unknown = cell.get('source');
      if (source instanceof Y.Text) came.set(cell.get('id'), source);
    }
    if (came.size === 0) return;
    for (let item = cells._start; item; item = item.right) {
      const cell = item.content instanceof Y.ContentType ? item.content.type : undefined;
      if (!(cell instanceof Y.Map) || !Y.isDeleted(transaction.deleteSet, item.id)) continue;
      const [from, to] = [lastValue(cell, 'source'), came.get(lastValue(cell, 'id'))];
      if (!(from instanceof Y.Text) || !to) continue;
      const before = itemsOf(from).filter((each) => each.countable && Y.isDeleted(transaction.deleteSet, each.id));
      this.#remember(transaction, { cell: item, from, to, runs: new Map() }, before);
    }
  }

  /** A cell that two moved at the same time stands there twice: the copy that came later goes, where it says the same. */
  #unite(transaction: Y.Transaction): void {
    const cells = cellsOf(this.#doc);
    const known = new Map<unknown, Y.Map<unknown>>();
    const came: Y.Map<unknown>[] = [];
    for (const cell of cells.toArray()) {
      if (!(cell instanceof Y.Map) || !cell._item) continue;
      if (isNew(transaction, cell._item)) came.push(cell as Y.Map<unknown>);
      else known.set(cell.get('id'), cell as Y.Map<unknown>);
    }
    for (const cell of came) {
      const id = cell.get('id');
      const other = known.get(id);
      if (!other) known.set(id, cell);
      const [from, to] = [cell.get('source'), other?.get('source')];
      if (!cell._item || !other || typeof id !== 'string' || !(from instanceof Y.Text) || !(to instanceof Y.Text)) continue;
      if (cell.get('cell_type') !== other.get('cell_type') || from.toJSON() !== to.toJSON()) continue;
      const before = itemsOf(from).filter((item) => item.countable && !item.deleted);
      this.#remember(transaction, { cell: cell._item, from, to, runs: new Map() }, before);
      this.#doc.transact(() => cells.delete(cells.toArray().indexOf(cell)), transaction.origin);
    }
  }

  /** @param before the letters that it had */
  #remember(transaction: Y.Transaction, move: Move, before: readonly Y.Item[]): void {
    const after = itemsOf(move.to).filter((item) => item.countable && !item.deleted);
    const lacking = new Set(before);
    for (const { item, start, to, length } of alike(before, after)) {
      lacking.delete(item);
      add(move, item.id.client, { clock: item.id.clock + start, length, to });
    }
    this.#moves.set(move.from, move);
    for (const item of [move.cell, move.from._item]) this.#kept.add(item);
    const mover = move.to._item?.id.client;
    // What others wrote and the copy has nothing of, its maker had not heard of yet.
    const unseen = before.filter((item) => lacking.has(item) && item.id.client !== mover);
    if (unseen.length > 0) this.#doc.transact(() => unseen.forEach((item) => put(move, item)), transaction.origin);
    const [oldest] = this.#moves.values();
    if (oldest && this.#moves.size > MOST_MOVES) this.#forget(oldest);
  }

  #forget(move: Move): void {
    this.#moves.delete(move.from);
    for (const item of [move.cell, move.from._item]) this.#kept.delete(item);
    const gone = Y.createDeleteSet();
    const { client, clock } = move.cell.id;
    gone.clients.set(client, [{ clock, len: move.cell.length }]);
    Y.tryGc(gone, this.#doc.store, () => true);
  }
}

function isNew({ beforeState }: Y.Transaction, { id }: Y.Item): boolean {
  return id.clock >= (beforeState.get(id.client) ?? 0);
}

/** What a map that is gone said. */
function lastValue(map: Y.Map<unknown>, key: string): unknown {
  return map._map.get(key)?.content.getContent().at(-1);
}

function itemsOf(text: Y.Text): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = text._start; item; item = item.right) items.push(item);
  return items;
}

interface Alike {
  readonly item: Y.Item;
  /** Where in the item, and for how many letters. */
  readonly start: number;
  readonly length: number;
  readonly to: Run['to'];
}

/** Which letters of these items are which of those. */
function* alike(before: readonly Y.Item[], after: readonly Y.Item[]): Generator<Alike> {
  const [mine, others] = [new Letters(before), new Letters(after)];
  let [at, there] = [0, 0];
  for (const hunk of [...hunksOf(mine.codes, others.codes), { start: mine.codes.length, end: 0, to: 0 }]) {
    while (at < hunk.start) {
      const [one, other] = [mine.at(at), others.at(there)];
      const length = Math.min(hunk.start - at, one.item.length - one.start, other.item.length - other.start);
      yield { ...one, length, to: { client: other.item.id.client, clock: other.item.id.clock + other.start } };
      [at, there] = [at + length, there + length];
    }
    [at, there] = [hunk.end, hunk.to];
  }
}

/** The letters of items in a row; to be asked for in their order. */
class Letters {
  readonly codes: number[] = [];
  readonly #items: readonly Y.Item[];
  #index = 0;
  #before = 0;

  constructor(items: readonly Y.Item[]) {
    this.#items = items;
    for (const { content, length } of items) {
      const text = content instanceof Y.ContentString ? content.str : '\ufffc'.repeat(length);
      for (let index = 0; index < text.length; index++) this.codes.push(text.charCodeAt(index));
    }
  }

  at(place: number): { readonly item: Y.Item; readonly start: number } {
    for (;;) {
      const item = this.#items[this.#index] as Y.Item;
      if (place < this.#before + item.length) return { item, start: place - this.#before };
      this.#before += item.length;
      this.#index += 1;
    }
  }
}

function add({ runs }: Move, client: number, run: Run): void {
  const known = runs.get(client);
  if (known) known.push(run);
  else runs.set(client, [run]);
}

/** Writes what came too late where it belongs: behind the letter that it was written behind, or at the beginning. */
function put(move: Move, item: Y.Item): void {
  if (!(item.content instanceof Y.ContentString)) return;
  const doc = move.to.doc as Y.Doc;
  const { str } = item.content;
  const client = doc.clientID;
  const index = placeBehind(move, item, doc);
  const clock = Y.getState(doc.store, client);
  move.to.insert(index, str);
  add(move, item.id.client, { clock: item.id.clock, length: str.length, to: { client, clock } });
}

function placeBehind(move: Move, { left }: Y.Item, doc: Y.Doc): number {
  for (let item = left; item; item = item.left) {
    const last = item.id.clock + item.length - 1;
    const run = move.runs.get(item.id.client)?.find(({ clock, length }) => clock <= last && last < clock + length);
    if (!run) continue;
    const letter = Y.createID(run.to.client, run.to.clock + last - run.clock);
    // To its right, and with it when it moves.
    return Y.createAbsolutePositionFromRelativePosition(new Y.RelativePosition(null, null, letter, -1), doc)?.index ?? move.to.length;
  }
  return 0;
}
