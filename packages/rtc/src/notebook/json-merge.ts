import { equalityDeep } from 'lib0/function';
import { isObject, type Json, type JsonObject } from '../json.ts';

/** What became of two versions of a value, and what of theirs was not taken. */
export interface MergedJson<T> {
  readonly value: T;
  readonly lost: readonly Lost[];
}

export interface Lost {
  /** Where in the value it stands: keys joined by `/`. */
  readonly place: string;
  readonly theirs: Json;
}

export const isSame: (a: Json | undefined, b: Json | undefined) => boolean = equalityDeep;

/** Two versions of an object in one, by key, inside objects too. A change wins over a deletion; of two changes, ours stays. */
export function mergedObject(base: JsonObject, ours: JsonObject, theirs: JsonObject): MergedJson<JsonObject> {
  const lost: Lost[] = [];
  const entries = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap((key): [string, Json][] => {
    const merged = mergedValue(own(base, key), own(ours, key), own(theirs, key));
    for (const each of merged.lost) lost.push({ ...each, place: each.place === '' ? key : `${key}/${each.place}` });
    return merged.value === undefined ? [] : [[key, merged.value]];
  });
  return { value: Object.fromEntries(entries), lost };
}

/** The value of a key, and not that of its name in every object. */
export function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The same for one value, where undefined is none. */
export function mergedValue(base: Json | undefined, ours: Json | undefined, theirs: Json | undefined): MergedJson<Json | undefined> {
  if (isSame(theirs, base) || isSame(theirs, ours) || theirs === undefined) {
    // Theirs says nothing new, unless it took away what ours left as it was.
    return { value: theirs === undefined && isSame(ours, base) ? undefined : ours, lost: [] };
  }
  if (ours === undefined || isSame(ours, base)) return { value: theirs, lost: [] };
  if (isObject(ours) && isObject(theirs)) return mergedObject(isObject(base) ? base : {}, ours, theirs);
  return { value: ours, lost: [{ place: '', theirs }] };
}
