import { BinderyError } from '@bindery/wire/errors.ts';

/** Members of a list that can be asked for at once. */
export const MOST_AT_ONCE = 1000;

/** A part of a list. @throws BinderyError request_invalid for one that can't be */
export function part<T>(all: readonly T[], first: number, offset = 0): T[] {
  if (first < 0 || first > MOST_AT_ONCE || offset < 0)
    throw new BinderyError(
      'request_invalid',
      `A part of a list has 0 to ${MOST_AT_ONCE} members (first), and begins at 0 or later (offset).`,
      {
        hint: 'Ask for the rest with another offset.',
      },
    );
  return all.slice(offset, offset + first);
}
