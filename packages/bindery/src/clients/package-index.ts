import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import type { Config } from '../base/config.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** From where Python packages come on this machine. Addresses may hold credentials: show `host`, store nothing of it. */
export interface IndexSettings {
  /** Address of the simple API, without a trailing slash. */
  readonly url: string;
  /** Further indexes that the machine is configured with. */
  readonly extra: readonly string[];
  /** Host of `url`, for messages. */
  readonly host: string;
  /** True when an address holds credentials: then no code of a repository may see them. */
  readonly secret: boolean;
  /** Certificates and proxies, as uv and most programs read them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Files that `environment` names. */
  readonly files: readonly string[];
  /** Takes credentials out of a text. */
  redact(text: string): string;
}

const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];

/**
 * Reads the settings, first found first: Bindery's own, uv's variables, pip's variables, uv.toml, pip.conf, PyPI.
 * Credentials that ~/.netrc has for an index are put into its address, since helper programs run without that home.
 */
export async function indexSettings(config: Config, variables: Variables, home = homedir()): Promise<IndexSettings> {
  const read = (path: string | undefined): Promise<string | undefined> =>
    path ? readFile(path, 'utf8').catch(() => undefined) : Promise.resolve(undefined);
  const uv = uvSettings(
    await read(variables['UV_CONFIG_FILE'] ?? join(variables['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'uv/uv.toml')),
  );
  const pip = await pipSettings(variables, home, read);
  const netrc = parseNetrc((await read(variables['NETRC'] ?? join(home, '.netrc'))) ?? '');
  const address = (url: string): string => withCredentials(url.replace(/\/+$/, ''), netrc);
  const url = address(
    config.python.indexUrl ??
      // one that is set to nothing is not set, to uv and pip as well
      ['UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'PIP_INDEX_URL'].map((name) => variables[name]).find(Boolean) ??
      uv.url ??
      pip.get('index-url') ??
      'https://pypi.org/simple',
  );
  const extra = config.python.indexUrl
    ? []
    : words(variables['UV_INDEX'], variables['UV_EXTRA_INDEX_URL'], variables['PIP_EXTRA_INDEX_URL'], pip.get('extra-index-url'))
        .map((word) => word.replace(/^[\w-]+=(?=\w+:\/\/)/, '')) // uv's `name=https://…`
        .concat(uv.extra)
        .map(address);
  const certificates = ['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE'].map((name) => variables[name]).find(Boolean) ?? pip.get('cert');
  const environment: Record<string, string> = {};
  if (certificates) environment['SSL_CERT_FILE'] = certificates;
  if (variables['SSL_CERT_DIR']) environment['SSL_CERT_DIR'] = variables['SSL_CERT_DIR'];
  for (const name of PROXIES) {
    const value = variables[name] ?? variables[name.toLowerCase()] ?? (name === 'HTTPS_PROXY' ? pip.get('proxy') : undefined);
    if (value) environment[name] = value;
  }
  const trusted = words(variables['UV_INSECURE_HOST'], variables['PIP_TRUSTED_HOST'], pip.get('trusted-host'));
  if (trusted.length > 0) environment['UV_INSECURE_HOST'] = trusted.join(' ');
  const secrets = [url, ...extra, ...Object.values(environment)].flatMap(secretsOf);
  return {
    url,
    extra,
    host: hostOf(url),
    secret: [url, ...extra].some((one) => secretsOf(one).length > 0),
    environment,
    files: [environment['SSL_CERT_FILE'], environment['SSL_CERT_DIR']].filter((path) => path !== undefined),
    redact: (text) => redact(text, secrets),
  };
}

/** Takes `user:password@` out of every address in a text, and the given secrets wherever they stand. */
export function redact(text: string, secrets: readonly string[] = []): string {
  const clean = text.replaceAll(/(\w:\/\/)[^\s/@"'<>]+@/g, '$1***@');
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), clean);
}

/** The address without its credentials, and the header that carries them instead. */
export function authorized(address: string): { readonly url: string; readonly headers: Record<string, string> } {
  const url = new URL(address);
  if (!url.username && !url.password) return { url: address, headers: {} };
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

function secretsOf(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { password, username } = new URL(address);
  // a token is often given as the user's name alone; a short name is no secret and would garble texts
  const secret = password || username;
  return secret.length >= 6 ? [...new Set([secret, decodeURIComponent(secret)])] : [];
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host || 'a local folder' : 'the configured address';
}

function words(...texts: readonly (string | undefined)[]): string[] {
  return texts.flatMap((text) => text?.split(/\s+/) ?? []).filter(Boolean);
}

const UvToml = z.object({
  'index-url': z.string().optional(),
  'extra-index-url': z.array(z.string()).default([]),
  index: z.array(z.object({ url: z.string(), default: z.boolean().default(false), explicit: z.boolean().default(false) })).default([]),
});

function uvSettings(text: string | undefined): { url?: string | undefined; extra: string[] } {
  if (text === undefined) return { extra: [] };
  let toml: unknown;
  try {
    toml = parseToml(text);
  } catch {
    return { extra: [] }; // not ours to judge: uv itself is run without it
  }
  const parsed = UvToml.safeParse(toml);
  if (!parsed.success) return { extra: [] };
  const { index, ...rest } = parsed.data;
  return {
    url: index.find((one) => one.default)?.url ?? rest['index-url'],
    extra: [...index.filter((one) => !one.default && !one.explicit).map((one) => one.url), ...rest['extra-index-url']],
  };
}

/** pip.conf in pip's order: the last file that sets a value wins. https://pip.pypa.io/en/stable/topics/configuration/ */
async function pipSettings(
  variables: Variables,
  home: string,
  read: (path: string | undefined) => Promise<string | undefined>,
): Promise<Map<string, string>> {
  const own = variables['PIP_CONFIG_FILE'];
  const files = [
    '/etc/pip.conf',
    join(home, '.pip/pip.conf'),
    join(variables['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'pip/pip.conf'),
    ...(own ? [own] : []),
  ];
  const found = new Map<string, string>();
  for (const text of await Promise.all(files.map(read))) for (const [key, value] of iniValues(text ?? '')) found.set(key, value);
  return found;
}

/** Values of the sections `global` and `install`; indented lines go on with the value above. */
function iniValues(text: string): [string, string][] {
  const values: [string, string][] = [];
  let wanted = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\[(.+)\]/.exec(line)?.[1];
    const pair = /^([\w-]+)\s*[=:]\s*(.*)$/.exec(line);
    if (section !== undefined) wanted = section === 'global' || section === 'install';
    else if (wanted && pair) values.push([(pair[1] ?? '').replaceAll('_', '-'), (pair[2] ?? '').trim()]);
    else if (wanted && /^\s+[^\s#;]/.test(line)) {
      const last = values.at(-1);
      if (last) last[1] = `${last[1]} ${line.trim()}`.trim();
    }
  }
  return values;
}

type Netrc = ReadonlyMap<string, { readonly login: string; readonly password: string }>;

function parseNetrc(text: string): Netrc {
  const machines = new Map<string, { login: string; password: string }>();
  const tokens = text.replaceAll(/#.*$/gm, '').split(/\s+/).filter(Boolean);
  let machine: { login: string; password: string } | undefined;
  for (let index = 0; index < tokens.length; index++) {
    const value = tokens[index + 1] ?? '';
    if (tokens[index] === 'machine') machines.set(value, (machine = { login: '', password: '' }));
    else if (machine && tokens[index] === 'login') machine.login = value;
    else if (machine && tokens[index] === 'password') machine.password = value;
    else continue;
    index++;
  }
  return machines;
}

function withCredentials(address: string, netrc: Netrc): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  const known = netrc.get(url.hostname);
  if (!known || url.username || !url.protocol.startsWith('http')) return address;
  url.username = encodeURIComponent(known.login);
  url.password = encodeURIComponent(known.password);
  return url.href.replace(/\/+$/, '');
}
