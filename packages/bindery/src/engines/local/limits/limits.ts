import { readFile } from 'node:fs/promises';
import { BinderyError } from '@bindery/wire/errors.ts';
import { ControlGroup, type GroupFiles } from './control-group.ts';
import { findV1 } from './cgroup-v1.ts';
import { findV2 } from './cgroup-v2.ts';
import { parseMembership, parseMounts } from './hierarchy.ts';

/**
 * Limits on what runs in a sandbox, by control groups where the hub may make some: cgroup v2 in a delegated subtree, or v1
 * where its controllers are writable. What no group bounds is left to rlimits (rlimits.ts) and to the supervisor's eyes (runtime/usage.py).
 * Everything about a group is plain paths, so that the process that starts a sandbox needs no knowledge of either version.
 */
export interface Limits {
  readonly kind: 'v2' | 'v1' | 'none';
  /** What groups made here really bound. */
  readonly enforced: { readonly memory: boolean; readonly cpus: boolean; readonly processes: boolean };
  /** One sentence for people: what is used, or why nothing is. */
  readonly reason: string;
  /** Makes a group; of a name that is there already, sets the bounds again. */
  create(name: string, bounds: Bounds): Promise<Group>;
  /** Names of the groups that are there, those of an earlier hub of the same scope included. */
  list(): Promise<string[]>;
  /** What the processes of a group use now; zeros for one that is not there. */
  usage(name: string): Promise<GroupUsage>;
  /** Kills whatever is in a group and removes it. Does nothing when it is not there. */
  end(name: string): Promise<void>;
}

export interface Bounds {
  /** Bytes, page cache included (the kernel gives that up first). */
  readonly memory: number;
  /** Of processor time, in processors; may be a fraction. */
  readonly cpus: number;
  /** Processes and threads together. */
  readonly processes: number;
}

export interface Group {
  readonly name: string;
  /** Write a pid, or 0 for oneself, to each of them before the program is started. */
  readonly joinFiles: readonly string[];
  /** A file with the bytes in use, page cache included. */
  readonly memoryUsage?: string;
  /** A file with a line `oom_kill N`: how many processes the kernel has killed for want of memory. */
  readonly oomEvents?: string;
}

export interface GroupUsage {
  /** Without page cache that can be given up. */
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly processes: number;
  readonly oomKills: number;
}

export interface DetectOptions {
  /** Tells this hub's groups from those of others: letters, digits, `-`. */
  readonly scope: string;
  /** Where the kernel tells of this process; another in tests. */
  readonly proc?: string;
}

/** Finds out, by trying, what can be bounded here. Never fails: what cannot be had is said in `reason`. */
export async function detectLimits({ scope, proc = '/proc' }: DetectOptions): Promise<Limits> {
  checkName(scope);
  const [mountinfo, cgroup] = await Promise.all([read(`${proc}/self/mountinfo`), read(`${proc}/self/cgroup`)]);
  const where = { mounts: parseMounts(mountinfo), membership: parseMembership(cgroup), folder: `bindery-${scope}`, proc };
  const v2 = await findV2(where);
  if (v2.files) return new GroupLimits('v2', v2.files, v2.reason);
  const v1 = await findV1(where);
  if (v1.files) return new GroupLimits('v1', v1.files, v1.reason);
  return none(`${v2.reason} ${v1.reason}`);
}

class GroupLimits implements Limits {
  readonly kind: 'v2' | 'v1';
  readonly enforced: Limits['enforced'];
  readonly reason: string;
  readonly #files: GroupFiles;

  constructor(kind: 'v2' | 'v1', files: GroupFiles, reason: string) {
    this.kind = kind;
    this.#files = files;
    this.enforced = { memory: 'memory' in files.bases, cpus: 'cpus' in files.bases, processes: 'processes' in files.bases };
    this.reason = reason;
  }

  create(name: string, bounds: Bounds): Promise<Group> {
    return this.#group(name).create(bounds);
  }

  list(): Promise<string[]> {
    return ControlGroup.list(this.#files);
  }

  usage(name: string): Promise<GroupUsage> {
    return this.#group(name).usage();
  }

  end(name: string): Promise<void> {
    return this.#group(name).end();
  }

  #group(name: string): ControlGroup {
    return new ControlGroup(this.#files, checkName(name));
  }
}

function none(reason: string): Limits {
  return {
    kind: 'none',
    enforced: { memory: false, cpus: false, processes: false },
    reason,
    create: async (name) => ({ name: checkName(name), joinFiles: [] }),
    list: async () => [],
    usage: async () => ({ memoryBytes: 0, cpuSeconds: 0, processes: 0, oomKills: 0 }),
    end: async () => {},
  };
}

function checkName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/.test(name)) throw new BinderyError('internal', `${name} cannot name a control group.`);
  return name;
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
