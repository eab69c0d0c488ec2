import { BinderyError } from '@bindery/wire/errors.ts';

/** What failed, as people are told of it. */
export function problemOf(error: unknown): BinderyError {
  return error instanceof BinderyError ? error : new BinderyError('internal', String(error));
}
