import { access, constants, readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { BinderyError } from '@bindery/wire/errors.ts';
import { killGroup, run, start } from '../../../base/run.ts';
import { rangesOf } from '../../../base/addresses.ts';

/**
 * The network of sandboxes whose policy is `open`: slirp4netns in the sandbox's network namespace carries every protocol, and
 * packet filter rules, set from outside before it is there, close this machine's own addresses and the metadata services.
 * Nothing in the sandbox can change the rules: it has no capability over the namespace.
 *
 * The namespace must be made by somebody whose user namespace can still be entered: by bwrap itself for a root hub that gives
 * sandboxes no user namespace, else by `unshare --user --map-root-user --net -- bwrap …` without `--unshare-net`, since nobody
 * gets back into the outer one of the two user namespaces that bwrap makes for `--disable-userns`.
 */
export interface OpenNetwork {
  close(): Promise<void>;
}

/** What /etc/resolv.conf in the sandbox must name: slirp4netns asks this machine's servers there. */
export const OPEN_NAMESERVER = '10.0.2.3';

const TOOLS = ['slirp4netns', 'nft', 'nsenter', 'tail'] as const;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TUN = '/dev/net/tun';
const READY_MS = 10_000;
/** slirp4netns's own addresses beside its name server: its gateway stands for this machine. */
const SLIRP = '10.0.2.0/24';

/** Why there is no open network on this machine, in a sentence with what to do; undefined when there is. */
export async function openNetworkProblem(): Promise<string | undefined> {
  const missing: string[] = [];
  for (const tool of TOOLS) if (!(await onPath(tool))) missing.push(tool);
  if (missing.length > 0) return `The open network needs ${missing.join(' and ')}: install slirp4netns, nftables and util-linux.`;
  const refusal = await access(TUN, constants.R_OK | constants.W_OK).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
  return refusal === undefined ? undefined : `The open network needs ${TUN}, which this user cannot open (${refusal}).`;
}

/**
 * Gives the network namespace of process `pid` a way out. Await it before strangers' code runs there. The helper that carries
 * the bytes outlives the hub and ends with `pid`. Throws `sandbox_unavailable` or `start_failed`.
 */
export async function openNetwork(pid: number): Promise<OpenNetwork> {
  const problem = await openNetworkProblem();
  if (problem !== undefined) throw new BinderyError('sandbox_unavailable', problem, { hint: 'Or choose the filtered network.' });
  await closeMachine(pid);
  return carry(pid);
}

/** The rules, for `nft -f`. `own` are this machine's addresses. */
export function rules(own: readonly string[]): string {
  const closed = [...rangesOf('metadata', 'loopback', 'link-local'), SLIRP, ...own];
  const [six, four] = [closed.filter((range) => range.includes(':')), closed.filter((range) => !range.includes(':'))];
  const reject = (family: string, ranges: readonly string[]): string[] => ranges.map((range) => `${family} daddr ${range} reject`);
  return [
    'table inet bindery {',
    'chain out {',
    'type filter hook output priority 0; policy accept;',
    'oifname "lo" accept',
    `ip daddr ${OPEN_NAMESERVER} meta l4proto { tcp, udp } th dport 53 accept`,
    ...reject('ip', four),
    ...reject('ip6', six),
    '}',
    '}',
    '',
  ].join('\n');
}

async function closeMachine(pid: number): Promise<void> {
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const [ours, theirs] = await Promise.all([readlink('/proc/self/ns/user'), readlink(`/proc/${pid}/ns/user`)]);
  const user = ours === theirs ? [] : ['--preserve-credentials', '-U'];
  const enter: [string, ...string[]] = ['nsenter', ...user, '-n', '-t', String(pid), '--', 'nft', '-f', '-'];
  const set = await run(enter, { env: { PATH }, input: rules(own), timeoutMs: READY_MS });
  if (set.code !== 0) throw failed('The rules of the open network could not be set.', set.stderr);
}

/** Starts slirp4netns, which ends when its exit pipe does: the other end is held by a process that waits for `pid` to end. */
async function carry(pid: number): Promise<OpenNetwork> {
  const watch = start(['tail', `--pid=${pid}`, '-f', '/dev/null'], { env: { PATH }, stdio: ['ignore', 'pipe', 'ignore'], outlive: true });
  const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
  const slirp = start(['slirp4netns', ...options, '--ready-fd=3', '--exit-fd=4', String(pid), 'tap0'], {
    env: { PATH },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', watch.stdout],
    outlive: true,
  });
  watch.stdout?.destroy();
  let said = '';
  slirp.stderr?.on('data', (data: Buffer) => (said = (said + data.toString('utf8')).slice(-2000)));
  const close = async (): Promise<void> => {
    const ended = new Promise((resolve) =>
      slirp.exitCode === null && slirp.signalCode === null ? slirp.once('exit', resolve) : resolve(0),
    );
    killGroup(slirp);
    killGroup(watch);
    await ended;
  };
  try {
    await ready(slirp.stdio[3] as Readable, slirp);
  } catch (error) {
    await close();
    throw failed(error instanceof Error ? error.message : 'slirp4netns did not start.', said);
  }
  for (const stream of [slirp.stderr, slirp.stdio[3] as Readable]) stream?.destroy();
  return { close };
}

/** Waits until the helper says that the network is there. */
function ready(pipe: Readable, child: ReturnType<typeof start>): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('slirp4netns did not start in time.')), READY_MS);
    const end = (error?: Error): void => {
      clearTimeout(late);
      if (error) reject(error);
      else resolve();
    };
    pipe.once('data', () => end());
    child.once('error', end);
    child.once('exit', (code, signal) => end(new Error(`slirp4netns ended (${signal ?? code}).`)));
  });
}

function failed(message: string, logTail: string): BinderyError {
  return new BinderyError('start_failed', message, { logTail: logTail.trim(), hint: 'Or choose the filtered network.' });
}

async function onPath(tool: string): Promise<boolean> {
  for (const folder of PATH.split(delimiter))
    if (
      await access(join(folder, tool), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  return false;
}
