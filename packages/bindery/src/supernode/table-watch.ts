import type * as Y from 'yjs';

/** Calls `heard` for each record of a table that changes, with the origin of whoever's transaction it was. Returns what ends it. */
export function watchTable(doc: Y.Doc, table: string, heard: (id: string, origin: unknown) => void): () => void {
  const root = doc.getMap(`table:${table}`);
  const listen = (events: readonly Y.YEvent<Y.AbstractType<unknown>>[], { origin }: Y.Transaction): void => {
    const ids = events.flatMap((event) => (event.path.length === 0 ? [...event.keys.keys()] : [String(event.path[0])]));
    for (const id of new Set(ids)) heard(id, origin);
  };
  root.observeDeep(listen as Parameters<typeof root.observeDeep>[0]);
  return () => root.unobserveDeep(listen as Parameters<typeof root.observeDeep>[0]);
}
