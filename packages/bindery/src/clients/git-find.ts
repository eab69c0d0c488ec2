import { BinderyError } from '@bindery/wire/errors.ts';
import type { Git } from './git.ts';
import { listRefs, noSuchRef, refNames, type RefCall, type RemoteRef } from './git-refs.ts';

/** What is looked for: a ref, and the path after it in the address, into which the ref's name may reach. */
export interface Wanted {
  readonly ref: string;
  readonly path: string | undefined;
}

export interface Found {
  readonly commit: string;
  /** Full name of the branch or tag, if it was one. */
  readonly name?: string;
  /** What is left of the path. */
  readonly path: string | undefined;
  readonly note?: string;
}

/** Ref names in an address reach at most this many segments into its path. */
const DEEPEST = 8;

/**
 * Which commit a ref means on a remote now: a full commit id stands for itself (whether it is there shows when it is
 * fetched); else exactly `refs/heads/X`, `refs/tags/X` (peeled) or the full name; else the start of one commit that a
 * branch or tag leads to.
 */
export async function findRef(git: Git, url: string, wanted: Wanted, call: RefCall): Promise<Found> {
  if (isCommit(wanted.ref)) return { commit: wanted.ref.toLowerCase(), path: wanted.path };
  const readings = readingsOf(wanted);
  const refs = await listRefs(
    git,
    url,
    readings.flatMap(({ ref }) => refNames(ref)),
    call,
  );
  for (const { ref, path } of readings)
    for (const name of refNames(ref)) {
      const hit = refs.get(name);
      if (hit) return { commit: hit.id, ...namesOf(hit), path };
    }
  const all = await listRefs(git, url, [], call);
  const short = shortened(wanted.ref, all, url);
  if (short) return { commit: short, path: wanted.path, note: `${wanted.ref} is commit ${short}.` };
  throw noSuchRef(wanted.ref, url, all);
}

/** A whole commit id, sha1 or sha256. */
export function isCommit(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref);
}

/** Every way to divide `ref/path` in two, the shortest ref first: Git allows no two branches of which one begins the other. */
export function readingsOf({ ref, path }: Wanted): Wanted[] {
  const rest = path === undefined || path === '' || ref === 'HEAD' ? [] : path.split('/');
  const further = rest.slice(0, DEEPEST).map((_, index) => ({
    ref: [ref, ...rest.slice(0, index + 1)].join('/'),
    path: rest.slice(index + 1).join('/'),
  }));
  return [{ ref, path }, ...further.filter((reading) => /^[^\s~^:?*[\\]+$/.test(reading.ref))];
}

function namesOf(ref: RemoteRef): { name?: string } {
  if (ref.name !== 'HEAD') return { name: ref.name };
  return { name: ref.target ?? 'HEAD' };
}

function shortened(ref: string, refs: ReadonlyMap<string, RemoteRef>, url: string): string | undefined {
  if (!/^[0-9a-f]{7,63}$/i.test(ref)) return undefined;
  const ids = new Set([...refs.values()].map(({ id }) => id).filter((id) => id.startsWith(ref.toLowerCase())));
  if (ids.size > 1)
    throw new BinderyError('ref_not_found', `Several commits of ${url} begin with ${ref}.`, { hint: 'Give the whole commit id.' });
  return [...ids][0];
}
