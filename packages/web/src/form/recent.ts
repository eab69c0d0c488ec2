import { z } from 'zod';

/** A launch that this browser made before. */
const Recent = z.object({ path: z.string(), title: z.string(), about: z.string() });
export type Recent = z.infer<typeof Recent>;

const KEY = 'bindery:recent';
const MOST = 6;

/** What this browser launched lately, newest first. */
export function recentLaunches(): Recent[] {
  try {
    return z.array(Recent).parse(JSON.parse(localStorage.getItem(KEY) ?? '[]'));
  } catch {
    return [];
  }
}

export function rememberRecent(launch: Recent): void {
  const kept = [launch, ...recentLaunches().filter((one) => one.path !== launch.path)].slice(0, MOST);
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Storage is closed or full: nothing is remembered.
  }
}

export function forgetRecent(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // As above.
  }
}
