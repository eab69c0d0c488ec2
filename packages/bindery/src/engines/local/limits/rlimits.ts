import type { Limits, Bounds } from './limits.ts';

/** Names of Python's `resource` module without `RLIMIT_`, and the soft and hard limit. */
export interface ResourceLimit {
  readonly name: 'CORE' | 'NOFILE' | 'DATA' | 'NPROC' | 'FSIZE';
  readonly value: number;
}

const OPEN_FILES = 65_536;

/**
 * The rlimits of a sandbox's processes (getrlimit(2)). They bound each process or each user, not the sandbox, so they are
 * generous and stand in only for what no control group bounds. DATA is what a process writes to privately: unlike the address
 * space it does not count what V8 or PyTorch only reserve. NPROC counts all processes of a user, hence `ownUser`: whether the
 * sandbox has a user id that nobody else has.
 */
export function rlimits(bounds: Bounds & { readonly disk: number }, enforced: Limits['enforced'], ownUser: boolean): ResourceLimit[] {
  return [
    { name: 'CORE', value: 0 },
    { name: 'NOFILE', value: OPEN_FILES },
    { name: 'FSIZE', value: bounds.disk },
    ...(enforced.memory ? [] : [{ name: 'DATA', value: 2 * bounds.memory } as const]),
    ...(enforced.processes || !ownUser ? [] : [{ name: 'NPROC', value: bounds.processes } as const]),
  ];
}
