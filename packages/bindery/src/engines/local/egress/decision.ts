import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { addressClassifier, type AddressKind } from '../../../base/addresses.ts';

/** Where a sandbox wants to go: a lower-case host name or an address without brackets, and a port. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Leave to connect to exactly these addresses (none: to the name, through the company's proxy), or why not. */
export type Verdict =
  | { readonly ok: true; readonly addresses: readonly LookupAddress[] }
  | { readonly ok: false; readonly status: 400 | 403 | 502; readonly why: string; readonly hint: string };

export interface DecisionParts {
  /** The configured index, Git and conda hosts: exact name and port. */
  readonly allowHosts: readonly Target[];
  /** All addresses of a name; rejects when there are none. */
  readonly lookup: (name: string) => Promise<readonly LookupAddress[]>;
  /** Whether a target is asked for at the company's proxy, which may know names that cannot be looked up here. */
  readonly viaProxy?: (target: Target) => boolean;
  /** The addresses of this machine now. */
  readonly ownAddresses: () => readonly string[];
}

/** Never given to a name, not even a configured one, unless that name is the address itself: it could be pointed there by whoever runs its DNS. */
const NEVER: readonly AddressKind[] = ['loopback', 'link-local', 'metadata'];

const WHY: Readonly<Record<Exclude<AddressKind, 'public'>, string>> = {
  loopback: "is the hub's own machine",
  'link-local': 'is a link-local address',
  metadata: "is a cloud's metadata service",
  host: "is the hub's own machine",
  private: 'is in a private network',
  special: 'is not a public internet address',
};

/**
 * Decides by the addresses that were looked up here, all of them; the caller connects to those very addresses, so that a name
 * cannot show one address to the decision and another to the connection.
 *
 * Every port but 25 is open: data, Git and package servers listen anywhere, and what is worth protecting is told apart by
 * address. Port 25 takes mail without asking who sends it, which makes it the one port that strangers' code is sent out to abuse.
 */
export function decider({ allowHosts, lookup, ownAddresses, viaProxy }: DecisionParts): (target: Target) => Promise<Verdict> {
  const classify = addressClassifier();
  const configured = new Set(allowHosts.map(({ host, port }) => `${host}:${port}`));
  return async ({ host, port }) => {
    if (port === 25) return no(403, `Port 25 (mail) is closed`, 'Use a mail service with an API, or port 587.');
    const isConfigured = configured.has(`${host}:${port}`);
    if (isConfigured && viaProxy?.({ host, port })) return { ok: true, addresses: [] };
    const addresses = isIP(host) ? [{ address: host, family: isIP(host) }] : await lookup(host).catch(() => []);
    if (addresses.length === 0) return no(502, `There is no address for the name ${host}`, 'Check the spelling.');
    const own = ownAddresses();
    for (const { address } of addresses) {
      const kind = classify(address, own);
      if (kind === 'public') continue;
      const itself = isIP(host) !== 0 || host === 'localhost';
      if (isConfigured && (itself || !NEVER.includes(kind))) continue;
      return no(
        403,
        `${host} ${WHY[kind]}`,
        'Sessions and builds reach public addresses and the configured package, Git and conda hosts. Ask the operator of this hub if you need more.',
      );
    }
    return { ok: true, addresses };
  };
}

function no(status: 400 | 403 | 502, why: string, hint: string): Verdict {
  return { ok: false, status, why, hint };
}

/** Parses `host:port` (RFC 3986 authority without user); `defaultPort` where it may be left out. */
export function parseAuthority(text: string, defaultPort?: number): Target | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const [, literal, name, digits] = match;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port === undefined || port < 1 || port > 65535) return undefined;
  if (literal !== undefined) return isIP(literal) === 6 ? { host: literal.toLowerCase(), port } : undefined;
  const host = (name ?? '').toLowerCase().replace(/\.$/, '');
  return host === '' || host.startsWith('-') ? undefined : { host, port };
}
