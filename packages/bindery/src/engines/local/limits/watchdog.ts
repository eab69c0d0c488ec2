import type { EndReason } from '@bindery/wire/api.ts';

/** What a sandbox was seen to use; what was not measured is left out. Bytes; processes with threads. */
export interface Observed {
  readonly memory?: number;
  readonly processes?: number;
  readonly disk?: number;
}

export interface Verdict {
  readonly reason: EndReason & ('memory' | 'processes' | 'disk');
  /** One sentence for people. */
  readonly message: string;
}

/** Room that is left above a limit on memory and processes: what is counted by looking is never exact, and peaks of a moment are no offence. */
const TOLERANCE = 1.05;

/** Whether a sandbox must be ended because of what it uses, and what to say then. For what no control group bounds; pure. */
export function judge(observed: Observed, limits: Required<Observed>): Verdict | undefined {
  const { memory = 0, processes = 0, disk = 0 } = observed;
  if (memory > limits.memory * TOLERANCE)
    return { reason: 'memory', message: `It used ${bytes(memory)} of memory; ${bytes(limits.memory)} are allowed.` };
  if (processes > limits.processes * TOLERANCE)
    return { reason: 'processes', message: `It ran ${processes} processes and threads; ${limits.processes} are allowed.` };
  if (disk > limits.disk) return { reason: 'disk', message: `It filled ${bytes(disk)} of disk; ${bytes(limits.disk)} are allowed.` };
  return undefined;
}

/** `1.5 GiB` */
export function bytes(count: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)));
  const value = count / 2 ** (10 * power);
  return `${power === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${units[power]}`;
}
