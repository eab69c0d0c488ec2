import * as Y from 'yjs';

/** How many are merged in one go: Yjs's own merge takes time with the square of their number. */
const BRANCH = 64;

/** Many updates of one document as one; none is the empty update. Linear in their size, unlike one call of `Y.mergeUpdates`. */
export function mergeUpdates(updates: readonly Uint8Array[]): Uint8Array {
  let level = updates;
  while (level.length > 1) {
    const merged: Uint8Array[] = [];
    for (let start = 0; start < level.length; start += BRANCH) merged.push(Y.mergeUpdates(level.slice(start, start + BRANCH)));
    level = merged;
  }
  return level[0] ?? EMPTY;
}

/** No structs, nothing deleted. */
const EMPTY = new Uint8Array([0, 0]);
