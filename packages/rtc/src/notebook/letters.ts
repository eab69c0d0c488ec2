import * as Y from 'yjs';
import { hunksOf } from './text-merge.ts';

/** Stands for a letter that is gone. */
const GONE = '\u0000';
/** Steps after which it is no longer looked for what a copy was made of. */
const MOST_STEPS = 100_000;

export interface LetterId {
  readonly client: number;
  readonly clock: number;
}

/** Letters that one client wrote in a row, and those that they stand for, or that stand for them. */
export interface Run extends LetterId {
  readonly length: number;
  readonly to: LetterId;
}

/** Letters of an item. */
export interface Part {
  readonly item: Y.Item;
  /** Where in the item, and how many. */
  readonly start: number;
  readonly length: number;
}

/** Letters of an item, and the first of those that say the same elsewhere. */
export interface Stands extends Part {
  readonly to: LetterId;
}

/** Runs, by who wrote them. */
export class Runs {
  readonly #byClient = new Map<number, { readonly runs: Run[]; longest: number; isSorted: boolean }>();

  add(run: Run): void {
    const known = this.#byClient.get(run.client);
    if (!known) {
      this.#byClient.set(run.client, { runs: [run], longest: run.length, isSorted: true });
      return;
    }
    known.isSorted &&= (known.runs.at(-1) as Run).clock <= run.clock;
    known.longest = Math.max(known.longest, run.length);
    known.runs.push(run);
  }

  /** What one letter is in a run with. */
  find({ client, clock }: LetterId): LetterId | undefined {
    for (const run of this.#within(client, clock, clock + 1)) return { client: run.to.client, clock: run.to.clock + clock - run.clock };
    return undefined;
  }

  /** Letters in a row as runs; those that are in none stand for themselves. */
  all({ client, clock, length }: LetterId & { readonly length: number }): Run[] {
    const runs: Run[] = [];
    const end = clock + length;
    let at = clock;
    const self = (to: number): void => {
      if (to > at) runs.push({ client, clock: at, length: to - at, to: { client, clock: at } });
    };
    for (const run of this.#within(client, clock, end)) {
      const start = Math.max(at, run.clock);
      const stop = Math.min(end, run.clock + run.length);
      if (stop <= start) continue;
      self(start);
      runs.push({ client, clock: start, length: stop - start, to: { client: run.to.client, clock: run.to.clock + start - run.clock } });
      at = stop;
    }
    self(end);
    return runs;
  }

  /** Letters in a row that are in no run. */
  lacking({ client, clock, length }: LetterId & { readonly length: number }): { readonly clock: number; readonly length: number }[] {
    const gaps: { clock: number; length: number }[] = [];
    const end = clock + length;
    let at = clock;
    for (const run of this.#within(client, clock, end)) {
      if (run.clock > at) gaps.push({ clock: at, length: run.clock - at });
      at = Math.max(at, run.clock + run.length);
    }
    if (end > at) gaps.push({ clock: at, length: end - at });
    return gaps;
  }

  *#within(client: number, start: number, end: number): Generator<Run> {
    const known = this.#byClient.get(client);
    if (!known) return;
    const { runs, longest } = known;
    if (!known.isSorted) runs.sort((a, b) => a.clock - b.clock);
    known.isSorted = true;
    let [low, high] = [0, runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((runs[middle] as Run).clock + longest <= start) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < runs.length; index++) {
      const run = runs[index] as Run;
      if (run.clock >= end) return;
      if (run.clock + run.length > start) yield run;
    }
  }
}

export function itemsOf(text: Y.Text): Y.Item[] {
  const items: Y.Item[] = [];
  for (let item = text._start; item; item = item.right) items.push(item);
  return items;
}

/** What stands in a text, or stood there when it was taken out. */
export function lettersOf(text: Y.Text): Y.Item[] {
  return itemsOf(text).filter(({ countable }) => countable);
}

export function whole(item: Y.Item): Part {
  return { item, start: 0, length: item.length };
}

/** The letters that a text had when it was made, taken out or not: Yjs writes them directly behind it. */
export function madeWith(text: Y.Text): Y.Item[] {
  const { client, clock } = text._item?.id ?? Y.createID(0, 0);
  const made: Y.Item[] = [];
  let next = clock + 1;
  for (const item of itemsOf(text).toSorted((a, b) => a.id.clock - b.id.clock)) {
    if (item.id.client !== client || item.id.clock !== next) continue;
    next += item.length;
    made.push(item);
  }
  return made;
}

/** Of which of these items a copy was made, one after the other; undefined if it was made of something else. */
export function copied(items: readonly Y.Item[], copy: readonly Y.Item[]): Stands[] | undefined {
  const maker = copy[0]?.id.client;
  const text = textOf(copy);
  const texts = items.map((item) => textOf([item]));
  /** What can be taken for the item: first what is likely. What is gone in the copy may have been anybody's, and rather who made it took out his own. */
  const choices = (index: number, place: number): boolean[] => {
    const said = texts[index] as string;
    if (!isAt(text, said, place)) return [false];
    return text.startsWith(said, place) || items[index]?.id.client === maker ? [true, false] : [false, true];
  };
  const path: { readonly index: number; readonly place: number; readonly isTaken: boolean; readonly left: boolean[] }[] = [];
  const failed = new Set<number>();
  const wayOf = (index: number, place: number): number => index * (text.length + 1) + place;
  let [index, place] = [0, 0];
  for (let step = 0; index < items.length || place < text.length; step++) {
    if (step > MOST_STEPS) return undefined;
    const left = index < items.length && !failed.has(wayOf(index, place)) ? choices(index, place) : [];
    let isTaken = left.shift();
    let at = { index, place, left };
    while (isTaken === undefined) {
      // Not that way: the last choice was wrong.
      failed.add(wayOf(at.index, at.place));
      const last = path.pop();
      if (!last) return undefined;
      at = last;
      isTaken = at.left.shift();
    }
    path.push({ ...at, isTaken });
    [index, place] = [at.index + 1, at.place + (isTaken ? (texts[at.index] as string).length : 0)];
  }
  const letters = new Letters(copy);
  return path
    .filter(({ isTaken }) => isTaken)
    .flatMap(({ index: one, place: first }) => {
      const item = items[one] as Y.Item;
      const parts: Stands[] = [];
      for (let start = 0; start < item.length;) {
        const there = letters.at(first + start);
        const length = Math.min(item.length - start, there.item.length - there.start);
        parts.push({ item, start, length, to: { client: there.item.id.client, clock: there.item.id.clock + there.start } });
        start += length;
      }
      return parts;
    });
}

/** What items say; of letters that are gone, only how many they were. */
export function textOf(items: readonly Y.Item[]): string {
  const said = ({ content, length }: Y.Item): string => {
    if (content instanceof Y.ContentString) return content.str;
    return (content instanceof Y.ContentDeleted ? GONE : '\ufffc').repeat(length);
  };
  return items.map(said).join('');
}

/** Whether this stands at that place, or what is gone there could have been it. */
function isAt(text: string, said: string, place: number): boolean {
  if (place + said.length > text.length) return false;
  for (let index = 0; index < said.length; index++) {
    const letter = text[place + index];
    if (letter !== said[index] && letter !== GONE) return false;
  }
  return true;
}

/** Which letters of these items are which of those. */
export function* alike(before: readonly Y.Item[], after: readonly Y.Item[]): Generator<Stands> {
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
    for (const letter of textOf(items)) {
      const code = letter.codePointAt(0) as number;
      this.codes.push(code);
      // Halves of a letter beyond the first plane are never parted.
      if (letter.length > 1) this.codes.push(-code);
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
