import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { OPEN_NAMESERVER } from './egress/open.ts';

/** Where everything lies inside a sandbox, always: scripts, RECORD and bytecode hold these paths (DESIGN idea 1). */
export const INSIDE = {
  environment: '/srv/conda/envs/notebook',
  server: '/opt/bindery/server',
  runtime: '/opt/bindery/runtime',
  home: '/home/jovyan',
  tree: '/run/bindery/tree',
  leftovers: '/run/bindery/leftovers',
  egress: '/run/bindery/egress',
  /** Connection files and sockets of kernels. */
  kernels: '/run/bindery/kernels',
  /** uv, for who likes it better than pip. */
  tools: '/opt/bindery/bin',
  /** uv, for builds. */
  uv: '/opt/bindery/uv',
  /** What a build is told by files, and where its tools keep what they fetch. */
  work: '/run/bindery/work',
  cache: '/run/bindery/cache',
} as const;

/** Where programs find things. */
export type Paths = Readonly<Record<keyof typeof INSIDE, string>>;

/** The constant paths of a sandbox; where there is none, those at which things really lie. */
export function pathsFor(isolated: boolean, real: Partial<Paths>): Paths {
  return isolated ? INSIDE : { ...INSIDE, ...real };
}

/** One sandbox: what it sees, what it may write, what runs in it. */
export interface Sandbox {
  /** Host uid of what runs in it, for a hub started as root; undefined: the hub's own, in a user namespace. */
  readonly uid: number | undefined;
  /**
   * `none`: a network namespace with only its own loopback. `host`: for trusted tools alone (uv resolving wheels). `open`: one that
   * runtime/network.py gives a way out before anything runs in it; the word `{block}` is replaced by a file descriptor.
   */
  readonly network: 'none' | 'host' | 'open';
  /** [host path, path inside] */
  readonly read: readonly (readonly [string, string])[];
  readonly write: readonly (readonly [string, string])[];
  /** [target, path inside] */
  readonly links: readonly (readonly [string, string])[];
  /** `inherit` for what may hold a secret (an index's credentials): it must not stand in a command line. */
  readonly env: Readonly<Record<string, string>> | 'inherit';
  readonly cwd: string;
  /** Folder with passwd, group and hosts, made by `writeIdentity`. */
  readonly identity: string;
  /** Bytes of /dev/shm and of /tmp. */
  readonly shmBytes: number;
  readonly tmpBytes: number;
  /** True: the word `{seccomp}` is replaced by a file descriptor by whoever starts it. */
  readonly seccomp: boolean;
  /** True: the sandbox tells its first process on a file descriptor that replaces the word `{info}`. */
  readonly info?: boolean;
  readonly command: readonly string[];
}

const SYSTEM = [
  '/etc/ssl',
  '/etc/ca-certificates',
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/fonts',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/java-17-openjdk',
];

/** The words that start a sandbox with bubblewrap (0.8 or newer). Pure but for looking which system folders exist. */
export function sandboxArgv(box: Sandbox): string[] {
  const rooted = box.uid !== undefined;
  const binds = [...box.read, ...box.write];
  return [
    // The network must belong to a user namespace that can be entered from outside, which bwrap's own cannot (egress/open.ts).
    ...(box.network === 'open' && !rooted ? ['unshare', '--user', '--map-root-user', '--net', '--'] : []),
    'bwrap',
    ...(rooted ? [] : ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000']),
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(box.network === 'none' || (box.network === 'open' && rooted) ? ['--unshare-net'] : []),
    ...(box.info ? ['--info-fd', '{info}'] : []),
    ...(box.network === 'open' ? ['--block-fd', '{block}'] : []),
    '--hostname',
    'bindery',
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    ...(rooted ? ['--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP'] : []),
    ...(box.env === 'inherit' ? [] : ['--clearenv', ...Object.entries(box.env).flatMap(([name, value]) => ['--setenv', name, value])]),
    '--ro-bind',
    '/usr',
    '/usr',
    ...['bin', 'sbin', 'lib', 'lib32', 'lib64']
      .filter((name) => existsSync(`/${name}`))
      .flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '1777',
    '--size',
    String(box.shmBytes),
    '--tmpfs',
    '/dev/shm',
    '--perms',
    '1777',
    '--size',
    String(box.tmpBytes),
    '--tmpfs',
    '/tmp',
    '--perms',
    '0755',
    '--dir',
    '/var',
    '--symlink',
    '/tmp',
    '/var/tmp',
    '--perms',
    '0755',
    '--dir',
    '/run',
    '--perms',
    '0755',
    '--dir',
    '/etc',
    ...SYSTEM.flatMap((path) => ['--ro-bind-try', path, path]),
    ...(box.network === 'host'
      ? ['--ro-bind-try', '/etc/resolv.conf', '/etc/resolv.conf', '--ro-bind-try', '/etc/hosts', '/etc/hosts']
      : ['--ro-bind', `${box.identity}/hosts`, '/etc/hosts']),
    ...(box.network === 'open' ? ['--ro-bind', `${box.identity}/resolv.conf`, '/etc/resolv.conf'] : []),
    ...['passwd', 'group', 'nsswitch.conf'].flatMap((name) => ['--ro-bind', `${box.identity}/${name}`, `/etc/${name}`]),
    ...folders(
      binds.map(([, inside]) => inside),
      box.links.map(([, inside]) => inside),
    ),
    ...box.read.filter(([from]) => !from.startsWith('/usr/') && from !== '/usr').flatMap(([from, to]) => ['--ro-bind', from, to]),
    ...box.write.flatMap(([from, to]) => ['--bind', from, to]),
    ...box.links.flatMap(([target, path]) => ['--symlink', target, path]),
    ...(box.seccomp ? ['--seccomp', '{seccomp}'] : []),
    '--remount-ro',
    '/dev', // what lies in it has mounts of its own; the folder itself would be memory that no limit counts
    '--remount-ro',
    '/',
    '--chdir',
    box.cwd,
    '--',
    ...(rooted
      ? [
          '/usr/bin/setpriv',
          `--reuid=${box.uid}`,
          `--regid=${box.uid}`,
          '--clear-groups',
          '--inh-caps=-all',
          '--bounding-set=-all',
          '--no-new-privs',
          '--',
        ]
      : []),
    ...box.command,
  ];
}

/** Every folder above the given paths, passable for all: bubblewrap would make them for their owner alone. */
function folders(...groups: string[][]): string[] {
  const above = new Set<string>();
  for (const path of groups.flat()) for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) above.add(folder);
  const made = ['/usr', '/etc', '/tmp', '/run', '/var', '/dev', '/proc'];
  return [...above]
    .filter((folder) => !made.some((known) => folder === known || folder.startsWith('/usr/')))
    .toSorted()
    .flatMap((folder) => ['--perms', '0755', '--dir', folder]);
}

/** The small files of /etc that name the user inside. */
export function identityFiles(uid: number | undefined): Record<string, string> {
  const id = uid ?? 1000;
  return {
    passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\njovyan:x:${id}:${id}:jovyan:${INSIDE.home}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: `root:x:0:\njovyan:x:${id}:\nnogroup:x:65534:\n`,
    hosts: '127.0.0.1 localhost bindery\n::1 localhost\n',
    'resolv.conf': `nameserver ${OPEN_NAMESERVER}\n`,
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  };
}

/** The environment variables that make the user's environment come first, after repo2docker's layout (binder.md §4.3). */
export function userEnv(at: Paths, extra: Readonly<Record<string, string>>): Record<string, string> {
  return {
    HOME: at.home,
    USER: 'jovyan',
    LOGNAME: 'jovyan',
    NB_USER: 'jovyan',
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    TERM: 'xterm-256color',
    REPO_DIR: at.home,
    CONDA_DIR: '/srv/conda',
    CONDA_PREFIX: at.environment,
    NB_PYTHON_PREFIX: at.environment,
    KERNEL_PYTHON_PREFIX: at.environment,
    VIRTUAL_ENV: at.environment,
    UV_LINK_MODE: 'copy',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PYTHONUNBUFFERED: '1',
    PATH: `${at.environment}/bin:${at.home}/.local/bin:/usr/local/bin:/usr/bin:/bin:${at.tools}`,
    JUPYTER_PATH: `${at.environment}/share/jupyter`,
    ...extra,
  };
}
