import { access, constants } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import { rangesOf } from '../../../base/addresses.ts';

// The network of sandboxes whose policy is `open`: slirp4netns in the sandbox's network namespace carries every protocol, and
// packet filter rules, set from outside before it is there, close this machine's own addresses and the metadata services.
// Nothing in the sandbox can change the rules: it has no capability over the namespace.
//
// The namespace must be made by somebody whose user namespace can still be entered: by bwrap itself for a root hub that gives
// sandboxes no user namespace, else by `unshare --user --map-root-user --net -- bwrap …` without `--unshare-net`, since nobody
// gets back into the outer one of the two user namespaces that bwrap makes for `--disable-userns`.

/** What /etc/resolv.conf in the sandbox must name: slirp4netns asks this machine's servers there. */
export const OPEN_NAMESERVER = '10.0.2.3';

const TOOLS = ['slirp4netns', 'nft', 'nsenter', 'unshare'] as const;
/** Where the supervisor looks for them. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const TUN = '/dev/net/tun';
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

/** Everything that opens a sandbox's network, as plain data for whoever starts it (runtime/network.py). */
export interface OpenNetworkOrder {
  /** Reads the rules; the word `{pid}` is a process in the namespace. */
  readonly enter: readonly string[];
  readonly rules: string;
  /** Carries the bytes until `{exit}` is closed at its other end; says on `{ready}` that the network is there. */
  readonly carry: readonly string[];
}

/** `ownUserNamespace`: whether the network namespace belongs to a user namespace other than ours. */
export function openNetworkOrder(ownUserNamespace: boolean): OpenNetworkOrder {
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const user = ownUserNamespace ? ['--preserve-credentials', '-U'] : [];
  const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
  return {
    enter: ['nsenter', ...user, '-n', '-t', '{pid}', '--', 'nft', '-f', '-'],
    rules: rules(own),
    carry: ['slirp4netns', ...options, '-r', '{ready}', '-e', '{exit}', '{pid}', 'tap0'],
  };
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
