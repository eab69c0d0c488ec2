import * as Y from 'yjs';
import { OWNER } from '../relay/occupant.ts';

/**
 * Calls `heard` for each record of a table that changes, with the origin of whoever's transaction it was, and who that was as far as the server
 * knows. Returns what ends it.
 */
export function watchTable(doc: Y.Doc, table: string, heard: (id: string, origin: unknown, owner: string) => void): () => void {
  const root = doc.getMap(`table:${table}`);
  const listen = (events: readonly Y.YEvent<Y.AbstractType<unknown>>[], { origin, meta }: Y.Transaction): void => {
    const ids = events.flatMap((event) => (event.path.length === 0 ? [...event.keys.keys()] : [String(event.path[0])]));
    const owner: unknown = meta.get(OWNER);
    for (const id of new Set(ids)) heard(id, origin, typeof owner === 'string' ? owner : '');
  };
  root.observeDeep(listen as Parameters<typeof root.observeDeep>[0]);
  return () => root.unobserveDeep(listen as Parameters<typeof root.observeDeep>[0]);
}

/**
 * True when nobody has written the record's status since it was made, and there was none of its name before: Yjs keeps in the document that a key was
 * written, whoever writes what afterwards.
 */
export function isFresh(doc: Y.Doc, table: string, id: string): boolean {
  const row = doc.getMap(`table:${table}`).get(id);
  return row instanceof Y.Map && row._item?.left === null && row._map.get('status')?.left === null;
}
