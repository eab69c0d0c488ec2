import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { isObject, isTooDeep, type JsonObject } from '@bindery/rtc/json.ts';
import type { Dialect } from './dialect.ts';

/** Characters that one state may have, as JSON. */
const LONGEST = 64 * 1024;

interface Entry {
  readonly owner: object;
  readonly clock: number;
  /** Null for one who has left, kept until the owner does. */
  readonly state: JsonObject | null;
}

interface Said {
  readonly client: number;
  readonly clock: number;
  /** JSON. */
  readonly text: string;
}

/** Who is in a room: the awareness of y-protocols, of which each connection owns the one state that it may change (`SPEC.md`, P). */
export class Presence {
  readonly #entries = new Map<number, Entry>();

  /**
   * Takes what a connection says of itself, with `user` put in. Returns what the others are to be told; undefined when it is nothing new, or of
   * somebody else who is still there (P1). Throws when it is no awareness, or a strict connection says more than one thing.
   */
  take(owner: object, user: JsonObject, bytes: Uint8Array, manners: Dialect['manners']): Uint8Array | undefined {
    const said = decode(bytes);
    const owned = this.#owned(owner);
    if (manners === 'strict' && (said.length !== 1 || (owned !== undefined && said[0]?.client !== owned)))
      throw new Error('Each connection says its own state, and no other.');
    const own = said.find(({ client, text }) => client === owned || (owned === undefined && !this.#entries.has(client) && text !== 'null'));
    if (!own || own.clock <= (this.#entries.get(own.client)?.clock ?? -1)) return undefined;
    const entry = { owner, clock: own.clock, state: stamped(own.text, user) };
    this.#entries.set(own.client, entry);
    return encode([[own.client, entry]]);
  }

  /** The client id that a connection owns, once it has said something of itself. */
  clientOf(owner: object): number | undefined {
    return this.#owned(owner);
  }

  /** All who are there; undefined when there is nobody. */
  all(): Uint8Array | undefined {
    const there = [...this.#entries].filter(([, { state }]) => state !== null);
    return there.length === 0 ? undefined : encode(there);
  }

  /** What those who are there say. */
  states(): JsonObject[] {
    return [...this.#entries.values()].flatMap(({ state }) => (state === null ? [] : [state]));
  }

  /** What the others are to be told when a connection is gone; undefined when they knew nothing of it. */
  leave(owner: object): Uint8Array | undefined {
    const found = [...this.#entries].find(([, entry]) => entry.owner === owner);
    if (!found) return undefined;
    const [client, { clock, state }] = found;
    this.#entries.delete(client);
    // With the clock that it had: whoever comes back with the next one is seen again.
    return state === null ? undefined : encode([[client, { owner, clock, state: null }]]);
  }

  #owned(owner: object): number | undefined {
    return [...this.#entries].find(([, entry]) => entry.owner === owner)?.[0];
  }
}

/** Throws when it is no awareness. */
function decode(bytes: Uint8Array): Said[] {
  const from = decoding.createDecoder(bytes);
  const said: Said[] = [];
  for (let count = decoding.readVarUint(from); count > 0; count--) {
    const [client, clock, text] = [decoding.readVarUint(from), decoding.readVarUint(from), decoding.readVarString(from)];
    if (text.length > LONGEST) throw new Error(`The state of awareness is longer than ${LONGEST} characters.`);
    said.push({ client, clock, text });
  }
  return said;
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
