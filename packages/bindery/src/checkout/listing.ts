import type { Entry } from '../contracts/source.ts';
import { pathFromBytes } from './path-bytes.ts';

const LETTERS: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, '\\': 92 };

/** Reads `git -c core.quotePath=true ls-tree -r -l`: every file, link and submodule of a tree, in Git's order. */
export function parseListing(output: string): Entry[] {
  const entries: Entry[] = [];
  for (const line of output.split('\n')) {
    const tab = line.indexOf('\t');
    if (tab < 0) continue;
    const [mode = '', , , size = ''] = line.slice(0, tab).split(/ +/);
    entries.push({
      path: unquoted(line.slice(tab + 1)),
      type: mode === '120000' ? 'symlink' : mode === '160000' ? 'submodule' : 'file',
      executable: mode === '100755',
      size: Number.parseInt(size, 10) || 0,
    });
  }
  return entries;
}

/** A path as git prints it: as it is, or in double quotes with C escapes where it holds anything but printable ASCII. */
export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  const bytes: number[] = [];
  for (const [, escape, character = ''] of text.slice(1, -1).matchAll(/\\([0-7]{3}|.)|([^\\])/gs)) {
    if (escape === undefined) bytes.push(character.charCodeAt(0));
    else bytes.push(escape.length === 3 ? Number.parseInt(escape, 8) : (LETTERS[escape] ?? 63));
  }
  return pathFromBytes(Buffer.from(bytes));
}
