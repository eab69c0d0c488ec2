import { diffArrays, diffChars } from 'diff';
import type * as Y from 'yjs';

/** A part of a list, and what stands for it in another: `[start, end)` became `[from, to)`. */
interface Hunk {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Edits beyond which two lists count as different from their first difference to their last: the work grows with the square. */
const MOST_EDITS = 1000;
/** The same for the characters of lines that changed: more of them are other words, not an edit. */
const MOST_CHARACTER_EDITS = 300;
/** Most comparisons; the longer the two are, the fewer edits are looked for. */
const MOST_WORK = 50_000_000;

function mostEdits(most: number, before: { readonly length: number }, after: { readonly length: number }): number {
  return Math.min(most, Math.ceil(MOST_WORK / (before.length + after.length)));
}

/** Where `after` differs from `before`: as little as possible, or all between the first difference and the last where that is too much work. */
export function hunksOf(before: readonly number[], after: readonly number[]): Hunk[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let [end, to] = [before.length, after.length];
  while (end > start && to > start && before[end - 1] === after[to - 1]) [end, to] = [end - 1, to - 1];
  if (start === end && start === to) return [];
  const [cut, put] = [before.slice(start, end), after.slice(start, to)];
  const changes = diffArrays(cut, put, { maxEditLength: mostEdits(MOST_EDITS, cut, put) });
  if (!changes) return [{ start, end, from: start, to }];
  const hunks: Hunk[] = [];
  let [at, there] = [start, start];
  for (const { count, added, removed } of changes) {
    const next = { start: at, end: at + (added ? 0 : count), from: there, to: there + (removed ? 0 : count) };
    [at, there] = [next.end, next.to];
    if (!added && !removed) continue;
    const last = hunks.at(-1);
    if (last?.end === next.start && last.to === next.from) hunks[hunks.length - 1] = { ...last, end: next.end, to: next.to };
    else hunks.push(next);
  }
  return hunks;
}

/** Numbers for things, equal ones for equal keys, so that comparing them costs the same however long they are. */
export class Numbers {
  readonly #known = new Map<string, number>();

  of(keys: readonly string[]): number[] {
    return keys.map((key) => {
      const number = this.#known.get(key) ?? this.#known.size;
      this.#known.set(key, number);
      return number;
    });
  }
}

const LINES = /[^\n\r]*(?:\r\n|\n|\r)|[^\n\r]+$/g;
const LAST_END = /(?:\r\n|\n|\r)$/;

function linesOf(text: string): string[] {
  return text.match(LINES) ?? [];
}

/** What became of a text: `theirs` lists the regions of theirs that are not in it. */
export interface MergedText {
  readonly text: string;
  readonly theirs: readonly string[];
}

/**
 * Two versions of a text in one, by lines; `base` is what both came from, if that is known. What only one changed is taken; what both put in at
 * one place stands one after the other; a change wins over a deletion. Of a region that both changed, ours stays.
 */
export function mergedText(base: string | undefined, ours: string, theirs: string): MergedText {
  if (theirs === base || theirs === ours) return { text: ours, theirs: [] };
  if (ours === base) return { text: theirs, theirs: [] };
  if (base === undefined) return unrelated(ours, theirs);
  const sides = [base, ours, theirs];
  // A last line that has no end would be another line when something follows it.
  const end = /\r\n|\n|\r/.exec(sides.join(''))?.[0] ?? '\n';
  const isEndless = (text: string): boolean => text !== '' && !LAST_END.test(text);
  const lists = sides.map((text) => linesOf(isEndless(text) ? text + end : text)) as [string[], string[], string[]];
  const merged = mergedLines(...lists);
  const [before, mine, other] = sides.map(isEndless);
  const endless = ours === '' ? other : theirs === '' ? mine : mine === before ? other : mine;
  const text = merged.lines.join('');
  return { text: endless ? text.replace(LAST_END, '') : text, theirs: merged.theirs };
}

/** Nothing is known of where they come from: they are one only if one has all lines of the other. */
function unrelated(ours: string, theirs: string): MergedText {
  const numbers = new Numbers();
  const hunks = hunksOf(numbers.of(linesOf(ours)), numbers.of(linesOf(theirs)));
  if (hunks.every((hunk) => hunk.from === hunk.to)) return { text: ours, theirs: [] };
  if (hunks.every((hunk) => hunk.start === hunk.end)) return { text: theirs, theirs: [] };
  return { text: ours, theirs: [theirs] };
}

interface MergedLines {
  readonly lines: string[];
  readonly theirs: string[];
}

/** One version's changes of the base. */
class Side {
  readonly hunks: readonly Hunk[];
  readonly #lines: readonly string[];

  constructor(base: readonly number[], numbers: readonly number[], lines: readonly string[]) {
    this.hunks = hunksOf(base, numbers);
    this.#lines = lines;
  }

  /** What stands there for a part of the base that begins and ends outside of all changes but these. */
  between(hunks: readonly Hunk[], start: number, end: number): string[] {
    const [first, last] = [hunks[0] as Hunk, hunks.at(-1) as Hunk];
    return this.#lines.slice(first.from - (first.start - start), last.to + (end - last.end));
  }

  /** Whether all of these changes are in one of the other's, as they are when the two were merged before. */
  areWithin(hunks: readonly Hunk[], other: Side): boolean {
    return hunks.every((hunk) => {
      const { start, end } = hunk;
      return other.hunks.some((each) => each.start <= start && end <= each.end && other.#put(each).includes(this.#put(hunk)));
    });
  }

  #put({ from, to }: Hunk): string {
    return `\n${this.#lines.slice(from, to).join('')}`;
  }
}

function mergedLines(base: string[], ours: string[], theirs: string[]): MergedLines {
  const numbers = new Numbers();
  const known = numbers.of(base);
  const sides = { ours: new Side(known, numbers.of(ours), ours), theirs: new Side(known, numbers.of(theirs), theirs) };
  const result: MergedLines = { lines: [], theirs: [] };
  let at = 0;
  for (const region of regionsOf(sides)) {
    const { lines, lost } = settled(region, sides, base);
    for (const list of [base.slice(at, region.start), lines]) for (const line of list) result.lines.push(line);
    if (lost) result.theirs.push(lost.join(''));
    at = region.end;
  }
  for (const line of base.slice(at)) result.lines.push(line);
  return result;
}

interface Sides {
  readonly ours: Side;
  readonly theirs: Side;
}

/** A part of the base with the changes in it, of which each overlaps another: they have a line in common, or put something in at one place. */
interface Region {
  readonly start: number;
  readonly end: number;
  readonly ours: readonly Hunk[];
  readonly theirs: readonly Hunk[];
}

function regionsOf({ ours, theirs }: Sides): Region[] {
  const all = [...ours.hunks.map((hunk) => ({ hunk, isOurs: true })), ...theirs.hunks.map((hunk) => ({ hunk, isOurs: false }))];
  all.sort((a, b) => a.hunk.start - b.hunk.start || a.hunk.end - b.hunk.end || Number(b.isOurs) - Number(a.isOurs));
  const regions: { start: number; end: number; ours: Hunk[]; theirs: Hunk[] }[] = [];
  for (const { hunk, isOurs } of all) {
    const last = regions.at(-1);
    const isSamePlace = last?.start === hunk.start && last.end === hunk.end;
    const region = last && (hunk.start < last.end || isSamePlace) ? last : { start: hunk.start, end: hunk.end, ours: [], theirs: [] };
    if (region !== last) regions.push(region);
    region.end = Math.max(region.end, hunk.end);
    (isOurs ? region.ours : region.theirs).push(hunk);
  }
  return regions.flatMap((region): Region[] => {
    const { ours: mine, theirs: others } = region;
    if (others.length > 0 && theirs.areWithin(others, ours)) return mine.length > 0 ? [{ ...region, theirs: [] }] : [];
    return mine.length > 0 && others.length > 0 && ours.areWithin(mine, theirs) ? [{ ...region, ours: [] }] : [region];
  });
}

interface Settled {
  readonly lines: readonly string[];
  /** What theirs says, where ours stays instead. */
  readonly lost?: readonly string[];
}

function settled({ start, end, ...hunks }: Region, sides: Sides, base: readonly string[]): Settled {
  const lines = (side: 'ours' | 'theirs'): string[] => sides[side].between(hunks[side], start, end);
  if (hunks.theirs.length === 0) return { lines: lines('ours') };
  if (hunks.ours.length === 0) return { lines: lines('theirs') };
  if (start === end) return { lines: [...lines('ours'), ...lines('theirs')] };
  const onlyDeletes = (side: 'ours' | 'theirs'): boolean => hunks[side].every((hunk) => hunk.from === hunk.to);
  const [isOursGone, isTheirsGone] = [onlyDeletes('ours'), onlyDeletes('theirs')];
  if (isOursGone && isTheirsGone) {
    const gone = [...hunks.ours, ...hunks.theirs];
    const isLeft = (index: number): boolean => gone.every((hunk) => index < hunk.start || index >= hunk.end);
    return { lines: base.slice(start, end).filter((_line, index) => isLeft(start + index)) };
  }
  if (isOursGone) return { lines: lines('theirs') };
  return { lines: lines('ours'), ...(isTheirsGone ? {} : { lost: lines('theirs') }) };
}

/** Edits a shared text so that it says `wanted`, by as little as can be found: cursors and edits of others in the rest stay where they are. */
export function editText(text: Y.Text, wanted: string): void {
  const ours = text.toJSON();
  if (ours === wanted) return;
  if (text.length !== ours.length) {
    // Somebody put in what is no text; places in the string are none in it.
    text.delete(0, text.length);
    text.insert(0, wanted);
    return;
  }
  const [before, after] = [linesOf(ours), linesOf(wanted)];
  const numbers = new Numbers();
  const delta: Step[] = [];
  let at = 0;
  for (const { start, end, from, to } of hunksOf(numbers.of(before), numbers.of(after))) {
    const retain = lengthOf(before, at, start);
    if (retain > 0) delta.push({ retain });
    delta.push(...characters(before.slice(start, end).join(''), after.slice(from, to).join('')));
    at = end;
  }
  text.applyDelta(delta);
}

function lengthOf(lines: readonly string[], start: number, end: number): number {
  let length = 0;
  for (let index = start; index < end; index++) length += (lines[index] as string).length;
  return length;
}

interface Step {
  readonly retain?: number;
  readonly delete?: number;
  readonly insert?: string;
}

function characters(before: string, after: string): Step[] {
  const [start, end] = commonEnds(before, after);
  const [cut, put] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  const most = mostEdits(Math.min(MOST_CHARACTER_EDITS, (cut.length + put.length) / 2), cut, put);
  const changes = (cut !== '' && put !== '' && diffChars(cut, put, { maxEditLength: most })) || [
    { value: cut, added: false, removed: true },
    { value: put, added: true, removed: false },
  ];
  const inside = changes.map(({ value, added, removed }) =>
    added ? { insert: value } : removed ? { delete: value.length } : { retain: value.length },
  );
  return [{ retain: start }, ...inside, { retain: end }].filter((each) => Object.values(each).some((value) => value !== 0 && value !== ''));
}

/** How many characters two texts begin and end with together; a surrogate pair is never cut. */
function commonEnds(a: string, b: string): [number, number] {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  if (isPairCut(a, start) || isPairCut(b, start)) start--;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  if (isPairCut(a, a.length - end) || isPairCut(b, b.length - end)) end--;
  return [start, end];
}

function isPairCut(text: string, at: number): boolean {
  return at > 0 && at < text.length && (text.codePointAt(at - 1) as number) > 0xffff;
}
