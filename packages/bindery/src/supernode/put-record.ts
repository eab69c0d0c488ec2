import { isDeepStrictEqual } from 'node:util';
import type { Fields } from '@bindery/rtc/tables/fields.ts';
import type { Patch, RecordOf, Table } from '@bindery/rtc/tables/table.ts';

/** Makes a record say this, of fields that are written as a whole: only what it says otherwise is written. Where there is none it is made, with `fresh`. */
export function putRecord<F extends Fields>(
  table: Table<F>,
  id: string,
  fields: Partial<RecordOf<F>>,
  fresh: Partial<RecordOf<F>> = {},
): void {
  const known = table.get(id);
  if (!known) {
    table.create({ ...fields, ...fresh }, { id });
    return;
  }
  const wrong = Object.entries(fields).filter(([name, value]) => !isDeepStrictEqual(known[name], value));
  if (wrong.length > 0) table.update(id, Object.fromEntries(wrong) as Patch<F>);
}
