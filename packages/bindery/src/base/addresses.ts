import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * What lies behind an IP address, as far as a sandbox is concerned: only `public` is open to everybody.
 * `loopback`, `link-local` and `metadata` are the machine itself and what tells its secrets; `host` is another address of
 * this machine; `private` are networks behind it; `special` is everything that no service on the internet has.
 */
export type AddressKind = 'public' | 'loopback' | 'link-local' | 'metadata' | 'host' | 'private' | 'special';

type Range = readonly [address: string, prefix: number];

/** IANA's special-purpose registries (RFC 6890 and its updates), and the fixed addresses of the clouds' metadata services. */
const RANGES: readonly (readonly [AddressKind, readonly Range[]])[] = [
  [
    'metadata',
    [
      ['169.254.169.254', 32],
      ['169.254.170.2', 32], // containers on AWS
      ['100.100.100.200', 32], // Alibaba
      ['168.63.129.16', 32], // Azure, in the midst of public addresses
      ['192.0.0.192', 32], // Oracle
      ['fd00:ec2::', 32], // AWS
      ['fd20:ce::254', 128], // Google
    ],
  ],
  [
    'loopback',
    [
      ['127.0.0.0', 8],
      ['0.0.0.0', 8], // Linux takes the unspecified address for loopback
      ['::', 127],
    ],
  ],
  [
    'link-local',
    [
      ['169.254.0.0', 16],
      ['fe80::', 10],
    ],
  ],
  [
    'private',
    [
      ['10.0.0.0', 8],
      ['100.64.0.0', 10], // carrier-grade NAT
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['fc00::', 7],
      ['fec0::', 10],
    ],
  ],
  [
    'special',
    [
      ['192.0.0.0', 24],
      ['192.0.2.0', 24], // documentation
      ['192.88.99.0', 24], // 6to4 relays
      ['198.18.0.0', 15], // benchmarks
      ['198.51.100.0', 24], // documentation
      ['203.0.113.0', 24], // documentation
      ['224.0.0.0', 4], // multicast
      ['240.0.0.0', 4], // reserved, broadcast
      ['2001::', 23], // Teredo, ORCHID, benchmarks: tunnels may lead anywhere
      ['2001:db8::', 32], // documentation
      ['2002::', 16], // 6to4 leads to the IPv4 address in it
      ['3fff::', 20], // documentation
    ],
  ],
];
/** Of IPv6 only this is given out (RFC 4291); mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) and multicast lie outside. */
const GLOBAL_IPV6: Range = ['2000::', 3];

/** Tells what kind of address one is. `own` are the addresses of this machine now. */
export type Classifier = (address: string, own: readonly string[]) => AddressKind;

/** Makes the classifier; it keeps the ranges in the form that Node looks up fast. */
export function addressClassifier(): Classifier {
  const lists = RANGES.map(([kind, ranges]) => [kind, listOf(ranges)] as const);
  const global = listOf([GLOBAL_IPV6]);
  const classify: Classifier = (address, own) => {
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
    if (mapped !== undefined) {
      const kind = classify(mapped, own);
      return kind === 'public' ? 'special' : kind;
    }
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (family === 'ipv6' && (!isIPv6(address) || address.includes('%'))) return 'link-local'; // only those have a zone
    const kind = lists.find(([, list]) => list.check(address, family))?.[0];
    if (kind) return kind;
    if (own.includes(address)) return 'host';
    return family === 'ipv6' && !global.check(address, 'ipv6') ? 'special' : 'public';
  };
  return classify;
}

/** The ranges of some kinds as `address/prefix`, for a packet filter. */
export function rangesOf(...kinds: readonly AddressKind[]): string[] {
  return RANGES.filter(([kind]) => kinds.includes(kind)).flatMap(([, ranges]) => ranges.map(([address, prefix]) => `${address}/${prefix}`));
}

function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of ranges) list.addSubnet(address, prefix, isIPv4(address) ? 'ipv4' : 'ipv6');
  return list;
}
