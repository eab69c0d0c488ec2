import * as encoding from 'lib0/encoding';

/** A message of Yjs' protocols: whole numbers, strings and bytes, one after the other. */
export function yMessage(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  const to = encoding.createEncoder();
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(to, part);
    else if (typeof part === 'string') encoding.writeVarString(to, part);
    else encoding.writeVarUint8Array(to, part);
  }
  return encoding.toUint8Array(to);
}
