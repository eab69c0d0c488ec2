import * as Y from 'yjs';
import { alike, copied, lettersOf, madeWith, Runs, textOf, type LetterId, type Run, type Stands } from './letters.ts';

/** A cell as it was put in, by who made it or by a move: all of one id are the same cell. */
export interface Copy {
  /** In the list of cells. */
  readonly item: Y.Item;
  readonly id: string;
  readonly text: Y.Text;
}

/** Of which copies of a cell others were made, and what the letters of each stand for: those that somebody typed, wherever that was. */
export class Origins {
  /** Without a run, a letter is one that was typed there. */
  readonly #typed = new WeakMap<Y.Text, Runs>();
  readonly #madeOf = new WeakMap<Y.Text, Y.Text>();

  /** Of which one it was made, as far as that is known. */
  madeOf({ text }: Copy): Y.Text | undefined {
    return this.#madeOf.get(text);
  }

  /** What a server before this one put into a copy is what others wrote in another. */
  recallPut(copy: Copy, all: readonly Copy[]): void {
    const made = new Set(madeWith(copy.text));
    const written = all.flatMap((other) => (other === copy ? [] : lettersOf(other.text).filter(({ id }) => !isServer(id))));
    for (const item of lettersOf(copy.text)) {
      if (made.has(item) || !isServer(item.id)) continue;
      const said = textOf([item]);
      for (let at = 0; at < said.length;) {
        const from = written.find((each) => said.startsWith(textOf([each]), at));
        const length = from?.length ?? 1;
        if (from) this.runsOf(copy.text).add({ client: item.id.client, clock: item.id.clock + at, length, to: from.id });
        at += length;
      }
    }
  }

  runsOf(text: Y.Text): Runs {
    const known = this.#typed.get(text) ?? new Runs();
    this.#typed.set(text, known);
    return known;
  }

  /** What letters of a copy stand for, piece by piece. */
  typedIn(text: Y.Text, id: LetterId, length: number): Run[] {
    return this.runsOf(text).all({ client: id.client, clock: id.clock, length });
  }

  /** Finds out of which others these copies were made, and so what their letters stand for. */
  trace(copies: readonly Copy[], all: readonly Copy[]): void {
    const found = new Map<Y.Text, () => void>();
    // First those where least is lacking; above all, nothing that who made it wrote himself: he knew of that.
    const ways = copies
      .flatMap((copy) => all.flatMap((other) => wayFrom(other, copy) ?? []))
      .toSorted((one, two) => one.lackingOwn - two.lackingOwn || one.lacking - two.lacking);
    for (const { copy, other, parts } of ways) {
      if (found.has(copy.text) || this.#isMadeOf(other, copy)) continue;
      this.#madeOf.set(copy.text, other.text);
      found.set(copy.text, () => this.#standFor(copy, other, parts));
    }
    // What a copy stands for, after that of which it was made.
    const settle = (text: Y.Text): void => {
      const stand = found.get(text);
      if (!stand) return;
      found.delete(text);
      const other = this.#madeOf.get(text);
      if (other) settle(other);
      stand();
    };
    for (const text of found.keys()) settle(text);
  }

  /** The same where it was not made of that alone, as far as they are alike. */
  liken(copy: Copy, other: Copy): void {
    this.#standFor(copy, other, [
      ...alike(
        lettersOf(other.text),
        madeWith(copy.text).filter(({ countable }) => countable),
      ),
    ]);
  }

  #standFor(copy: Copy, other: Copy, parts: readonly Stands[]): void {
    this.#madeOf.set(copy.text, other.text);
    for (const { item, start, length, to } of parts) {
      for (const run of this.typedIn(other.text, { client: item.id.client, clock: item.id.clock + start }, length)) {
        this.runsOf(copy.text).add({
          client: to.client,
          clock: to.clock + run.clock - item.id.clock - start,
          length: run.length,
          to: run.to,
        });
      }
    }
  }

  /** Whether it says nothing that no other copy said, but for what was written into it. */
  isCopyOf(copy: Copy, now: Copy): boolean {
    return madeWith(copy.text).length === 0 || this.#madeOf.has(copy.text) || this.#isMadeOf(now, copy);
  }

  #isMadeOf(copy: Copy, other: Copy): boolean {
    let text: Y.Text | undefined = copy.text;
    while (text && text !== other.text) text = this.#madeOf.get(text);
    return text !== undefined;
  }
}

/** How one copy can have been made of another, and how many letters of that it has not got. */
interface Way {
  readonly copy: Copy;
  readonly other: Copy;
  readonly parts: Stands[];
  readonly lacking: number;
  readonly lackingOwn: number;
}

function wayFrom(other: Copy, copy: Copy): Way | undefined {
  const made = madeWith(copy.text);
  const { client, clock } = copy.item.id;
  if (made.length === 0 || (other.item.id.client === client && other.item.id.clock >= clock)) return undefined;
  const letters = lettersOf(other.text);
  const parts = copied(letters, made);
  if (!parts) return undefined;
  const known = new Set(parts.map(({ item }) => item));
  const lacking = letters.filter((item) => !known.has(item));
  return { copy, other, parts, lacking: count(lacking), lackingOwn: count(lacking.filter(({ id }) => id.client === client)) };
}

function count(items: readonly Y.Item[]): number {
  return items.reduce((sum, { length }) => sum + length, 0);
}

function* copiesIn(cells: Y.Array<unknown>, isGone: boolean): Generator<Copy> {
  for (let item = cells._start; item; item = item.right) {
    const cell = item.deleted === isGone && item.content instanceof Y.ContentType ? item.content.type : undefined;
    const text = cell instanceof Y.Map ? lastValue(cell, 'source') : undefined;
    const id = text instanceof Y.Text ? lastValue(cell as Y.Map<unknown>, 'id') : undefined;
    if (typeof id === 'string') yield { item, id, text: text as Y.Text };
  }
}

export function liveCopies(cells: Y.Array<unknown>): Generator<Copy> {
  return copiesIn(cells, false);
}

/** Those that were taken out, as far as anything is left of them. */
export function goneCopies(cells: Y.Array<unknown>): Generator<Copy> {
  return copiesIn(cells, true);
}

/** What a map says, or said before it went. */
function lastValue(map: Y.Map<unknown>, key: string): unknown {
  return map._map.get(key)?.content.getContent().at(-1);
}

export function typeOf({ item }: Copy): unknown {
  return lastValue((item.content as Y.ContentType).type as Y.Map<unknown>, 'cell_type');
}

/** What must be left of a copy, beside its letters. */
export function whatStandsFor({ item, text }: Copy): (Y.Item | null | undefined)[] {
  return [item, text._item, ((item.content as Y.ContentType).type as Y.Map<unknown>)._map.get('id')];
}

/** The server's client ids are above those that clients choose (the relay's T6). */
function isServer({ client }: LetterId): boolean {
  return client >= 2 ** 32;
}
