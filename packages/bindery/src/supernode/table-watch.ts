import * as Y from 'yjs';
import { AUTHOR, type Author } from '../relay/occupant.ts';

/** The origin of what somebody brought whom the server does not know to have made it. */
export const BROUGHT = 'brought';
/** What its maker is told. */
export const LOST = 'The server had lost it, and got it back from somebody else. Ask again.';

type Event = Y.YEvent<Y.AbstractType<unknown>>;

/**
 * Calls `heard` for each record of a table that changes, with the origin of whoever's transaction it was, and who that was as far as the server
 * knows. What somebody only brings, and another has made (`BROUGHT`), is not asked for by him: after a crash of the server, members give back what
 * the others made, whatever these may do. Returns what ends it.
 */
export function watchTable(doc: Y.Doc, table: string, heard: (id: string, origin: unknown, owner: string) => void): () => void {
  const root = doc.getMap(`table:${table}`);
  const listen = (events: readonly Event[], transaction: Y.Transaction): void => {
    const author = transaction.meta.get(AUTHOR) as Author | undefined;
    const brought = new Map<string, boolean>();
    for (const event of events) {
      for (const key of event.keys.keys()) {
        const id = event.path.length === 0 ? key : String(event.path[0]);
        brought.set(id, brought.get(id) === true || (author !== undefined && isBrought(event, key, author, transaction)));
      }
      if (event.path.length > 0 && event.keys.size === 0) brought.set(String(event.path[0]), brought.get(String(event.path[0])) === true);
    }
    for (const [id, isBroughtOnly] of brought) heard(id, isBroughtOnly ? BROUGHT : transaction.origin, author?.owner ?? '');
  };
  root.observeDeep(listen as Parameters<typeof root.observeDeep>[0]);
  return () => root.unobserveDeep(listen as Parameters<typeof root.observeDeep>[0]);
}

/** True for a value that came in this transaction, and was made by none of those who sent it. */
function isBrought({ target }: Event, key: string, author: Author, { beforeState }: Y.Transaction): boolean {
  const { id, deleted } = target._map.get(key) ?? {};
  return id !== undefined && deleted === false && id.clock >= (beforeState.get(id.client) ?? 0) && !author.made(id.client);
}

/**
 * True when nobody has written the record's status since it was made, and there was none of its name before: Yjs keeps in the document that a key was
 * written, whoever writes what afterwards.
 */
export function isFresh(doc: Y.Doc, table: string, id: string): boolean {
  const row = doc.getMap(`table:${table}`).get(id);
  return row instanceof Y.Map && row._item?.left === null && row._map.get('status')?.left === null;
}
