import type { Clock } from '../base/clock.ts';

const EVERY_MS = 1000;
/** Lines about our own cache, which tell people nothing. */
const INNER = /^(?:From |\s*[*+!=t -] \[| \* branch |.*-> (?:refs\/|FETCH_HEAD))/;

/** Passes on what git says while it fetches: a percentage at most once a second and when it is done, and all else. */
export function gitProgress(clock: Clock, tell: (line: string) => void): (line: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  return (text) => {
    const line = text.trimEnd();
    if (line === '' || INNER.test(line)) return;
    if (/\d+% \(\d/.test(line) && !line.endsWith('done.')) {
      if (clock.monotonic() - toldAt < EVERY_MS) return;
      toldAt = clock.monotonic();
    }
    tell(line);
  };
}
