import * as Y from 'yjs';

/** Takes an update into a document. One that is `none`, or `partial` as it needs what is not there, leaves nothing that waits for what may never come. */
export function takeIn(doc: Y.Doc, update: Uint8Array): 'whole' | 'partial' | 'none' {
  const { store } = doc;
  try {
    Y.applyUpdate(doc, update);
    return store.pendingStructs === null && store.pendingDs === null ? 'whole' : 'partial';
  } catch {
    return 'none';
  } finally {
    store.pendingStructs = null;
    store.pendingDs = null;
  }
}
