import { BinderyError } from '@bindery/wire/errors.ts';
import type { Search, Unfit } from './lock-search.ts';

const YEAR_MS = 365 * 86_400_000;

/** The error for people when no interpreter did: the reason of the one that was wanted, and what may help. */
export function explain(unfit: readonly Unfit[], { tree, asOf, now }: Pick<Search, 'tree' | 'asOf' | 'now'>): BinderyError {
  const contradiction = unfit.find(({ failure }) => failure.kind === 'unsatisfiable' && !/Python version/.test(failure.text));
  const shown = contradiction ?? unfit.find(({ failure }) => failure.kind === 'build') ?? unfit[0];
  const logTail = unfit.map(({ interpreter, failure }) => `Python ${interpreter.version}: ${failure.text}`).join('\n');
  const committed = tree.committedAt.slice(0, 10);
  const old = asOf === undefined && now - Date.parse(tree.committedAt) > YEAR_MS;
  return new BinderyError(
    'unsatisfiable',
    `The requirements cannot be met together${shown ? ` on Python ${shown.interpreter.version}: ${shown.failure.text}` : '.'}`,
    {
      hint: old
        ? `The commit is from ${committed}: launch with --as-of ${committed} to take packages as they were then.`
        : 'Change the versions that the message names.',
      logTail,
    },
  );
}
