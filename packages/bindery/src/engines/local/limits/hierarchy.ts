import { access, constants, mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** A mounted control group hierarchy, from /proc/self/mountinfo (proc(5)). */
export interface Mount {
  readonly version: 1 | 2;
  readonly point: string;
  /** Which part of the hierarchy is mounted there. */
  readonly root: string;
  /** Of version 1: its controllers. */
  readonly controllers: readonly string[];
}

/** Where the groups of this hub may go; given to both versions. */
export interface Where {
  readonly mounts: readonly Mount[];
  /** Group of this process by controller; version 2 has the empty name. */
  readonly membership: ReadonlyMap<string, string>;
  /** Name of the folder that holds this hub's groups. */
  readonly folder: string;
  readonly proc: string;
}

/** The control group mounts among the lines of mountinfo. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line): Mount[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ').map(unescapeOctal);
    const [type, , options = ''] = after.split(' ');
    if (root === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    return [{ version: type === 'cgroup' ? 1 : 2, point, root, controllers: options.split(',') }];
  });
}

/** Lines of /proc/self/cgroup (cgroups(7)): `4:memory:/some/group`, of version 2 `0::/some/group`. */
export function parseMembership(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    for (const name of match?.[1]?.split(',') ?? []) groups.set(name, match?.[2] ?? '/');
  }
  return groups;
}

/** The folder of a group under a mount; the mount point itself where the group lies outside of what is mounted. */
export async function folderOf(mount: Mount, group: string): Promise<string> {
  const below = relative(mount.root, group);
  const folder = below.startsWith('..') ? mount.point : join(mount.point, below);
  return access(folder, constants.F_OK).then(
    () => folder,
    () => mount.point,
  );
}

/** Makes a folder that may be there; false where it cannot be. */
export async function madeFolder(path: string): Promise<boolean> {
  return mkdir(path, { recursive: false }).then(
    () => true,
    (error: NodeJS.ErrnoException) =>
      error.code === 'EEXIST' &&
      access(path, constants.W_OK).then(
        () => true,
        () => false,
      ),
  );
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
