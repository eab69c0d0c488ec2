import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../base/config.ts';
import { run } from '../../base/run.ts';
import type { Worker } from '../../base/worker.ts';
import { RUNTIME } from './place.ts';

/** Whether one thing works on this machine; if not, why, and what mends it. */
export interface Finding {
  readonly ok: boolean;
  readonly why: string;
  readonly mend?: string;
}

export interface Probe {
  readonly sandbox: Finding;
  readonly overlay: Finding;
}

/**
 * Looks by doing: starts a real sandbox and mounts a real overlay, below the state folder (some file systems cannot carry one). Takes
 * about 50 ms. `python` is asked for only where a sandbox works.
 */
export async function probe(
  python: () => Promise<string | undefined>,
  { worker, config }: { readonly worker: Worker; readonly config: Config },
): Promise<Probe> {
  const off = config.session.sandbox === 'off';
  const sandbox = off
    ? { ok: false, why: 'The sandbox is switched off (session.sandbox).', mend: 'session.sandbox: auto' }
    : await probeSandbox(worker);
  const path = sandbox.ok ? await python() : undefined;
  if (path !== undefined) return { sandbox, overlay: await probeOverlay(path, worker, config.folders.state) };
  return {
    sandbox,
    overlay: { ok: false, why: 'There is no sandbox to lay it into; packages that a session installs go to a folder of its own.' },
  };
}

async function probeSandbox(worker: Worker): Promise<Finding> {
  if (process.platform !== 'linux')
    return {
      ok: false,
      why: `Sandboxes need Linux; this is ${process.platform}.`,
      mend: 'Run Bindery in a Linux virtual machine or container host.',
    };
  const rooted = worker.uid !== undefined;
  const argv: [string, ...string[]] = [
    'bwrap',
    ...(rooted ? [] : ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000']),
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-net',
    '--cap-drop',
    'ALL',
    ...(rooted ? ['--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP'] : []),
    '--ro-bind',
    '/usr',
    '/usr',
    '--symlink',
    'usr/bin',
    '/bin',
    '--symlink',
    'usr/lib',
    '/lib',
    '--symlink',
    'usr/lib64',
    '/lib64',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--',
    ...(rooted ? ['/usr/bin/setpriv', `--reuid=${worker.uid}`, `--regid=${worker.uid}`, '--clear-groups', '--no-new-privs', '--'] : []),
    '/usr/bin/true',
  ];
  const result = await run(argv, { env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' }, timeoutMs: 10_000 }).catch(
    (error: Error) => error,
  );
  if (result instanceof Error) return { ok: false, why: 'bubblewrap is not installed.', mend: 'apt-get install bubblewrap' };
  if (result.code === 0) return { ok: true, why: 'bubblewrap starts.' };
  const reason = result.stderr.trim().split('\n').at(-1) || `exit code ${result.code}`;
  if (/uid map|namespace|No permissions to creat|Operation not permitted/i.test(reason)) {
    return {
      ok: false,
      why: `This kernel does not let users make namespaces (${reason}).`,
      mend: 'sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or sysctl user.max_user_namespaces=10000',
    };
  }
  return { ok: false, why: `bubblewrap does not start: ${reason}` };
}

async function probeOverlay(python: string, worker: Worker, folder: string): Promise<Finding> {
  const place = await mkdtemp(join(folder, 'probe-'));
  try {
    const program = [
      'import os, sys',
      `sys.path.insert(0, ${JSON.stringify(RUNTIME)})`,
      'from mounts import private_mounts',
      'base, owner, uid = sys.argv[1], *[None if word == "-" else int(word) for word in sys.argv[2:]]',
      'for name in ("lower", "upper", "work", "mount"): os.makedirs(f"{base}/{name}"); owner is not None and os.chown(f"{base}/{name}", *([owner if name == "lower" else uid] * 2))',
      'open(f"{base}/lower/file", "w").close(); owner is not None and os.chown(f"{base}/lower/file", owner, owner)',
      'private_mounts({"lower": [f"{base}/lower"], "upper": f"{base}/upper", "work": f"{base}/work", "mount": f"{base}/mount", "owner": owner, "uid": uid})',
      'os.chdir(f"{base}/mount")', // the folders above may be closed to the sandbox's user, who has no business there
      'uid is not None and (os.setgid(uid), os.setuid(uid))',
      'os.unlink("file")',
    ].join('\n');
    const ids = worker.uid === undefined ? ['-', '-'] : [String(worker.uid), String(worker.uid + 1)];
    const { chmod } = await import('node:fs/promises');
    await chmod(place, 0o755);
    const result = await run([python, '-I', '-S', '-B', '-c', program, place, ...ids], {
      env: { PATH: '/usr/bin:/bin' },
      timeoutMs: 10_000,
    });
    if (result.code === 0) return { ok: true, why: 'Environments can be laid under a session and changed there.' };
    return {
      ok: false,
      why: `An overlay cannot be mounted (${result.stderr.trim().split('\n').at(-1) ?? ''}); packages that a session installs go to a folder of its own.`,
    };
  } finally {
    await run(['chmod', '-R', 'u+rwX', '--', place], { env: { PATH: '/usr/bin:/bin' }, timeoutMs: 10_000 });
    await rm(place, { recursive: true, force: true });
  }
}
