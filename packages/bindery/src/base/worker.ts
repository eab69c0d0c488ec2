import { chown } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Which folders a helper program (git, uv) needs; the same paths inside as outside. */
export interface Reach {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** Files and folders that are seen elsewhere than where they lie, as far as they exist: [where they lie, where they are seen]. */
  readonly files?: readonly (readonly [string, string])[];
}

/**
 * As whom helper programs run. A hub started as root lowers them to a uid of their own in a mount namespace that shows
 * only what they need (I7: root is used for cgroups and mounts only); any other hub runs them as itself.
 */
export interface Worker {
  readonly uid: number | undefined;
  /** The command line to start `argv` lowered. Network stays the host's. */
  lower(argv: readonly [string, ...string[]], reach: Reach): [string, ...string[]];
  /** Gives a file or folder (not what lies in it) to the worker. */
  give(path: string): Promise<void>;
}

/** Runs helper programs as the hub itself. */
export const sameUser: Worker = { uid: undefined, lower: (argv) => [...argv], give: async () => {} };

const SYSTEM = [
  '/usr',
  '/etc/ssl',
  '/etc/ca-certificates',
  '/etc/resolv.conf',
  '/etc/hosts',
  '/etc/nsswitch.conf',
  '/etc/alternatives',
  '/etc/ld.so.cache',
];

/** Runs helper programs of a root hub as `uid` through bubblewrap and setpriv, without any capability. */
export function loweredTo(uid: number): Worker {
  return {
    uid,
    lower: (argv, reach) => [
      'bwrap',
      '--die-with-parent',
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      '--cap-drop',
      'ALL',
      '--cap-add',
      'CAP_SETUID',
      '--cap-add',
      'CAP_SETGID',
      '--cap-add',
      'CAP_SETPCAP',
      ...parents(SYSTEM),
      ...SYSTEM.flatMap((path) => ['--ro-bind-try', path, path]),
      ...['bin', 'sbin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      '--perms',
      '1777',
      '--tmpfs',
      '/tmp',
      ...parents([...(reach.read ?? []), ...(reach.write ?? []), ...(reach.files ?? []).map(([, seen]) => seen)]),
      ...(reach.read ?? []).flatMap((path) => ['--ro-bind', path, path]),
      ...(reach.write ?? []).flatMap((path) => ['--bind', path, path]),
      ...(reach.files ?? []).flatMap(([path, seen]) => ['--ro-bind-try', path, seen]),
      '--',
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${uid}`,
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
      '--no-new-privs',
      '--',
      ...argv,
    ],
    give: (path) => chown(path, uid, uid),
  };
}

/** Every folder above the given ones, made passable: bubblewrap would make them for root alone. */
export function parents(paths: readonly string[]): string[] {
  const above = new Set<string>();
  for (const path of paths) for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) above.add(folder);
  return [...above].toSorted().flatMap((folder) => ['--perms', '0755', '--dir', folder]);
}
