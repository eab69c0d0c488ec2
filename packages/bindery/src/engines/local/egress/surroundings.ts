import type { IndexSettings } from '../../../clients/package-index.ts';
import type { CompanyProxy } from './dial.ts';
import { parseAuthority, type Target } from './decision.ts';
import { gatewayPath, type IndexSource } from './index-gateway.ts';

/** The settings of this machine that sandboxes are to profit from without seeing them. */
export type IndexParts = Pick<IndexSettings, 'url' | 'extra' | 'environment'>;

/** Hosts that serve the files of an index under another name. */
const FILES: Readonly<Record<string, string>> = { 'pypi.org': 'files.pythonhosted.org', 'test.pypi.org': 'test-files.pythonhosted.org' };

/** Hosts and ports of addresses, for the allow list; PyPI brings the host of its files along. Local folders have none. */
export function hostsOf(urls: readonly string[]): Target[] {
  return urls.flatMap((url): Target[] => {
    const { protocol, host } = URL.canParse(url) ? new URL(url) : { protocol: '', host: '' };
    if (protocol !== 'http:' && protocol !== 'https:') return [];
    const target = parseAuthority(host, protocol === 'https:' ? 443 : 80);
    const files = target && FILES[target.host];
    return target ? [target, ...(files ? [{ host: files, port: target.port }] : [])] : [];
  });
}

/** The proxy that the machine's variables name; undefined where there is none, or one of a kind that is not spoken here (SOCKS). */
export function companyProxy(variables: Readonly<Record<string, string>>): CompanyProxy | undefined {
  const value = variables['HTTPS_PROXY'] ?? variables['HTTP_PROXY'] ?? variables['ALL_PROXY'];
  if (!value) return undefined;
  const url = value.includes('://') ? value : `http://${value}`;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return undefined;
  return { url, except: (variables['NO_PROXY'] ?? '').split(/[\s,]+/).filter(Boolean) };
}

/** The indexes that sandboxes ask through the gateway, in the order of `gatewayed`. */
export function gatewayIndexes(settings: IndexParts): IndexSource[] {
  return gatewayed(settings).map((url) => ({ url, insecure: isInsecure(url, settings.environment) }));
}

/** What pip and uv in a sandbox go by; nothing where PyPI itself is used. Holds no credentials. */
export function indexEnvironment(settings: IndexParts, port: number): Record<string, string> {
  const through = gatewayed(settings);
  const seen = (url: string): string => (through.includes(url) ? `http://127.0.0.1:${port}${gatewayPath(through.indexOf(url), url)}` : url);
  const extra = settings.extra.filter(isHttp).map(seen).join(' ');
  const main = isHttp(settings.url) && settings.url !== 'https://pypi.org/simple' ? seen(settings.url) : undefined;
  return {
    ...(main === undefined ? {} : { PIP_INDEX_URL: main, UV_DEFAULT_INDEX: main }),
    ...(extra === '' ? {} : { PIP_EXTRA_INDEX_URL: extra, UV_INDEX: extra }),
  };
}

/**
 * Makes programs in a sandbox trust the certificates in a file that is bound there: what a company's proxy signs with. Each has
 * its own variable; Python's own packages look at the system's certificates by none.
 */
export function certificateEnvironment(file: string): Record<string, string> {
  const names = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'NODE_EXTRA_CA_CERTS'];
  return Object.fromEntries(names.map((name) => [name, file]));
}

/** Indexes with credentials, on this machine, or whose certificates are not to be checked. */
function gatewayed({ url, extra, environment }: IndexParts): string[] {
  return [...new Set([url, ...extra])].filter((one) => {
    if (!isHttp(one)) return false;
    const { username, password, hostname } = new URL(one);
    const local = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
    return Boolean(username || password) || local || isInsecure(one, environment);
  });
}

function isInsecure(url: string, environment: IndexParts['environment']): boolean {
  const hosts = (environment['UV_INSECURE_HOST'] ?? '').split(' ');
  return hosts.includes(new URL(url).host) || hosts.includes(new URL(url).hostname);
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
