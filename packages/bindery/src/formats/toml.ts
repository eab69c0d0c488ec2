import { TomlError, parse } from 'smol-toml';
import { invalidFile } from './text.ts';

/** A TOML table whose values nobody has looked at yet. */
export type Table = Readonly<Record<string, unknown>>;

/** Parses a TOML file. Throws `file_invalid` with the place of the error. */
export function parseToml(file: string, text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof TomlError) {
      const what = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document:\s*/i, '');
      throw invalidFile({ file, line: error.line, column: error.column }, text, what);
    }
    if (error instanceof RangeError) throw invalidFile({ file, line: 1, column: 1 }, text, 'it is nested too deeply');
    throw error;
  }
}

/** A member that is a table, else undefined. */
export function tableIn(table: Table | undefined, name: string): Table | undefined {
  const value = table?.[name];
  return isTable(value) ? value : undefined;
}

export function textIn(table: Table | undefined, name: string): string | undefined {
  const value = table?.[name];
  return typeof value === 'string' ? value : undefined;
}

/** A member's elements that are texts. */
export function textsIn(table: Table | undefined, name: string): string[] {
  const value = table?.[name];
  return Array.isArray(value) ? value.filter((element) => typeof element === 'string') : [];
}

/** A member's elements that are tables. */
export function tablesIn(table: Table | undefined, name: string): Table[] {
  const value = table?.[name];
  return Array.isArray(value) ? value.filter(isTable) : [];
}

export function isTable(value: unknown): value is Table {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

/** Where a text first stands in a file; for errors about values, for the parser keeps no places. */
export function placeOfText(file: string, text: string, wanted: string): { file: string; line: number; column: number } {
  const at = Math.max(0, text.indexOf(wanted));
  const before = text.slice(0, at).split('\n');
  return { file, line: before.length, column: (before.at(-1) ?? '').length + 1 };
}
