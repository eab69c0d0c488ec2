import * as Y from 'yjs';
import { goneCopies, liveCopies, Origins, typeOf, whatStandsFor, type Copy } from './cell-copies.ts';
import { itemsOf, lettersOf, Runs, whole, type Part } from './letters.ts';
import { cellsOf } from './shared-notebook.ts';

/** So many moved cells are remembered, the last ones: who edits one of an earlier move has been away for long. */
const MOST_MOVES = 100;
/** Copies of one cell in one update, beyond which they stay as they are: nobody moves so often, and the work grows with the square. */
const MOST_AT_ONCE = 200;
/**
 * Keeps what is written into a cell that somebody else is moving (rule M6). A move takes the cell out and puts a copy in, so that what its
 * writer wrote before hearing of it would be lost: it is put into the copy, at its place. One peer of a room does this, the one with the file.
 * What was moved before is known by what is left of it in the document (rule M10), if that was loaded without collecting garbage.
 * Returns what ends it; what is left of moves stays.
 */
export function keepLateEdits(doc: Y.Doc): () => void {
  const late = new LateEdits(doc);
  return () => late.end();
}

/** Copies of one cell of which some came, or were taken out, or were written into though they are gone. */
interface Meeting {
  /** The one that stays. */
  readonly now: Copy;
  /** Taken out just now. */
  readonly moved: readonly Copy[];
  /** Come just now, beside the one that stays. */
  readonly doubles: readonly Copy[];
  /** Moved away before. */
  readonly known: readonly Copy[];
  readonly edits: readonly [Copy, Part][];
}

class LateEdits {
  readonly #doc: Y.Doc;
  /** Copies that were moved away. */
  readonly #gone = new Map<Y.Text, Copy>();
  /** What must be left of them, beside their letters. */
  readonly #kept = new Set<Y.Item | null | undefined>();
  readonly #origins = new Origins();

  constructor(doc: Y.Doc) {
    this.#doc = doc;
    // What was moved away must be known for as long as somebody may write into it.
    doc.gcFilter = (item) => !this.#kept.has(item) && !this.#gone.has(item.parent as Y.Text);
    this.#recall();
    doc.on('afterTransaction', this.#look);
  }

  end(): void {
    this.#doc.off('afterTransaction', this.#look);
  }

  /** Cells that were moved before: of each, what is left, and the cell that has its id now. */
  #recall(): void {
    const cells = cellsOf(this.#doc);
    const live = Map.groupBy(liveCopies(cells), ({ id }) => id);
    for (const [id, gone] of Map.groupBy(goneCopies(cells), (copy) => copy.id)) {
      const [now] = live.get(id) ?? [];
      if (!now) continue;
      const copies = [now, ...gone];
      for (const copy of copies) this.#origins.recallPut(copy, copies);
      this.#origins.trace(copies, copies);
      for (const copy of gone) this.#keep(copy);
    }
  }

  readonly #look = (transaction: Y.Transaction): void => {
    const late = this.#gone.size > 0 ? this.#lateItems(transaction) : new Map<Y.Text, Y.Item[]>();
    const isChanged = transaction.changed.has(cellsOf(this.#doc) as never);
    if (late.size === 0 && !isChanged) return;
    const cells = cellsOf(this.#doc);
    const live = Map.groupBy(liveCopies(cells), ({ id }) => id);
    const taken = isChanged ? [...goneCopies(cells)].filter(({ item }) => Y.isDeleted(transaction.deleteSet, item.id)) : [];
    const gone = Map.groupBy(taken, ({ id }) => id);
    const before = Map.groupBy(this.#gone.values(), ({ id }) => id);
    for (const [id, copies] of live) {
      const isOld = ({ item }: Copy): boolean => !isNew(transaction, item);
      // The one that is there stays, and of several that came, the first.
      const [now, ...others] = [...copies.filter(isOld), ...copies.filter((copy) => !isOld(copy))] as [Copy, ...Copy[]];
      const hasCome = copies.some((copy) => !isOld(copy));
      const moved = (gone.get(id) ?? []).filter((copy) => hasCome || !isOld(copy));
      const doubles = others.filter((copy) => !isOld(copy));
      const known = before.get(id) ?? [];
      const edits = known.flatMap((copy) => (late.get(copy.text) ?? []).map((item): [Copy, Part] => [copy, whole(item)]));
      const many = moved.length + doubles.length;
      if (many <= MOST_AT_ONCE && many + edits.length > 0) this.#settle(transaction, { now, moved, doubles, known, edits });
    }
  };

  /** What came just now into texts that were moved away, in the order in which it stands there. */
  #lateItems({ beforeState, afterState, doc }: Y.Transaction): Map<Y.Text, Y.Item[]> {
    const late = new Map<Y.Text, Set<Y.Item>>();
    for (const [client, end] of afterState) {
      const start = beforeState.get(client) ?? 0;
      const structs = end > start ? doc.store.clients.get(client) : undefined;
      if (!structs) continue;
      for (let index = Y.findIndexSS(structs, start); index < structs.length; index++) {
        const struct = structs[index];
        if (!(struct instanceof Y.Item) || struct.id.clock < start) continue;
        const text = struct.parent as Y.Text;
        if (this.#gone.has(text)) late.set(text, (late.get(text) ?? new Set()).add(struct));
      }
    }
    return new Map([...late].map(([text, items]) => [text, itemsOf(text).filter((item) => items.has(item))]));
  }

  /** Brings what is written in copies that are moved away, or stand there beside another, into the one that stays. */
  #settle(transaction: Y.Transaction, { now, moved, doubles, known, edits }: Meeting): void {
    const isOld = ({ item }: Copy): boolean => !isNew(transaction, item);
    const came = [...moved, now, ...doubles].filter((copy) => !isOld(copy));
    // What was there a moment ago is what a copy was made of, where it could be another one as well.
    const all = [...moved.filter(isOld), ...(isOld(now) ? [now] : []), ...came, ...known];
    this.#origins.trace(came, all);
    const [first] = moved;
    if (first && moved.length === 1 && came.includes(now) && !this.#origins.madeOf(now)) this.#origins.liken(now, first);
    const isSame = ({ text }: Copy): boolean => text.toJSON() === now.text.toJSON();
    const superfluous = doubles.filter((copy) => typeOf(copy) === typeOf(now) && (isSame(copy) || this.#origins.isCopyOf(copy, now)));
    const found = [
      ...moved.flatMap((copy) => this.#unseen(transaction, copy, now)),
      ...superfluous
        .filter((copy) => !isSame(copy))
        .flatMap((copy) =>
          lettersOf(copy.text)
            .filter(({ deleted }) => !deleted)
            .map((item): [Copy, Part] => [copy, whole(item)]),
        ),
      ...edits,
    ];
    for (const copy of [...moved, ...superfluous]) this.#keep(copy);
    if (found.length + superfluous.length === 0) return;
    this.#doc.transact(() => {
      this.#put(found, now);
      const cells = cellsOf(this.#doc);
      for (const { item } of superfluous) cells.delete(cells.toArray().indexOf((item.content as Y.ContentType).type));
    }, transaction.origin);
  }

  /** What was there until it was taken out, but for what who made the copy of it took out of his own. */
  #unseen({ deleteSet }: Y.Transaction, copy: Copy, now: Copy): [Copy, Part][] {
    const mover = this.#origins.madeOf(now) === copy.text ? now.item.id.client : undefined;
    return lettersOf(copy.text)
      .filter(({ id }) => Y.isDeleted(deleteSet, id) && id.client !== mover)
      .map((item) => [copy, whole(item)]);
  }

  /** Writes letters that the copy that stays has not got where they belong: behind the letter that they were written behind, or at the beginning. */
  #put(found: readonly [Copy, Part][], { text }: Copy): void {
    const doc = this.#doc;
    const there = new Runs();
    for (const item of itemsOf(text))
      for (const run of this.#origins.typedIn(text, item.id, item.length)) there.add({ ...run.to, length: run.length, to: run });
    for (const [{ text: from }, { item, start, length }] of found) {
      if (!(item.content instanceof Y.ContentString)) continue;
      for (const run of this.#origins.typedIn(from, { client: item.id.client, clock: item.id.clock + start }, length)) {
        for (const { clock, length: lacking } of there.lacking({ ...run.to, length: run.length })) {
          const at = run.clock + clock - run.to.clock - item.id.clock;
          const index = this.#placeBehind(from, item, at, there);
          const to = { client: doc.clientID, clock: Y.getState(doc.store, doc.clientID) };
          text.insert(index, item.content.str.slice(at, at + lacking));
          const typed = { client: run.to.client, clock };
          there.add({ ...typed, length: lacking, to });
          this.#origins.runsOf(text).add({ ...to, length: lacking, to: typed });
        }
      }
    }
  }

  /** @param at how many letters of the item stand before the place as well */
  #placeBehind(from: Y.Text, behind: Y.Item, at: number, there: Runs): number {
    for (let item: Y.Item | null = at > 0 ? behind : behind.left; item; item = item.left) {
      const last = item.id.clock + (item === behind ? at : item.length) - 1;
      const [typed] = this.#origins.typedIn(from, { client: item.id.client, clock: last }, 1);
      const letter = typed && there.find(typed.to);
      if (!letter) continue;
      // To its right, and with it when it moves.
      const place = new Y.RelativePosition(null, null, Y.createID(letter.client, letter.clock), -1);
      const found = Y.createAbsolutePositionFromRelativePosition(place, this.#doc);
      if (found) return found.index;
    }
    return 0;
  }

  #keep(copy: Copy): void {
    this.#gone.set(copy.text, copy);
    for (const item of whatStandsFor(copy)) this.#kept.add(item);
    for (const oldest of this.#gone.values()) {
      if (this.#gone.size <= MOST_MOVES) break;
      this.#forget(oldest);
    }
  }

  #forget(copy: Copy): void {
    this.#gone.delete(copy.text);
    for (const item of whatStandsFor(copy)) this.#kept.delete(item);
    const gone = Y.createDeleteSet();
    const { client, clock } = copy.item.id;
    gone.clients.set(client, [{ clock, len: copy.item.length }]);
    Y.tryGc(gone, this.#doc.store, () => true);
  }
}

function isNew({ beforeState }: Y.Transaction, { id }: Y.Item): boolean {
  return id.clock >= (beforeState.get(id.client) ?? 0);
}
