import { BinderyError } from '@bindery/wire/errors.ts';
import type { LockedPackage } from '../../contracts/plan.ts';
import type { Answer } from './lock-resolve.ts';
import { nameOf } from './lock-wishes.ts';

/**
 * Packages of a lock file of the repository, with what every environment has beside them: the rest is resolved with the
 * locked versions as constraints, and never replaces one of them.
 */
export async function mergedWithLocked(
  taken: readonly LockedPackage[],
  lines: readonly string[],
  rest: (pins: readonly string[]) => Promise<Answer>,
): Promise<Answer> {
  const vouched = taken.map((one) => withGivenHashes(one, lines));
  const names = new Set(vouched.map(({ name }) => name));
  const pins = vouched.filter(({ requirement }) => requirement.includes('==')).map(({ requirement }) => requirement);
  const answer = await rest(pins);
  if ('failure' in answer) return answer;
  const all = [...vouched, ...answer.packages.filter(({ name }) => !names.has(name))];
  return { packages: all.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

/** Only files that the repository's lock file names too. Throws `unsatisfiable` where the index has other ones. */
function withGivenHashes(one: LockedPackage, lines: readonly string[]): LockedPackage {
  const given = new Set(
    lines
      .filter((line) => nameOf(line) === one.name)
      .flatMap((line) => [...line.matchAll(/--hash[= ](sha256:[0-9a-f]{64})/g)].map((match) => match[1] ?? '')),
  );
  if (given.size === 0 || one.hashes.length === 0) return one;
  const hashes = one.hashes.filter((hash) => given.has(hash));
  if (hashes.length > 0) return { ...one, hashes };
  throw new BinderyError(
    'unsatisfiable',
    `The files of ${one.name} ${one.version} on the package index are not those that the lock file names.`,
    {
      hint: 'Renew the lock file; if nobody changed it, find out who changed the files.',
    },
  );
}
