import type { PlanTree } from '../contracts/pack.ts';
import { invalidFile } from './text.ts';

/**
 * What people should know of a program whose lines end as Windows ends them; empty for any other. One that names its interpreter cannot
 * run: the system looks for a file whose name ends with a carriage return. Without one, a shell takes that for a part of each last word.
 * @throws BinderyError file_invalid, before a build fails over a letter that nobody sees
 */
export async function lineEndNote(tree: Pick<PlanTree, 'endsLinesAsWindows'>, path: string, text: string): Promise<string> {
  if (!(await tree.endsLinesAsWindows(path))) return '';
  const [first = ''] = text.split('\n');
  if (!first.startsWith('#!'))
    return '; its lines end with CR LF, as on Windows, and a shell takes the CR for a part of each last word: save it with LF';
  const hint = `Save it with LF line ends (dos2unix ${path}), and write "${path} text eol=lf" into .gitattributes so that Git keeps them.`;
  const place = { file: path, line: 1, column: first.length + 1 };
  throw invalidFile(place, text, 'its lines end with CR LF, as on Windows: its interpreter would not be found', hint);
}
