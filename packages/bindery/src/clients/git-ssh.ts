import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Reach, Worker } from '../base/worker.ts';

export interface SshSettings {
  /** Private key; default: what ssh finds by itself, and nothing for a lowered git. */
  readonly sshKey?: string | undefined;
  /** Keys of hosts; default: what ssh knows by itself, for a lowered git what the hub's own user knows. */
  readonly knownHosts?: string | undefined;
  /** Folder for what a lowered ssh needs; nobody else uses it. */
  readonly folder: string;
}

/** How one run of git starts ssh. */
export interface SshWay extends Pick<Reach, 'read' | 'files'> {
  /** Git has a shell read it: nothing of a link is in it. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

const ALWAYS = ['BatchMode=yes', 'ConnectTimeout=20'];
/** Read by every ssh; the host's own keys beside them stay out of sight. */
const SYSTEM = ['/etc/ssh/ssh_config', '/etc/ssh/ssh_config.d', '/etc/ssh/ssh_known_hosts'];

/**
 * An ssh that asks nothing and trusts no host that is not known: who launches a link vouches for it, not for whoever answers at its
 * address. A git that runs as the hub's user has that user's ssh. A lowered one has a home of its own with copies of the key and the
 * known hosts that the hub was told of, since it may read nothing of root's.
 */
export async function sshWay(worker: Worker, { sshKey, knownHosts, folder }: SshSettings): Promise<SshWay> {
  if (worker.uid === undefined) {
    const known = knownHosts === undefined ? [] : [`UserKnownHostsFile=${word(knownHosts)}`];
    const key = sshKey === undefined ? [] : [`IdentityFile=${word(sshKey)}`, 'IdentitiesOnly=yes'];
    return { command: command([...ALWAYS, ...known, ...key]), env: {} };
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const hosts = knownHosts ?? join(homedir(), '.ssh', 'known_hosts');
  await Promise.all([
    place(worker, folder, 'passwd', `bindery:x:${worker.uid}:${worker.uid}:Bindery:${folder}:/usr/sbin/nologin\n`),
    place(
      worker,
      folder,
      'known_hosts',
      knownHosts === undefined ? await readFile(hosts).catch(() => '') : await given(hosts, 'git.knownHosts'),
    ),
    place(worker, folder, 'key', sshKey === undefined ? '' : await given(sshKey, 'git.sshKey')),
  ]);
  await worker.give(folder);
  const own = [
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    `UserKnownHostsFile=${word(join(folder, 'known_hosts'))}`,
    'IdentitiesOnly=yes',
    `IdentityFile=${sshKey === undefined ? 'none' : word(join(folder, 'key'))}`,
  ];
  return {
    command: command([...ALWAYS, ...own]),
    env: { HOME: folder },
    read: [folder],
    files: [[join(folder, 'passwd'), '/etc/passwd'], ...SYSTEM.map((path) => [path, path] as const)],
  };
}

async function given(path: string, setting: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new BinderyError('config_invalid', `${path} cannot be read (${error.code}); ${setting} names it.`, { cause: error });
  });
}

/** Complete by rename: several runs of git may ask for the same at once. */
async function place(worker: Worker, folder: string, name: string, content: string | Buffer): Promise<void> {
  const part = join(folder, `.${name}.${randomBytes(6).toString('hex')}`);
  await writeFile(part, content, { mode: 0o600 });
  await chmod(part, 0o400);
  await worker.give(part);
  await rename(part, join(folder, name));
}

/** A path as a value of ssh's configuration. */
function word(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`;
}

function command(options: readonly string[]): string {
  return ['ssh', ...options.map((option) => `-o ${quoted(option)}`)].join(' ');
}

/** One word of a shell. */
function quoted(text: string): string {
  return /^[\w=./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
