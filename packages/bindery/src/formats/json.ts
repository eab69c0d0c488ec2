import { invalidFile } from './text.ts';
import { isTable } from './toml.ts';
import type { Table } from './toml.ts';

/** Parses a JSON file that holds an object. Throws `file_invalid` with the place of the error. */
export function parseJson(file: string, text: string): Table {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    // V8 names the place as “(line 3 column 5)”; at the end of the text it does not.
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(message) ?? [];
    const lines = text.split('\n');
    const place = { file, line: Number(line ?? lines.length), column: Number(column ?? (lines.at(-1) ?? '').length + 1) };
    throw invalidFile(place, text, line === undefined ? 'the JSON text is not complete' : 'this is not JSON');
  }
  if (!isTable(value)) throw invalidFile({ file, line: 1, column: 1 }, text, 'an object was expected');
  return value;
}
