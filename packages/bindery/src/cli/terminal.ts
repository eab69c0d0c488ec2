import { styleText, stripVTControlCharacters } from 'node:util';

/** Words that a text can be painted with; without colours they change nothing. */
export type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string) => string;

/** Where a command reads its surroundings from and writes to. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Results: what a script would read. */
  out(text: string): void;
  /** Progress and errors: what a person reads. */
  err(text: string): void;
  /** True when a person sees stderr as it is drawn. */
  readonly interactive: boolean;
  /** Columns and rows of that person's window. */
  size(): { readonly columns: number; readonly rows: number };
  /** For what goes to stderr. */
  readonly paint: Paint;
  /** For what goes to stdout. */
  readonly paintOut: Paint;
}

/** The terminal of this process. Colours follow NO_COLOR, FORCE_COLOR, TERM and whether stderr is a terminal. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosedPipe);
  return {
    env,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    interactive: stderr.isTTY && env['TERM'] !== 'dumb',
    size: () => ({ columns: stderr.columns || 80, rows: stderr.rows || 24 }),
    paint: (style, text) => styleText(style, text, { stream: stderr }),
    paintOut: (style, text) => styleText(style, text, { stream: stdout }),
  };
}

/** A reader that has gone (`| head`) is no failure of ours. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** Painting that changes nothing. */
export const plain: Paint = (_style, text) => text;

/**
 * One line of somebody else's output, safe to show: no control characters (a log must not move the cursor or set the
 * window's title), and of a line that was overwritten by carriage returns only what stood there last.
 */
export function tame(text: string): string {
  const last =
    text
      .replace(/[\r\n]+$/, '')
      .split('\r')
      .at(-1) ?? '';
  return stripVTControlCharacters(last)
    .replaceAll('\t', '  ')
    .replaceAll(/[\p{Cc}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu, '');
}

/** Cuts a line to so many columns, with an ellipsis. Characters beyond the Latin ones may count double. */
export function fit(text: string, columns: number): string {
  let used = 0;
  let kept = '';
  for (const character of text) {
    const width = (character.codePointAt(0) ?? 0) >= 0x11_00 && !/[\u2000-\u2BFF]/.test(character) ? 2 : 1;
    if (used + width > columns - 1) return measure(text) <= columns ? text : `${kept}…`;
    used += width;
    kept += character;
  }
  return text;
}

function measure(text: string): number {
  let columns = 0;
  for (const character of text) columns += (character.codePointAt(0) ?? 0) >= 0x11_00 && !/[\u2000-\u2BFF]/.test(character) ? 2 : 1;
  return columns;
}

/** Milliseconds for people: `0.3 s`, `12 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Bytes for people, in powers of 1024: `340 MB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1023.5 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value < 9.95 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Rows of text in columns as wide as their widest cell; the last column is not padded. */
export function table(rows: readonly (readonly string[])[], gap = 2): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd((widths[index] ?? 0) + gap)))
        .join('')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
