import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { BinderyError } from '@bindery/wire/errors.ts';

/** A fresh random key, 32 characters of base64url (192 bits). */
export function newKey(): string {
  return randomBytes(24).toString('base64url');
}

/** sha256 in hex: what is kept of a key that somebody else holds. */
export function keyHash(key: string): string {
  return hash('sha256', key, 'hex');
}

/** Compares in a time that tells nothing about where two texts differ. */
export function sameSecret(given: string, known: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', known, 'buffer'));
}

/** A secret for one purpose, made from a key so that nothing else has to be stored. */
export function derived(key: string, purpose: string): Buffer {
  return createHmac('sha256', key).update(purpose).digest();
}

/**
 * The key in this file, made where there is none; readable by its owner only, also when it was not before. Only the
 * process that holds the folder (state-lock.ts) may ask.
 */
export async function keyIn(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (known.trim() !== '') {
    if (!/^[\w-]{32}$/.test(known.trim()))
      throw new BinderyError('config_invalid', `${path} holds no key.`, { hint: 'Delete it: the next start makes a fresh one.' });
    await chmod(path, 0o600);
    return known.trim();
  }
  const key = newKey();
  await writeFile(`${path}.new`, `${key}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return key;
}
