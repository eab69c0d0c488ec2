import { z } from 'zod';
import { BinderyError } from './errors.ts';
import { Instant } from './ids.ts';
import { folderUrl, gitSpec, gitUrl, isScp, splitGitSpec, urlFolder } from './link-git.ts';
import { badLink, checkRef, plainText, shown } from './link-text.ts';
import { isV2, parseV2, splitGhSpec } from './link-v2.ts';
import { doiLink, ghLink, webLink } from './link-web.ts';

/** What to show first, below the session's base path. `tree` and `lab` name a file or folder of the repository. */
export const OpenPath = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('default') }),
  z.object({ kind: z.literal('lab'), path: z.string() }),
  z.object({ kind: z.literal('tree'), path: z.string() }),
  z.object({ kind: z.literal('url'), path: z.string() }),
]);
export type OpenPath = z.infer<typeof OpenPath>;

/** What was asked for; canonical and printable. `spec` is the provider's own text, decoded where the grammar says so. */
export const Link = z.object({
  provider: z.string(),
  spec: z.string(),
  open: OpenPath,
  asOf: z.union([Instant, z.literal('commit')]).optional(),
});
export type Link = z.infer<typeof Link>;

/** What text is read against. */
export interface LinkDefaults {
  /** Hosts whose pages are `gh` links; `github.com` if not given. */
  readonly githubHosts?: readonly string[];
}

/**
 * The link that any pasted text means, told by its shape alone, without network: `user/repo[/ref]`, `user/repo@ref`,
 * browser addresses of Git hosts, Git addresses of every kind, absolute folders, DOIs, and mybinder-style launch addresses.
 * Throws `link_invalid` or `link_forbidden` with what is wrong and what was meant; never anything else.
 */
export function parseLink(text: string, defaults: LinkDefaults = {}): Link {
  const plain = plainText(text.replace(/^\s*git clone\s+/, ''));
  const hosts = defaults.githubHosts ?? ['github.com'];
  if (/^[a-z0-9+.-]*::/i.test(plain)) gitUrl(plain); // throws: a remote helper
  if (plain.startsWith('/')) return rooted(plain);
  if (/^(?:\.{1,2}|~)(?:\/|$)/.test(plain))
    throw badLink(`A folder must be given by its whole path, not as ${shown(plain)}.`, 'Begin it with /, or use bindery launch.');
  if (/^https?:/i.test(plain)) return webLink(plain, hosts);
  if (/^doi:/i.test(plain) || /^10\.\d{4,9}\//.test(plain)) return doiLink(plain.replace(/^doi:\s*/i, ''));
  if (/^[a-z][a-z0-9+.-]*:/i.test(plain) && !isScp(plain)) return schemed(plain);
  if (isScp(plain)) return gitLink(plain);
  if (/^(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?\//i.test(plain)) return webLink(`https://${plain}`, hosts);
  return short(plain);
}

/** One line for people: what is opened, at which ref. */
export function describeLink(link: Link): string {
  const at = (name: string, ref: string): string => (ref === 'HEAD' ? name : `${name} at ${ref}`);
  if (link.provider === 'gh') {
    const { user, repo, ref } = splitGhSpec(link.spec);
    return at(`${user}/${repo}`, ref);
  }
  if (link.provider === 'git') {
    const { url, ref } = splitGitSpec(link.spec);
    return at(urlFolder(url) ?? url, ref);
  }
  return `${link.provider}: ${link.spec}`;
}

/**
 * Text of the command line with local folders made whole: `.`, `./x`, `~/x` and `/x` become `file:` addresses, and so does
 * `x/y` where `exists` says that there is such a folder. Everything else is returned as it is.
 */
export function wholeFolder(text: string, place: { cwd: string; home: string; exists?: (path: string) => boolean }): string {
  const plain = text.trim();
  const isHome = /^~(?:\/|$)/.test(plain);
  const isFolder = isHome || /^\.{1,2}(?:\/|$)/.test(plain) || plain.startsWith('/');
  const isName = !isFolder && /^[\w.-]+(?:\/[\w .-]+)*\/?$/.test(plain) && place.exists?.(`${place.cwd}/${plain}`) === true;
  if (!isFolder && !isName) return text;
  if (isV2(plain) && place.exists?.(plain) !== true) return text;
  const path = isHome ? place.home + plain.slice(1) : plain.startsWith('/') ? plain : `${place.cwd}/${plain}`;
  return folderUrl(path);
}

/** The same link with another ref, where its provider has refs. */
export function withRef(link: Link, ref: string): Link {
  const name = checkRef(ref);
  if (link.provider === 'gh') {
    const { user, repo } = splitGhSpec(link.spec);
    return { ...link, spec: `${user}/${repo}/${name}` };
  }
  if (link.provider === 'git') return { ...link, spec: gitSpec(splitGitSpec(link.spec).url, name) };
  throw badLink(`A ${link.provider} link has no ref to choose.`);
}

function rooted(text: string): Link {
  const cut = text.search(/[?#]/);
  const [path, query] = cut < 0 ? [text, ''] : [text.slice(0, cut), text.slice(cut).replace(/#.*$/, '')];
  if (isV2(path) && path.startsWith('/v2/')) return parseV2(path, new URLSearchParams(query));
  if (/^\/repo\/[^/]+\/[^/]+/.test(path)) return parseV2(path, new URLSearchParams(query));
  return gitLink(text);
}

function schemed(text: string): Link {
  const url = text.replace(/^git\+/i, '');
  if (!/^(?:https?|ssh|git|file):/i.test(url))
    throw new BinderyError(
      'link_forbidden',
      `Nothing is known that opens ${shown(/^[^:]*:/.exec(url)?.[0] ?? '')} addresses: ${shown(text)}`,
    );
  return gitLink(url);
}

function gitLink(text: string): Link {
  return { provider: 'git', spec: gitSpec(gitUrl(text), 'HEAD'), open: { kind: 'default' } };
}

function short(text: string): Link {
  const match = /^([\w-]+)\/([\w.-]+?)(?:@(.+)|\/(.+?))?\/?$/.exec(text);
  if (!match)
    throw badLink(
      `This is not a link: ${shown(text)}`,
      'Write user/repo, the address of a Git repository, or the whole path of a folder (beginning with / or ./).',
    );
  const [, user = '', repo = '', at, ref] = match;
  const link = ghLink([user, repo]);
  return withRef(link, at ?? ref ?? 'HEAD');
}
