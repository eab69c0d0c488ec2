import type { Cell } from './notebook.ts';
import { hunksOf, Numbers } from './text-merge.ts';

/** Which cell of one list is which of another: their places, each at most once. */
export class CellMatch {
  readonly #to = new Map<number, number>();
  readonly #from = new Map<number, number>();

  add(from: number, to: number): void {
    this.#to.set(from, to);
    this.#from.set(to, from);
  }

  to(from: number): number | undefined {
    return this.#to.get(from);
  }

  from(to: number): number | undefined {
    return this.#from.get(to);
  }

  get isEmpty(): boolean {
    return this.#to.size === 0;
  }
}

/** Matches unmatched cells by their ids. */
export function matchIds(match: CellMatch, before: readonly Cell[], after: readonly Cell[], open: Open = ALL): void {
  const places = new Map(after.map((cell, index) => [cell.id, index]));
  for (const [index, cell] of before.entries()) {
    const to = places.get(cell.id);
    if (to !== undefined && open.from(index) && open.to(to)) match.add(index, to);
  }
}

/**
 * Finds a version's cells in a later one. By their ids; what is left by type and source, where it stood or elsewhere; and if they have no id in
 * common, because ids are made at reading or were all made anew, by likeness.
 */
export function matchVersions(before: readonly Cell[], after: readonly Cell[]): CellMatch {
  const match = new CellMatch();
  matchIds(match, before, after);
  const areIdsForeign = match.isEmpty;
  matchSame(match, before, after);
  const left = new Map<string, number[]>();
  for (const [index, cell] of after.entries()) {
    if (match.from(index) === undefined && cell.source !== '') left.set(keyOf(cell), [...(left.get(keyOf(cell)) ?? []), index]);
  }
  for (const [index, cell] of before.entries()) {
    const to = match.to(index) === undefined ? left.get(keyOf(cell))?.shift() : undefined;
    if (to !== undefined) match.add(index, to);
  }
  if (areIdsForeign) matchAlike(match, before, after);
  return match;
}

function keyOf(cell: Cell): string {
  return `${cell.type}\n${cell.source}`;
}

/** Which unmatched cells may be matched. */
export interface Open {
  from(index: number): boolean;
  to(index: number): boolean;
}

const ALL: Open = { from: () => true, to: () => true };

/** Matches cells of equal type and source that stand, in the same order, between the same matched ones. */
export function matchSame(match: CellMatch, before: readonly Cell[], after: readonly Cell[], open: Open = ALL): void {
  const numbers = new Numbers();
  const [first, second] = [numbers.of(before.map(keyOf)), numbers.of(after.map(keyOf))];
  for (const { from, to } of gapsOf(match, before.length, after.length, open)) {
    const hunks = hunksOf(
      from.map((index) => first[index] as number),
      to.map((index) => second[index] as number),
    );
    let [at, there] = [0, 0];
    for (const hunk of [...hunks, { start: from.length, end: 0, to: 0 }]) {
      while (at < hunk.start) match.add(from[at++] as number, to[there++] as number);
      [at, there] = [hunk.end, hunk.to];
    }
  }
}

interface Gap {
  readonly from: number[];
  readonly to: number[];
}

/** The unmatched cells of both that follow the same matched one, or begin the list. */
function gapsOf(match: CellMatch, before: number, after: number, open: Open): Gap[] {
  const gaps = new Map<number, Gap>();
  const behind = (last: number): Gap => {
    const gap = gaps.get(last) ?? { from: [], to: [] };
    gaps.set(last, gap);
    return gap;
  };
  let last = -1;
  for (let index = 0; index < before; index++) {
    const to = match.to(index);
    if (to !== undefined) last = to;
    else if (open.from(index)) behind(last).from.push(index);
  }
  last = -1;
  for (let index = 0; index < after; index++) {
    if (match.from(index) !== undefined) last = index;
    else if (open.to(index)) behind(last).to.push(index);
  }
  return [...gaps.values()].filter(({ from, to }) => from.length > 0 && to.length > 0);
}

/** From this on two cells are taken for two versions of one, in the same place and elsewhere: 1 is all words, 0 none. */
const ALIKE = 0.5;
const VERY_ALIKE = 0.7;
/** Beyond this many pairs nothing is compared: cells that were rewritten in such numbers are others. */
const MOST_PAIRS = 250_000;

/** Matches what is left, those that are most alike first, and of equals those that have as many before them. */
function matchAlike(match: CellMatch, before: readonly Cell[], after: readonly Cell[]): void {
  const gaps = gapsOf(match, before.length, after.length, ALL).map(({ from, to }) => ({ from: new Set(from), to: new Set(to) }));
  const from = [...before.keys()].filter((index) => match.to(index) === undefined);
  const to = [...after.keys()].filter((index) => match.from(index) === undefined);
  if (from.length * to.length > MOST_PAIRS) return;
  const others = to.map((index) => ({ index, words: wordsOf((after[index] as Cell).source) }));
  const pairs = from.flatMap((index, place) => {
    const words = wordsOf((before[index] as Cell).source);
    const gap = gaps.find((each) => each.from.has(index));
    return others.flatMap((other, otherPlace) => {
      if (before[index]?.type !== after[other.index]?.type) return [];
      const value = likeness(words, other.words);
      const isAlike = value >= (gap?.to.has(other.index) ? ALIKE : VERY_ALIKE);
      return isAlike ? [{ from: index, to: other.index, value, distance: Math.abs(place - otherPlace) }] : [];
    });
  });
  for (const pair of pairs.sort((a, b) => b.value - a.value || a.distance - b.distance)) {
    if (match.to(pair.from) === undefined && match.from(pair.to) === undefined) match.add(pair.from, pair.to);
  }
}

interface Words {
  readonly counts: ReadonlyMap<string, number>;
  readonly total: number;
}

/** Of longer cells the beginning is looked at. */
const MOST_TEXT = 10_000;

function wordsOf(source: string): Words {
  const counts = new Map<string, number>();
  const words = source.slice(0, MOST_TEXT).match(/\w+|[^\w\s]/g) ?? [];
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return { counts, total: words.length };
}

/** The words that two have in common, as a part of all. */
function likeness(a: Words, b: Words): number {
  let common = 0;
  for (const [word, count] of a.counts) common += Math.min(count, b.counts.get(word) ?? 0);
  return a.total + b.total === 0 ? 1 : (2 * common) / (a.total + b.total);
}
