const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A measured time: `12 ms`, `3.4 s`, `48 s`, `2 min 05 s`, `1 h 07 min`. */
export function duration(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < 99.5) return `${Math.round(whole)} ms`;
  if (whole < 9950) return `${(whole / SECOND).toFixed(1)} s`;
  const seconds = Math.round(whole / SECOND);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

/** A time that runs, for a clock that ticks once a second: `0 s`, `59 s`, `1 min 00 s`. */
export function clock(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / SECOND);
  return seconds < 10 ? `${seconds} s` : duration(seconds * SECOND);
}

/** How long ago something was, in words: `just now`, `4 minutes ago`, `yesterday`. */
export function ago(at: string, now: number): string {
  const past = now - Date.parse(at);
  if (Number.isNaN(past)) return 'at an unknown time';
  if (past < 45 * SECOND) return 'just now';
  const format = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  if (past < HOUR) return format.format(-Math.max(1, Math.round(past / MINUTE)), 'minute');
  if (past < DAY) return format.format(-Math.round(past / HOUR), 'hour');
  return format.format(-Math.round(past / DAY), 'day');
}

/** What is left until an instant, in words: `12 minutes`, `less than a minute`. */
export function left(until: string, now: number): string {
  const rest = Date.parse(until) - now;
  if (Number.isNaN(rest)) return 'an unknown time';
  if (rest < MINUTE) return 'less than a minute';
  if (rest < 90 * MINUTE) return plural(Math.floor(rest / MINUTE), 'minute');
  return plural(Math.round(rest / HOUR), 'hour');
}

/** Bytes for people, in powers of 1024: `312 MB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `1 file`, `3 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
