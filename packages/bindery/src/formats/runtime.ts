import { invalidFile } from './text.ts';

/** What a `runtime.txt` says: a PEP 440 specifier for Python, or that it is about another language. */
export interface Runtime {
  readonly python?: string;
  /** True when it asks for something that is not to be had. */
  readonly unsupported?: boolean;
  readonly why: string;
}

/** `python-X`, `python-X.Y` (a patch version is cut off) or `r-[X.Y-]YYYY-MM-DD`. Throws `file_invalid`. */
export function readRuntime(file: string, text: string): Runtime {
  const line = text.split('\n').findIndex((each) => each.trim() !== '');
  const word = (text.split('\n')[line] ?? '').trim();
  if (word === '') return { why: 'it is empty' };
  const match = /^python-(\d+)(?:\.(\d+))?(\.[\w.]+)?$/i.exec(word);
  if (match) {
    const [, major = '', minor, patch] = match;
    const python = minor === undefined ? `==${major}.*` : `==${major}.${minor}.*`;
    const asked = minor === undefined ? major : `${major}.${minor}`;
    return { python, why: patch === undefined ? `Python ${asked}` : `Python ${asked}; the patch version ${patch} is not looked at` };
  }
  if (/^r-(?:\d+\.\d+(?:\.\d+)?-)?\d{4}-\d{2}-\d{2}$/i.test(word)) return { unsupported: true, why: 'R is not supported yet' };
  throw invalidFile({ file, line: line + 1, column: 1 }, text, 'python-X.Y or r-X.Y-YYYY-MM-DD was expected', 'For instance: python-3.12');
}
