import type { Link, OpenPath } from './link.ts';
import { gitSpec, gitUrl } from './link-git.ts';
import { labToOpen } from './link-open.ts';
import { badLink, checkRef, decoded, shown } from './link-text.ts';
import { isV2, parseV2, splitGhSpec } from './link-v2.ts';

/** A page of a Git host: whose repository, at which ref, and which file of it. */
interface Page {
  readonly repository: readonly string[];
  readonly ref?: string;
  readonly path?: string;
}

/**
 * The link behind an http(s) address as a browser shows it: a page of GitHub, GitLab, Gitea or Bitbucket, a gist, a
 * mybinder-style launch address, or simply a Git address. Nothing is looked up.
 *
 * The address of a file does not tell where the ref ends and the path begins (`tree/feature/x/docs`): the first segment is
 * taken for the ref, and resolving moves further segments over where there is no such ref.
 */
export function webLink(text: string, githubHosts: readonly string[]): Link {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw badLink(`This is not a valid address: ${shown(text)}`);
  if (url.username || url.password) gitUrl(text); // says what is wrong with it
  if (isV2(url.pathname)) return parseV2(url.pathname.slice(url.pathname.indexOf('/v2/')), url.searchParams);
  const host = url.hostname.replace(/^www\./, '');
  if (/(?:^|\.)mybinder\.org$/.test(host) && url.pathname.startsWith('/repo/')) return parseV2(url.pathname, url.searchParams);
  const parts = url.pathname.split('/').filter(Boolean).map(decoded);
  if (host === 'doi.org' || host === 'dx.doi.org') return doiLink(parts.join('/'));
  if (host === 'zenodo.org' && /^records?$/.test(parts[0] ?? '')) return doiLink(`10.5281/zenodo.${parts[1]}`);
  const mirror = githubMirror(host, parts);
  if (mirror) return ghLink(mirror);
  if (githubHosts.includes(url.host.replace(/^www\./, ''))) return ghLink(parts);
  if (host.startsWith('gist.') && githubHosts.includes(host.slice('gist.'.length))) return gistLink(url, parts);
  const page = forgePage(host, parts);
  return page
    ? gitLink(`${url.origin}/${page.repository.map(encodeURIComponent).join('/')}`, page)
    : gitLink(url.origin + url.pathname, {});
}

/** Which provider a DOI belongs to, by its registrant. */
export function doiLink(doi: string): Link {
  const provider = /^10\.5281\/zenodo\./i.test(doi)
    ? 'zenodo'
    : doi.startsWith('10.6084/')
      ? 'figshare'
      : doi.startsWith('10.4211/')
        ? 'hydroshare'
        : 'dataverse';
  return parseV2(`/v2/${provider}/${encodeURIComponent(doi)}`);
}

/** `user/repo[/…]` of GitHub: a repository or any page of it. */
export function ghLink(parts: readonly string[]): Link {
  const [user = '', name = '', kind = '', ...rest] = parts;
  const { repo } = splitGhSpec(`${user}/${name}`);
  const [ref, path] = githubPage(kind, rest);
  return { provider: 'gh', spec: `${user}/${repo}/${checkRef(ref)}`, open: labToOpen(path) };
}

function githubPage(kind: string, rest: readonly string[]): [ref: string, path: string] {
  const [first = '', second = '', third = ''] = rest;
  if (['tree', 'blob', 'raw', 'blame', 'edit', 'commits'].includes(kind)) {
    if (first === 'refs' && (second === 'heads' || second === 'tags') && third)
      return [`${first}/${second}/${third}`, rest.slice(3).join('/')];
    return [first, rest.slice(1).join('/')];
  }
  if (kind === 'commit') return [first, ''];
  if (kind === 'pull' && /^\d+$/.test(first)) return [second === 'commits' && third ? third : `refs/pull/${first}/head`, ''];
  if (kind === 'releases' && first === 'tag' && second) return [`refs/tags/${rest.slice(1).join('/')}`, ''];
  return ['HEAD', ''];
}

/** Sites that show GitHub's files under their own address. */
function githubMirror(host: string, parts: readonly string[]): string[] | undefined {
  if (host === 'raw.githubusercontent.com' && parts.length > 3) return [...parts.slice(0, 2), 'raw', ...parts.slice(2)];
  if ((host === 'nbviewer.org' || host === 'nbviewer.jupyter.org' || host === 'colab.research.google.com') && parts[0] === 'github')
    return parts.slice(1);
  return undefined;
}

function gistLink(url: URL, parts: readonly string[]): Link {
  const at = parts.findIndex((part) => /^[0-9a-f]{20,40}$/i.test(part));
  const id = parts[at]?.replace(/\.git$/, '') ?? parts.find((part) => /^[0-9a-f]{20,40}\.git$/i.test(part))?.slice(0, -4);
  if (!id) throw badLink(`This address names no gist: ${shown(url.href)}`);
  const ref = at < 0 ? undefined : parts[at + 1];
  return gitLink(`${url.origin}/${id}.git`, ref && /^[0-9a-f]{40}$/i.test(ref) ? { ref } : {});
}

/** Pages of GitLab (`/-/`), Gitea and Forgejo (`/src/branch/`), and Bitbucket (`/src/`). */
function forgePage(host: string, parts: readonly string[]): Page | undefined {
  const dash = parts.indexOf('-');
  if (dash >= 2) return { repository: gitName(parts.slice(0, dash)), ...gitlabPage(parts.slice(dash + 1)) };
  if (host === 'gitlab.com' && parts.length >= 2) return { repository: gitName(parts) };
  const [user = '', name = '', src, kind = '', ref = '', ...path] = parts;
  if (src === 'src' && ['branch', 'tag', 'commit'].includes(kind) && ref) {
    const full = { branch: `refs/heads/${ref}`, tag: `refs/tags/${ref}` }[kind] ?? ref;
    return { repository: gitName([user, name]), ref: full, path: path.join('/') };
  }
  if (host === 'bitbucket.org' && src === 'src' && kind)
    return { repository: gitName([user, name]), ref: kind, path: parts.slice(4).join('/') };
  return undefined;
}

function gitlabPage([kind = '', ref = '', ...rest]: readonly string[]): { ref?: string; path?: string } {
  if (['tree', 'blob', 'raw', 'blame', 'edit', 'commits'].includes(kind) && ref) return { ref, path: rest.join('/') };
  if (kind === 'commit' && ref) return { ref };
  if (kind === 'tags' && ref) return { ref: `refs/tags/${[ref, ...rest].join('/')}` };
  if (kind === 'merge_requests' && /^\d+$/.test(ref)) return { ref: `refs/merge-requests/${ref}/head` };
  return {};
}

function gitName(parts: readonly string[]): string[] {
  return parts.map((part, index) => (index === parts.length - 1 && !part.endsWith('.git') ? `${part}.git` : part));
}

function gitLink(url: string, page: { readonly ref?: string; readonly path?: string }): Link {
  const open: OpenPath = labToOpen(page.path ?? '');
  return { provider: 'git', spec: gitSpec(gitUrl(url), checkRef(page.ref ?? '')), open };
}
