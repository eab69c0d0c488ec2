/** A cell of one version or of both. */
export interface Versions {
  /** Its place in the base, in ours and in theirs; undefined where it is not. */
  readonly base: number | undefined;
  readonly ours: number | undefined;
  readonly theirs: number | undefined;
}

/** The cells, of which each is in ours or in theirs, in an order that takes what each moved and put in. If both moved some, ours counts. */
export function inOrder<T extends Versions>(cells: readonly T[]): T[] {
  const by = (version: keyof Versions, list: readonly T[]): T[] =>
    list.filter((cell) => cell[version] !== undefined).sort((a, b) => (a[version] as number) - (b[version] as number));
  const common = by('base', cells).filter((cell) => cell.ours !== undefined && cell.theirs !== undefined);
  const isAsBase = (version: keyof Versions): boolean => by(version, common).every((cell, index) => cell === common[index]);
  return !isAsBase('theirs') && isAsBase('ours')
    ? woven(by('theirs', cells), by('ours', cells), true)
    : woven(by('ours', cells), by('theirs', cells), false);
}

/** `first`, with what only `second` has behind the cell that it follows there. */
function woven<T>(first: readonly T[], second: readonly T[], isSecondBefore: boolean): T[] {
  const [inFirst, inSecond] = [new Set(first), new Set(second)];
  const behind = new Map<T | undefined, T[]>();
  let last: T | undefined;
  for (const cell of second) {
    if (inFirst.has(cell)) last = cell;
    else behind.set(last, [...(behind.get(last) ?? []), cell]);
  }
  const result: T[] = [];
  let waiting = behind.get(undefined) ?? [];
  const put = (): void => {
    result.push(...waiting);
    waiting = [];
  };
  for (const cell of first) {
    if (isSecondBefore || inSecond.has(cell)) put();
    result.push(cell);
    if (inSecond.has(cell)) waiting = behind.get(cell) ?? [];
  }
  put();
  return result;
}

/** Of different numbers, those that may stay where they are while the others move, so that all rise: the heaviest such choice. */
export function heaviestRise(numbers: readonly number[], weight: (number: number) => number): Set<number> {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranks = new Map(sorted.map((number, index) => [number, index + 1]));
  // A Fenwick tree over ranks: the heaviest rise that ends at one of the first so many.
  const tree = Array.from<number | undefined>({ length: sorted.length + 1 });
  const weights = new Map<number | undefined, number>([[undefined, 0]]);
  const before = new Map<number, number | undefined>();
  const heavier = (a: number | undefined, b: number | undefined): number | undefined =>
    (weights.get(a) as number) >= (weights.get(b) as number) ? a : b;
  for (const number of numbers) {
    const rank = ranks.get(number) as number;
    let last: number | undefined;
    for (let at = rank - 1; at > 0; at -= at & -at) last = heavier(last, tree[at]);
    before.set(number, last);
    weights.set(number, (weights.get(last) as number) + weight(number));
    for (let at = rank; at < tree.length; at += at & -at) tree[at] = heavier(tree[at], number);
  }
  let best: number | undefined;
  for (const number of numbers) best = heavier(best, number);
  const rise = new Set<number>();
  for (let at = best; at !== undefined; at = before.get(at)) rise.add(at);
  return rise;
}
