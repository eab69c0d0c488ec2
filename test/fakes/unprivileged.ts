// Programs as a user without any rights, with the project where that user can read it.
import { relative } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const SHOWN_AT = '/mnt';
/** The uid and gid of nobody. */
export const NOBODY = 65_534;

/** Words that start a program as nobody, in a mount namespace of its own that shows the project at another place; `also` are further binds. */
export function asNobody(also: readonly (readonly [string, string])[] = []): string[] {
  const binds = [[ROOT, SHOWN_AT] as const, ...also].map(([from, to]) => `mount --bind ${quoted(from)} ${quoted(to)}`);
  const lower = `exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups -- "$@"`;
  return ['unshare', '--mount', '--', 'sh', '-c', [...binds, lower].join(' && '), 'sh'];
}

const quoted = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;

/** Where a file of the project is for that user. */
export function shown(path: string): string {
  const below = relative(ROOT, path);
  return below.startsWith('..') ? path : `${SHOWN_AT}/${below}`;
}
