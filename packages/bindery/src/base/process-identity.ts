import { readFileSync } from 'node:fs';
import { runNow } from './run.ts';

/** A process for good: pids are given again, start times within one boot are not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot (field 22 of proc(5) `stat`); where there is no /proc, seconds since the epoch. */
  readonly startTime: number;
  /** Empty where there is no /proc. */
  readonly bootId: string;
}

/** Who a process is now; undefined when there is none, or it has ended and only waits to be reaped. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTime: Number(fields[19]), bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() };
  } catch {
    return process.platform === 'linux' ? undefined : toldByPs(pid);
  }
}

/** Who this process is. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startTime: 0, bootId: '' };
}

/** True when this very process still runs. */
export function isAlive(known: ProcessIdentity): boolean {
  const now = identityOf(known.pid);
  return now !== undefined && now.startTime === known.startTime && now.bootId === known.bootId;
}

/** The same from ps, which every UNIX has. */
export function toldByPs(pid: number): ProcessIdentity | undefined {
  const said = runNow(['ps', '-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' });
  const [, state = 'Z', start = ''] = /^\s*(\S+)\s+(\S.*?)\s*$/.exec(said) ?? [];
  return state.startsWith('Z') ? undefined : { pid, startTime: Date.parse(`${start} UTC`) / 1000, bootId: '' };
}
