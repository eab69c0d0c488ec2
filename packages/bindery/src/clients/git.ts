import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { run, type RunResult } from '../base/run.ts';
import { sameUser, type Reach, type Worker } from '../base/worker.ts';
import { publicHostsOnly, type HostCheck } from './git-hosts.ts';
import { sshWay, type SshWay } from './git-ssh.ts';

/** One run of git. Folders that it needs beside `reach` must be named: it may see nothing else. */
export interface GitCall extends Reach {
  /** Work tree or bare repository to run in. */
  readonly folder?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The address it contacts, if it does. */
  readonly remote?: string;
  /** Protocols open to this run; none if not given. */
  readonly protocols?: readonly string[];
  readonly onLine?: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes of output that are kept. */
  readonly keepBytes?: number;
  readonly input?: string | Buffer;
}

/** Runs git with an environment of its own: no configuration, hook, helper, prompt or filter of anybody else's. */
export type Git = (args: readonly string[], call: GitCall) => Promise<RunResult>;

/** Settings that no configuration of a repository can undo. */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.autocrlf=false',
  'core.symlinks=true',
  'core.quotePath=false',
  'core.protectNTFS=true',
  'protocol.ext.allow=never',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'fetch.writeCommitGraph=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'credential.helper=',
  'http.lowSpeedLimit=100',
  'http.lowSpeedTime=60',
  'advice.detachedHead=false',
  'init.defaultBranch=main',
  'init.templateDir=',
  'safe.directory=*',
].flatMap((setting) => ['-c', setting]);

/** What a company's network needs, in every spelling that git and curl read. */
const NETWORK = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const AUTHORITIES = ['GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE'];
const OWN = ['HOME', 'SSH_AUTH_SOCK', 'USER', 'LOGNAME'];

/** The hub's git, as its configuration wants it. */
export function hubGit(worker: Worker, { git, folders }: Pick<Config, 'git' | 'folders'>): Git {
  const { sshKey, knownHosts, privateHosts } = git;
  const ssh = () => sshWay(worker, { sshKey, knownHosts, folder: join(folders.state, 'ssh') });
  return makeGit(worker, process.env, ssh, privateHosts === false ? publicHostsOnly(process.env) : undefined);
}

/**
 * @param inherited the hub's own environment, of which only proxies, authorities and (unless lowered) the user's ssh are passed on.
 * @param ssh how ssh addresses are reached; default: as the hub's user reaches them.
 * @param checkHost what is asked before a remote is contacted.
 */
export function makeGit(
  worker: Worker,
  inherited: Readonly<Record<string, string | undefined>>,
  ssh: () => Promise<SshWay> = () => sshWay(sameUser, { folder: '' }),
  checkHost?: HostCheck,
): Git {
  const lowered = worker.uid !== undefined;
  const names = [...NETWORK, ...AUTHORITIES, ...(lowered ? [] : OWN)];
  const passed = Object.fromEntries(names.flatMap((name) => (inherited[name] === undefined ? [] : [[name, inherited[name]]])));
  const base: Record<string, string> = {
    HOME: '/nonexistent',
    ...passed,
    PATH: (lowered ? undefined : inherited['PATH']) ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_AUTHOR_NAME: 'Bindery',
    GIT_AUTHOR_EMAIL: 'bindery@localhost',
    GIT_COMMITTER_NAME: 'Bindery',
    GIT_COMMITTER_EMAIL: 'bindery@localhost',
  };
  const authorities = AUTHORITIES.flatMap((name) => passed[name] ?? []).filter((path) => existsSync(path));
  return async (args, call) => {
    const bound = call.remote === undefined || checkHost === undefined ? [] : await checkHost(call.remote);
    const way = call.remote?.startsWith('ssh:') ? await ssh() : undefined;
    const by = way === undefined ? [] : ['-c', `core.sshCommand=${way.command}`];
    const argv: [string, ...string[]] = [
      'git',
      ...SETTINGS,
      ...by,
      ...bound,
      ...(call.folder === undefined ? [] : ['-C', call.folder]),
      ...args,
    ];
    const reach = {
      read: [...(call.read ?? []), ...(lowered ? authorities : []), ...(way?.read ?? [])],
      write: call.write ?? [],
      files: way?.files ?? [],
    };
    const result = await run(worker.lower(argv, reach), {
      env: { ...base, GIT_ALLOW_PROTOCOL: (call.protocols ?? []).join(':'), ...way?.env, ...call.env },
      timeoutMs: call.timeoutMs,
      signal: call.signal,
      ...(call.keepBytes === undefined ? {} : { keepBytes: call.keepBytes }),
      ...(call.onLine === undefined ? {} : { onLine: call.onLine }),
      ...(call.input === undefined ? {} : { input: call.input }),
    });
    // what it was about to say is no fault of the repository; a lowered one's end is told by a code
    if (!result.timedOut && (result.signal === 'SIGKILL' || result.code === 128 + constants.signals.SIGKILL))
      throw new BinderyError('fetch_failed', 'Git was killed while it worked, by somebody or for want of memory.');
    return result;
  };
}

/**
 * Options and folders that reach a repository on this machine. Git refuses to serve folders of other owners unless told;
 * `upload-pack` runs nothing of what it serves.
 */
export const LOCAL_UPLOAD = '--upload-pack=git -c safe.directory=* -c core.hooksPath=/dev/null upload-pack';
