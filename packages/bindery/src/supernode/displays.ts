import * as Y from 'yjs';
import type { Json, JsonObject } from '@bindery/rtc/json.ts';

/** Ids that are remembered in one document. */
const MOST = 10_000;

/** Where an output with a display id was put: the map itself, and where a copy of it stands when its cell was moved. */
interface Shown {
  map: Y.Map<unknown>;
  readonly find: () => unknown;
}

/** What of a document can be changed later by its display id, whichever cell it is in. */
export class Displays {
  readonly #shown = new Map<string, Shown[]>();

  add(id: string, map: Y.Map<unknown>, find: () => unknown): void {
    const known = (this.#shown.get(id) ?? []).filter(({ map }) => !isGone(map));
    this.#shown.delete(id);
    this.#shown.set(id, [...known, { map, find }]);
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > MOST && oldest !== undefined) this.#shown.delete(oldest);
  }

  /** Puts other data into all outputs of this id, inside of an edit. */
  update(id: string, change: { readonly data: JsonObject; readonly metadata: JsonObject; readonly blobs?: Json }): void {
    for (const shown of this.#shown.get(id) ?? []) {
      if (isGone(shown.map)) {
        const copy = shown.find();
        if (copy instanceof Y.Map && copy.has('data')) shown.map = copy as Y.Map<unknown>;
      }
      if (isGone(shown.map)) continue;
      shown.map.set('data', change.data);
      shown.map.set('metadata', change.metadata);
      if (change.blobs !== undefined) shown.map.set('blobs', change.blobs);
      else if (shown.map.has('blobs')) shown.map.delete('blobs');
    }
  }
}

function isGone(map: Y.Map<unknown>): boolean {
  return map._item?.deleted === true;
}
