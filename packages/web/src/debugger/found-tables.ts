import * as Y from 'yjs';
import { z } from 'zod';
import type { Json } from '@bindery/rtc/json.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { register } from '@bindery/rtc/tables/fields.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { defineTable, openTables, type Definitions } from '@bindery/rtc/tables/table.ts';
import { Value, type Observable } from '@bindery/rtc/observable.ts';

const ROOT = /^table:(?<name>.+)$/;
/** Records that are looked at to find out which fields there are, and fields of a table that are shown. */
const LOOKED_AT = 200;
const MOST_FIELDS = 50;

/** The room with the tables that are found in its document, whatever program made them; another one whenever there are others. */
export function withFoundTables(room: Room<Definitions>): Observable<Room<Definitions>> {
  let said = '';
  const found = new Value(room);
  const look = (): void => {
    const fields = fieldsOf(room.doc);
    if (JSON.stringify(fields) === said) return;
    said = JSON.stringify(fields);
    const definitions = Object.entries(fields).map(([name, names]) => [name, defineTable(anyFields(names))] as const);
    const isNotebook = room.doc.share.has('cells') && room.doc.share.has('meta');
    const tables = openTables(room.doc, { ...(isNotebook ? NOTEBOOK_TABLES : {}), ...Object.fromEntries(definitions) }, room.transact);
    found.set({ ...room, tables });
  };
  room.doc.on('update', look);
  return found;
}

/** The fields that are seen in each table, by its name. */
function fieldsOf(doc: Y.Doc): Record<string, string[]> {
  const tables = [...doc.share.keys()].flatMap((root) => {
    const name = ROOT.exec(root)?.groups?.['name'];
    if (name === undefined) return [];
    const rows = [...doc.getMap(root).values()].slice(0, LOOKED_AT).filter((row) => row instanceof Y.Map);
    return [[name, [...new Set(rows.flatMap((row) => [...row.keys()]))].toSorted().slice(0, MOST_FIELDS)] as const];
  });
  return Object.fromEntries(tables.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function anyFields(names: readonly string[]): Parameters<typeof defineTable>[0] {
  return Object.fromEntries(names.map((name) => [name, register<Json>(z.json() as z.ZodType<Json>, null)]));
}
