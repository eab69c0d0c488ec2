import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { BinderyError } from '@bindery/wire/errors.ts';
import { addressClassifier } from '../base/addresses.ts';

/** Looks at where a Git address leads; gives the settings that bind git to what was seen, or throws `link_forbidden`. */
export type HostCheck = (url: string) => Promise<readonly string[]>;

const PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80', 'ssh:': '22' };

/**
 * For hubs that open anybody's links: only hosts with public addresses, or what such a link brings out of a private network
 * would lie in a stranger's session (I7). git is bound to the address that was looked up, and follows no redirect, so that
 * neither a name nor a server can lead it elsewhere afterwards. What goes through a company's proxy is left to that proxy.
 *
 * @param proxies the environment in which proxies are named
 */
export function publicHostsOnly(proxies: Readonly<Record<string, string | undefined>>, find = lookupAll): HostCheck {
  const classify = addressClassifier();
  return async (url) => {
    const { protocol, hostname, port } = new URL(url);
    if (protocol === 'file:') return [];
    const host = hostname.replace(/^\[|\]$/g, '');
    if (protocol === 'git:')
      throw new BinderyError('link_forbidden', 'This hub opens no git:// addresses.', { hint: 'Use the https:// address.' });
    const noRedirect = ['-c', 'http.followRedirects=false'];
    if (protocol !== 'ssh:' && usesProxy(protocol, proxies)) return noRedirect;
    const addresses = isIP(host) ? [host] : await find(host).catch(() => []);
    if (addresses.length === 0)
      throw new BinderyError('upstream_unreachable', `There is no address for the host ${host}.`, {
        hint: 'Check the spelling of the address.',
      });
    const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
    if (!addresses.every((address) => classify(address, own) === 'public')) throw closed(host);
    const bound = addresses.map((address) => (isIP(address) === 6 ? `[${address}]` : address)).join(',');
    const pin = isIP(host) ? [] : ['-c', `http.curloptResolve=${host}:${port || PORTS[protocol]}:${bound}`];
    return [...noRedirect, ...pin];
  };
}

function closed(host: string): BinderyError {
  return new BinderyError('link_forbidden', `${host} is not on the public internet, and this hub opens nothing else.`, {
    hint: 'Use a repository that everybody can reach, or ask the operator (git.privateHosts).',
  });
}

function usesProxy(protocol: string, proxies: Readonly<Record<string, string | undefined>>): boolean {
  const names = protocol === 'https:' ? ['https_proxy', 'HTTPS_PROXY'] : ['http_proxy'];
  return [...names, 'all_proxy', 'ALL_PROXY'].some((name) => Boolean(proxies[name]));
}

async function lookupAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
