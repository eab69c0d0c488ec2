import * as Y from 'yjs';

/** Whether a transaction took something out in which members wrote: what they wrote goes with it (rule T7). */
export function takesOutWritings({ deleteSet, doc }: Y.Transaction): boolean {
  for (const [client, ranges] of deleteSet.clients) {
    const structs = doc.store.clients.get(client);
    if (!structs) continue;
    for (const { clock, len } of ranges) {
      for (let index = Y.findIndexSS(structs, clock); index < structs.length; index++) {
        const struct = structs[index] as Y.Item | Y.GC;
        if (struct.id.clock >= clock + len) break;
        if (struct instanceof Y.Item && holdsWritings(struct, doc.clientID)) return true;
      }
    }
  }
  return false;
}

/** Whether anybody but the server has written in it. */
function holdsWritings({ content }: Y.Item, server: number): boolean {
  if (!(content instanceof Y.ContentType)) return false;
  const { _start, _map } = content.type;
  const isWriting = (item: Y.Item): boolean =>
    (item.content instanceof Y.ContentString && item.id.client !== server) || holdsWritings(item, server);
  for (let item = _start; item; item = item.right) if (isWriting(item)) return true;
  return [..._map.values()].some((item) => isWriting(item));
}
