import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';

/** How often the size of a fetch is looked at. */
const EVERY_MS = 500;

/** A signal that aborts with `tree_too_large` once the packs in a repository are larger than `maxBytes`, or as the given one does. */
export function watchSize(repository: string, maxBytes: number, signal: AbortSignal): { signal: AbortSignal; stop: () => void } {
  const tooLarge = new AbortController();
  const before = packBytes(repository);
  const timer = setInterval(() => {
    const bytes = packBytes(repository) - before;
    if (bytes > maxBytes) tooLarge.abort(tooLargeError(bytes, maxBytes));
  }, EVERY_MS);
  return { signal: AbortSignal.any([signal, tooLarge.signal]), stop: () => clearInterval(timer) };
}

export function tooLargeError(bytes: number, maxBytes: number): BinderyError {
  return new BinderyError(
    'tree_too_large',
    `The repository takes more than ${readable(Math.min(bytes, maxBytes))}; this hub takes no more.`,
    {
      hint: 'Make the repository smaller, or raise git.maxBytes.',
    },
  );
}

function readable(bytes: number): string {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${['bytes', 'KB', 'MB', 'GB'][power]}`;
}

/** There are few packs: looking at them takes microseconds. */
function packBytes(repository: string): number {
  const folder = join(repository, 'objects', 'pack');
  try {
    return readdirSync(folder).reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    return 0; // not there yet
  }
}
