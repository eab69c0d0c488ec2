import type { Link } from './link.ts';
import { gitSpec, gitUrl, splitGitSpec } from './link-git.ts';
import { openFrom, openParameter } from './link-open.ts';
import { badLink, checkRef, decoded, plainText, shown } from './link-text.ts';
import { BinderyError } from './errors.ts';

/** Every provider whose grammar is known; a hub may offer fewer. */
export const PROVIDER_IDS = ['gh', 'gist', 'git', 'gl', 'zenodo', 'figshare', 'hydroshare', 'dataverse', 'ckan'] as const;
type ProviderId = (typeof PROVIDER_IDS)[number];

const V2 = /^(.*?)\/v2\/([a-z]+)\/(.+)$/s;

/** True for a path that has `/v2/<known provider>/<spec>` in it. */
export function isV2(path: string): boolean {
  const match = V2.exec(path);
  return match !== null && isProvider(match[2] ?? '');
}

/**
 * The link of a `/v2/{provider}/{spec}` address. `path` is the raw, still percent-encoded path of the request; what
 * stands before `/v2/` is ignored. `/repo/{user}/{repo}[/{page}]` is the older form of the same.
 */
export function parseV2(path: string, params: URLSearchParams = new URLSearchParams()): Link {
  plainText(path);
  const legacy = /^\/repo\/([^/]+)\/([^/]+)(?:\/(.*))?$/.exec(path);
  if (legacy) {
    const page = new URLSearchParams(legacy[3] ? { urlpath: decoded(legacy[3]) } : params);
    return { provider: 'gh', spec: normalSpec('gh', `${legacy[1]}/${legacy[2]}`), open: openFrom(page) };
  }
  const match = V2.exec(path);
  if (!match) throw badLink(`This is not a launch address: ${shown(path)}`, 'It looks like /v2/gh/user/repo/HEAD.');
  const [, , provider = '', spec = ''] = match;
  const asOf = params.get('as-of');
  return { provider, spec: normalSpec(provider, spec), open: openFrom(params), ...(asOf ? { asOf: parseAsOf(asOf) } : {}) };
}

/** `/v2/{provider}/{spec}` with its launch parameters: what `parseV2` reads back to the same link. */
export function formatV2(link: Link): string {
  const params = new URLSearchParams();
  const open = openParameter(link.open);
  if (open) params.set(...open);
  if (link.asOf) params.set('as-of', link.asOf);
  const query = params.toString();
  return `/v2/${link.provider}/${encodeSpec(link)}${query ? `?${query}` : ''}`;
}

/** Name of the launch page's parameter that names the session whose saved work is restored. */
export const RESTORE = 'restore';

/** A launch page's path, as `formatV2` makes it, that restores the saved work of a session. */
export function restorePath(path: string, sessionId: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${RESTORE}=${sessionId}`;
}

/** Normal form of a spec that is still percent-encoded, as it comes from an address. */
export function normalSpec(provider: string, raw: string): string {
  if (!isProvider(provider))
    throw new BinderyError('provider_unknown', `No provider is called "${shown(provider)}".`, {
      hint: `Known are ${PROVIDER_IDS.join(', ')}.`,
    });
  const spec = raw.replace(/\/+$/, '');
  if (provider === 'git') {
    const slash = spec.indexOf('/');
    const { url, ref } = splitGitSpec(slash < 0 ? spec : spec.slice(0, slash + 1) + decoded(spec.slice(slash + 1)));
    return gitSpec(url, ref);
  }
  if (provider === 'gh') return ghSpec(decoded(spec));
  if (provider === 'gl' || provider === 'ckan') return encodedFirst(provider, spec);
  if (provider === 'gist') return gistSpec(decoded(spec));
  return recordSpec(provider, decoded(spec));
}

/** Parts of a gh spec: `user/repo[/ref]`, where the ref may hold slashes. */
export function splitGhSpec(spec: string): { user: string; repo: string; ref: string } {
  const [user = '', name = '', ...rest] = spec.split('/');
  const repo = name.replace(/\.git$/i, '');
  if (!/^[A-Za-z0-9](?:[\w-]{0,38})$/.test(user) || !/^[\w.-]{1,100}$/.test(repo) || /^\.*$/.test(repo))
    throw badLink(
      `"${shown(spec)}" is not of the form user/repo/ref.`,
      name === '' && user !== ''
        ? `Did you mean ${shown(user)}/…? Name the repository too.`
        : 'For example: binder-examples/requirements/HEAD',
    );
  return { user, repo, ref: checkRef(rest.join('/')) };
}

function ghSpec(spec: string): string {
  const { user, repo, ref } = splitGhSpec(spec);
  return `${user}/${repo}/${ref}`;
}

function gistSpec(spec: string): string {
  const [user = '', id = '', ...rest] = spec.split('/');
  if (!/^[\w-]+$/.test(user) || !/^[0-9a-f]{1,64}$/i.test(id)) throw badLink(`"${shown(spec)}" is not of the form user/gist/ref.`);
  return `${user}/${id.toLowerCase()}/${checkRef(rest.join('/'))}`;
}

function encodedFirst(provider: 'gl' | 'ckan', spec: string): string {
  const slash = spec.indexOf('/');
  const first = decoded(slash < 0 ? spec : spec.slice(0, slash));
  if (provider === 'ckan') return encodeURIComponent(gitUrl(slash < 0 ? first : decoded(spec)));
  const ref = checkRef(slash < 0 ? '' : decoded(spec.slice(slash + 1)));
  if (!/^[\w.-]+(?:\/[\w.-]+)+$/.test(first))
    throw badLink(`"${shown(spec)}" is not of the form namespace%2Fproject/ref.`, 'Write the slashes of the namespace as %2F.');
  return `${encodeURIComponent(first)}/${ref}`;
}

function recordSpec(provider: string, text: string): string {
  const spec = text.replace(/^(?:https?:\/\/(?:dx\.)?doi\.org\/|doi:)/i, '');
  if (provider === 'hydroshare' && /^(?:https?:\/\/[\w.-]+\/resource\/)?[0-9a-f]{32}$/i.test(spec)) return spec.slice(-32).toLowerCase();
  if (!/^10\.\d{4,9}\/\S+$/.test(spec)) throw badLink(`"${shown(text)}" is not a DOI.`, 'For example: 10.5281/zenodo.3242074');
  return spec;
}

/** An instant, a day (its end, in UTC), or `commit`. */
export function parseAsOf(text: string): NonNullable<Link['asOf']> {
  if (text === 'commit') return 'commit';
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999Z` : text;
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(time);
  const date = new Date(isTime ? time : Number.NaN);
  const isReal = !Number.isNaN(date.valueOf()) && (time !== `${text}T23:59:59.999Z` || date.toISOString() === time);
  if (!isReal) throw badLink(`"${shown(text)}" is not a date.`, 'Write 2024-01-31, 2024-01-31T12:00:00Z, or commit.');
  return date.toISOString();
}

function encodeSpec({ provider, spec }: Link): string {
  if (provider === 'ckan') return spec;
  const segments = spec.split('/');
  const keepsFirst = provider === 'git' || provider === 'gl';
  return segments.map((part, index) => (keepsFirst && index === 0 ? part : encodeURIComponent(part))).join('/');
}

function isProvider(id: string): id is ProviderId {
  return (PROVIDER_IDS as readonly string[]).includes(id);
}
