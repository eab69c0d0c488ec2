import { ERRORS } from '@bindery/wire/errors.ts';
import type { ErrorCode } from '@bindery/wire/errors.ts';

/** What a code means in one sentence, for headings; a newer hub may send codes that this page does not know. */
export function errorTitle(code: string): string {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].title : 'Something went wrong.';
}
