import { z } from 'zod';

/** A session's id: 16 characters of `a-z2-7`, usable as a DNS label (80 random bits). */
export const SessionId = z.string().regex(/^[a-z2-7]{16}$/);
export type SessionId = z.infer<typeof SessionId>;

/** A launch's id: the same alphabet and length as a session's, drawn apart from it. */
export const LaunchId = z.string().regex(/^[a-z2-7]{16}$/);
export type LaunchId = z.infer<typeof LaunchId>;

/** sha256 in lower-case hex, of what the name says. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/);
export type Digest = z.infer<typeof Digest>;

/** An instant as an ISO 8601 string in UTC with milliseconds, `2026-01-31T12:00:00.000Z`. */
export const Instant = z.iso.datetime();
export type Instant = z.infer<typeof Instant>;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** A fresh random id for a launch or a session. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => ALPHABET[byte & 31]).join('');
}
