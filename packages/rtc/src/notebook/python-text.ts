import { Literal, type Exact } from './literal.ts';

/** What Python's `str.splitlines` takes for the end of a line; a last line without one counts too. */
const ENDS = String.raw`\n\r\v\f\u001c-\u001e\u0085\u2028\u2029`;
const LINES = new RegExp(String.raw`[^${ENDS}]*(?:\r\n|[${ENDS}])|[^${ENDS}]+$`, 'gu');

/** Python's `text.splitlines(True)`, which nbformat cuts long strings with. */
export function splitLines(text: string): string[] {
  return text.match(LINES) ?? [];
}

/** Orders as Python orders strings: by code point, where JavaScript's order is that of UTF-16. */
function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === length) return a.length - b.length;
  const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
  // Of two units that differ, surrogates stand for code points beyond all others.
  const [leftFar, rightFar] = [left >= 0xd800 && left <= 0xdfff, right >= 0xd800 && right <= 0xdfff];
  return leftFar === rightFar ? left - right : leftFar ? 1 : -1;
}

/** JSON as nbformat writes it: keys sorted, indented by one blank, nothing escaped that need not be. */
export function pythonText(value: Exact, indent = '\n'): string {
  if (value instanceof Literal) return value.text;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const deeper = `${indent} `;
  if (Array.isArray(value)) {
    return value.length === 0 ? '[]' : `[${value.map((each: Exact) => deeper + pythonText(each, deeper)).join(',')}${indent}]`;
  }
  const object = value as { readonly [key: string]: Exact };
  const fields = Object.keys(object)
    .sort(byCodePoint)
    .map((key) => `${deeper}${JSON.stringify(key)}: ${pythonText(object[key] ?? null, deeper)}`);
  return fields.length === 0 ? '{}' : `{${fields.join(',')}${indent}}`;
}
