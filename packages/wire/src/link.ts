import { z } from 'zod';
import { Instant } from './ids.ts';

/** What to show first, below the session's base path. `tree` and `lab` name a file or folder of the repository. */
export const OpenPath = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('default') }),
  z.object({ kind: z.literal('lab'), path: z.string() }),
  z.object({ kind: z.literal('tree'), path: z.string() }),
  z.object({ kind: z.literal('url'), path: z.string() }),
]);
export type OpenPath = z.infer<typeof OpenPath>;

/** What was asked for; canonical and printable. `spec` is the provider's own text, decoded where the grammar says so. */
export const Link = z.object({
  provider: z.string(),
  spec: z.string(),
  open: OpenPath,
  asOf: z.union([Instant, z.literal('commit')]).optional(),
});
export type Link = z.infer<typeof Link>;
