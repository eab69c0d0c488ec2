import { BinderyError } from '@bindery/wire/errors.ts';

/**
 * Text of a file as people save them: UTF-8 with or without BOM, UTF-16 (what PowerShell's `>` writes), else Windows-1252.
 * Line ends become `\n`.
 */
export function decodeText(bytes: Uint8Array): string {
  return decode(bytes).replace(/\r\n?/g, '\n');
}

function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  // ASCII in UTF-16 without a mark: every other byte is zero.
  if (bytes.length >= 4 && bytes[0] !== 0 && bytes[1] === 0 && bytes[2] !== 0 && bytes[3] === 0)
    return new TextDecoder('utf-16le').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** A place in a file, both counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const SHOWN = 160;

/** `file_invalid` that names file, line and column, and shows the line with a mark below the column. */
export function invalidFile(place: Place, text: string, problem: string, hint?: string): BinderyError {
  const what = printable(problem);
  const lines = text.split('\n');
  const from = Math.max(1, place.line - 2);
  const width = String(place.line).length;
  const frame = lines
    .slice(from - 1, place.line)
    .map((line, index) => `${String(from + index).padStart(width)} | ${printable(line)}`)
    .concat(`${' '.repeat(width)} | ${' '.repeat(Math.min(Math.max(place.column - 1, 0), SHOWN))}^ ${what}`)
    .join('\n');
  const line = printable(lines[place.line - 1] ?? '').trim();
  return new BinderyError(
    'file_invalid',
    `${place.file}, line ${place.line}, column ${place.column}: ${what}${line === '' ? '' : `: ${line}`}`,
    { hint, logTail: frame },
  );
}

/** One line, cut, without what a terminal would act on and without the credentials of addresses. */
export function printable(line: string, most = SHOWN): string {
  // oxlint-disable-next-line no-control-regex
  const plain = line.replace(/[\t\n]/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
  const safe = plain.replace(/:\/\/[^\s/?#]*@/g, '://…@');
  return safe.length > most ? `${safe.slice(0, most)}…` : safe;
}
