/** One figure of the benchmark. `value` is what is compared with the target: a ratio `ours / peer`, or `ours` itself. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly ours: Spread;
  /** Absent where the target is absolute. */
  readonly peer?: Spread;
  /** By name, where there is more than one. */
  readonly peers?: Readonly<Record<string, Spread>> | undefined;
  /** `value` is to be at most this, or at least where the name says so; without it, the figure is only told. */
  readonly target?: number | undefined;
  readonly met?: boolean | undefined;
}

/** Of the runs of one measure. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? Number.NaN, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}
