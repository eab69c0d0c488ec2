import { BinderyError } from '@bindery/wire/errors.ts';
import type { Instant } from '@bindery/wire/ids.ts';

/** The instant that `--as-of` means: a day with all that came out on it, an instant, or the commit's own. Throws `request_invalid`. */
export function asOfInstant(asOf: string | undefined, committedAt: Instant): Instant | undefined {
  if (asOf === undefined || asOf === '') return undefined;
  if (asOf === 'commit') return new Date(committedAt).toISOString();
  const day = /^\d{4}-\d{2}-\d{2}$/.test(asOf);
  const at = day || /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(asOf) ? Date.parse(asOf) : NaN;
  // Date.parse takes the 31st of a shorter month for the 1st of the next.
  if (Number.isNaN(at) || (day && new Date(at).toISOString().slice(0, 10) !== asOf))
    throw new BinderyError('request_invalid', `“${asOf.slice(0, 60)}” is not a date.`, {
      hint: 'Give --as-of as 2024-03-31, as 2024-03-31T12:00:00Z, or as commit.',
    });
  return new Date(day ? at + 86_400_000 - 1 : at).toISOString();
}
