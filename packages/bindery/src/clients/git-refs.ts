import { BinderyError } from '@bindery/wire/errors.ts';
import { urlFolder } from '@bindery/wire/link-git.ts';
import { LOCAL_UPLOAD, type Git } from './git.ts';
import { remoteError } from './git-errors.ts';
import { gitFolders } from './git-folder.ts';

/** A ref that a remote has. */
export interface RemoteRef {
  /** Full name: `HEAD`, `refs/heads/main`, `refs/tags/v1`, `refs/pull/1/head`. */
  readonly name: string;
  /** The object it leads to; an annotated tag is peeled to what it tags. */
  readonly id: string;
  /** For `HEAD`: the branch it stands for. */
  readonly target?: string;
}

export interface RefCall {
  readonly protocols: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const LISTED = 8 * 1024 * 1024;

/** The full names that a short name may mean, best first. Only these count: never a ref that merely ends like it. */
export function refNames(ref: string): string[] {
  if (ref === 'HEAD' || ref.startsWith('refs/')) return [ref];
  const named = /^(?:heads|tags|pull|merge-requests)\//.test(ref) ? [`refs/${ref}`] : [];
  return [`refs/heads/${ref}`, `refs/tags/${ref}`, ...named];
}

/** The refs of a remote with these full names; all branches and tags where no names are given. */
export async function listRefs(git: Git, url: string, names: readonly string[], call: RefCall): Promise<Map<string, RemoteRef>> {
  const folder = urlFolder(url);
  const which = names.length > 0 ? names.flatMap((name) => (name === 'HEAD' ? [name] : [name, `${name}^{}`])) : [];
  const options = [...(folder === undefined ? [] : [LOCAL_UPLOAD]), '--symref', '--quiet'];
  const result = await git(['ls-remote', ...options, '--', url, ...which], {
    ...call,
    remote: url,
    keepBytes: LISTED,
    ...(folder === undefined ? {} : { read: await gitFolders(folder) }),
  });
  if (result.code !== 0) throw await remoteError(result, url, call.timeoutMs / 1000);
  return parseRefs(result.stdout);
}

/** Reads the lines of `git ls-remote --symref`; what is not such a line is left out. */
export function parseRefs(text: string): Map<string, RemoteRef> {
  const refs = new Map<string, RemoteRef>();
  const targets = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [left = '', name = ''] = line.split('\t');
    if (left.startsWith('ref: ')) targets.set(name, left.slice('ref: '.length));
    else if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(left) && name) {
      const plain = name.endsWith('^{}') ? name.slice(0, -3) : name;
      const target = targets.get(plain);
      refs.set(plain, { name: plain, id: left, ...(target === undefined ? {} : { target }) });
    }
  }
  return refs;
}

/** `ref_not_found` with the names that come near, or `repository_empty`. */
export function noSuchRef(ref: string, url: string, refs: ReadonlyMap<string, RemoteRef>): BinderyError {
  if (refs.size === 0) return new BinderyError('repository_empty', `${url} has no commits yet.`);
  const names = [...refs.keys()]
    .filter((name) => /^refs\/(?:heads|tags)\//.test(name))
    .map((name) => name.replace(/^refs\/(?:heads|tags)\//, ''));
  if (ref === 'HEAD')
    return new BinderyError('ref_not_found', `${url} does not say which branch is its default.`, { hint: `Name one: ${some(names)}.` });
  const near = nearNames(ref, names);
  return new BinderyError('ref_not_found', `${url} has no branch or tag "${ref}".`, {
    hint: near.length > 0 ? `Did you mean ${some(near)}?` : `It has ${some(names)}; HEAD always names the default branch.`,
  });
}

function some(names: readonly string[]): string {
  const first = [...new Set(names)].slice(0, 5);
  return first.join(', ') + (names.length > first.length ? ' …' : '');
}

/** Names within a few edits of `ref`, or that hold it, nearest first. */
export function nearNames(ref: string, names: readonly string[]): string[] {
  const wanted = ref.toLowerCase();
  return names
    .slice(0, 5000)
    .map((name) => ({ name, distance: name.toLowerCase().includes(wanted) ? 1 : edits(wanted, name.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(ref.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)
    .map(({ name }) => name)
    .slice(0, 5);
}

/** Levenshtein distance; texts over 100 characters are as far as they are long. */
function edits(a: string, b: string): number {
  if (Math.max(a.length, b.length) > 100) return 100;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}
