import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, open, readFile } from 'node:fs/promises';

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

/** A secret for one purpose, made from the hub key so that nothing else has to be stored. */
export function derived(key: string, purpose: string): Buffer {
  return createHmac('sha256', key).update(purpose).digest();
}

/** The hub key in this file, made where there is none; readable by its owner only, also when it was not before. */
export async function hubKey(path: string): Promise<string> {
  try {
    const file = await open(path, 'wx', 0o600);
    const key = newKey();
    await file.writeFile(`${key}\n`).finally(() => file.close());
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = (await readFile(path, 'utf8')).trim();
  if (!/^[\w-]{32}$/.test(key)) throw new Error(`${path} holds no hub key; delete it to get a fresh one.`);
  await chmod(path, 0o600);
  return key;
}
