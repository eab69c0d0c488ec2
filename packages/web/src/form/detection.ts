import { BinderyError } from '@bindery/wire/errors.ts';
import { urlFolder, splitGitSpec } from '@bindery/wire/link-git.ts';
import { labToOpen, openedFile } from '@bindery/wire/link-open.ts';
import { formatV2, parseAsOf, parseV2, splitGhSpec } from '@bindery/wire/link-v2.ts';
import { parseLink, withRef } from '@bindery/wire/link.ts';
import type { Link } from '@bindery/wire/link.ts';

/** What the form's fields say. */
export interface Wish {
  readonly text: string;
  readonly ref: string;
  readonly file: string;
  /** A day, `2024-01-31`, or empty. */
  readonly asOf: string;
}

/** What the fields are taken for. */
export interface Detection {
  /** The launch page's path, if the fields mean a link. */
  readonly path?: string;
  /** What it is, in words. */
  readonly words: string;
  /** Why it is no link. */
  readonly problem?: string;
  /** The text looks finished, so that a problem may be shown while typing goes on. */
  readonly settled: boolean;
}

const NOTHING = 'A web address, user/repo, git@…, or the whole path of a folder on this machine.';

/** Tells what pasted text is, by its shape alone. */
export function detect(wish: Wish): Detection {
  const text = wish.text.trim();
  if (text === '') return { words: NOTHING, problem: 'Paste the address of a repository first.', settled: false };
  try {
    const link = wishedLink(wish);
    const { about, opens } = describeLink(link);
    return { path: formatV2(link), words: opens === '' ? about : `${about}, opens ${opens}`, settled: true };
  } catch (error) {
    if (!(error instanceof BinderyError)) throw error;
    return { words: NOTHING, problem: `${error.message} ${error.hint}`, settled: text.length > 60 || /:\/\/.+\/.|\s/.test(text) };
  }
}

function wishedLink({ text, ref, file, asOf }: Wish): Link {
  let link = parseLink(text);
  if (ref.trim() !== '') link = withRef(link, ref);
  if (file.trim() !== '') link = { ...link, open: labToOpen(file.trim()) };
  return asOf === '' ? link : { ...link, asOf: parseAsOf(asOf) };
}

/** The launch page's path of a link that somebody else wrote, if it is one. */
export function describePath(link: string): string | undefined {
  try {
    return formatV2(parseLink(link));
  } catch {
    return undefined;
  }
}

/** The link that a launch page's address means, or why it means none. */
export function readLaunchPath(path: string, search: string): Link | BinderyError {
  try {
    return parseV2(path, new URLSearchParams(search));
  } catch (error) {
    if (error instanceof BinderyError) return error;
    throw error;
  }
}

/** A link in words. */
export interface Described {
  /** Short name, for headings: `user/repo`. */
  readonly title: string;
  /** File or page that is opened first; empty for the default. */
  readonly opens: string;
  /** What it is, on one line: `GitHub repository user/repo, branch or tag “main”`. */
  readonly about: string;
}

export function describeLink(link: Link): Described {
  const { title, kind, ref } = source(link);
  const asOf =
    link.asOf === undefined ? '' : link.asOf === 'commit' ? 'packages of the commit’s date' : `packages as of ${link.asOf.slice(0, 10)}`;
  const opens = openedFile(link.open) ?? (link.open.kind === 'url' ? link.open.path : '');
  return { title, opens, about: [kind, ref, asOf].filter((part) => part !== '').join(', ') };
}

function source({ provider, spec }: Link): { title: string; kind: string; ref: string } {
  if (provider === 'gh') {
    const { user, repo, ref } = splitGhSpec(spec);
    return { title: `${user}/${repo}`, kind: `GitHub repository ${user}/${repo}`, ref: refWords(ref) };
  }
  if (provider === 'git') {
    const { url, ref } = splitGitSpec(spec);
    return { ...gitSource(url), ref: refWords(ref) };
  }
  const [first = '', ...rest] = spec.split('/');
  if (provider === 'gl') {
    const name = decodeURIComponent(first);
    return { title: name, kind: `GitLab repository ${name}`, ref: refWords(rest.join('/')) };
  }
  if (provider === 'gist')
    return { title: `${first}/${rest[0] ?? ''}`, kind: `GitHub gist of ${first}`, ref: refWords(rest.slice(1).join('/')) };
  return { title: spec, kind: `${RECORDS[provider] ?? provider} ${spec}`, ref: '' };
}

const RECORDS: Readonly<Record<string, string>> = {
  zenodo: 'Zenodo record',
  figshare: 'Figshare record',
  hydroshare: 'HydroShare resource',
  dataverse: 'Dataverse dataset',
  ckan: 'CKAN dataset',
};

function gitSource(url: string): { title: string; kind: string } {
  const folder = urlFolder(url);
  if (folder !== undefined) return { title: lastParts(folder, 1), kind: `Folder ${folder} on this machine` };
  const { host, pathname } = new URL(url.replace(/^(?:ssh|git):/, 'https:'));
  const path = decodeURIComponent(pathname)
    .replace(/^\//, '')
    .replace(/\.git$/, '');
  return { title: lastParts(path, 2), kind: `Git repository ${path} at ${host}` };
}

function lastParts(path: string, count: number): string {
  return path.split('/').filter(Boolean).slice(-count).join('/') || path;
}

function refWords(ref: string): string {
  if (ref === 'HEAD' || ref === '') return 'default branch';
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(ref) ? `commit ${ref.slice(0, 8)}` : `branch or tag “${ref}”`;
}
