import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { isObject, isTooDeep, type JsonObject } from '@bindery/rtc/json.ts';

/** Characters that one state may have, as JSON. */
const LONGEST = 64 * 1024;

interface Entry {
  readonly owner: object;
  readonly clock: number;
  /** Null for one who has left, kept until the owner does. */
  readonly state: JsonObject | null;
}

/** Who is in a room: the awareness of y-protocols, of which each connection owns the one state that it may change (`SPEC.md`, P). */
export class Presence {
  readonly #entries = new Map<number, Entry>();

  /**
   * Takes what a connection says of itself, with `user` put in. Returns what the others are to be told; undefined when it is nothing new. Throws
   * when it is no awareness, or not its own.
   */
  take(owner: object, user: JsonObject, bytes: Uint8Array): Uint8Array | undefined {
    const from = decoding.createDecoder(bytes);
    if (decoding.readVarUint(from) !== 1) throw new Error('Each connection says its own state, and no other.');
    const [client, clock, text] = [decoding.readVarUint(from), decoding.readVarUint(from), decoding.readVarString(from)];
    if (text.length > LONGEST) throw new Error(`The state of awareness is longer than ${LONGEST} characters.`);
    const known = this.#entries.get(client);
    const owned = [...this.#entries].find(([, entry]) => entry.owner === owner)?.[0];
    if ((known && known.owner !== owner) || (owned !== undefined && owned !== client))
      throw new Error('The state of awareness is of somebody else.');
    if (known && clock <= known.clock) return undefined;
    const entry = { owner, clock, state: stamped(text, user) };
    this.#entries.set(client, entry);
    return encode([[client, entry]]);
  }

  /** All who are there; undefined when there is nobody. */
  all(): Uint8Array | undefined {
    const there = [...this.#entries].filter(([, { state }]) => state !== null);
    return there.length === 0 ? undefined : encode(there);
  }

  /** What the others are to be told when a connection is gone; undefined when they knew nothing of it. */
  leave(owner: object): Uint8Array | undefined {
    const found = [...this.#entries].find(([, entry]) => entry.owner === owner);
    if (!found) return undefined;
    const [client, { clock, state }] = found;
    this.#entries.delete(client);
    return state === null ? undefined : encode([[client, { owner, clock: clock + 1, state: null }]]);
  }
}

function stamped(text: string, user: JsonObject): JsonObject | null {
  const state = JSON.parse(text) as unknown;
  if (state === null) return null;
  if (!isObject(state) || isTooDeep(state)) throw new Error('The state of awareness is no object.');
  const own = state['user'];
  // Name and colour may be its own where the server knows none; what the server knows wins.
  return { ...state, user: { ...(isObject(own) ? own : {}), ...user } };
}

function encode(entries: readonly (readonly [number, Entry])[]): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, entries.length);
  for (const [client, { clock, state }] of entries) {
    encoding.writeVarUint(to, client);
    encoding.writeVarUint(to, clock);
    encoding.writeVarString(to, JSON.stringify(state));
  }
  return encoding.toUint8Array(to);
}
