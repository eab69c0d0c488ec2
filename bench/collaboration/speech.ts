import * as decoding from 'lib0/decoding';
import { yMessage } from '../../test/fakes/y-message.ts';

/** How the clients of a server speak. */
export interface Speech {
  /** Below the server's address. */
  path(room: string, key: string): string;
  /** What is said first, to get all that the room has. */
  hello(room: string): Uint8Array[];
  edit(room: string, number: number, update: Uint8Array): Uint8Array;
  /** `all` is the answer to the hello. */
  kind(bytes: Uint8Array): 'all' | 'update' | undefined;
  /** What is in a message of either kind. */
  update(bytes: Uint8Array): Uint8Array;
}

const NOTHING = new Uint8Array([0]);
const [STEP1, STEP2, UPDATE] = [0, 1, 2];

/** Our own protocol, with acknowledgements. */
const own: Speech = {
  path: (room, key) => `/room/${room}?key=${key}`,
  hello: () => [yMessage(0, 1, '', NOTHING)],
  edit: (_room, number, update) => yMessage(1, number, update),
  kind: (bytes) => (bytes[0] === 0 ? 'all' : bytes[0] === 1 ? 'update' : undefined),
  update(bytes) {
    const from = decoding.createDecoder(bytes);
    if (decoding.readVarUint(from) === 0) {
      for (let strings = 0; strings < 2; strings++) decoding.readVarString(from);
      decoding.readVarUint(from);
      decoding.readVarUint8Array(from);
    }
    return decoding.readVarUint8Array(from);
  },
};

const yWebsocket: Speech = {
  path: (room) => `/${room}`,
  hello: () => [yMessage(0, STEP1, NOTHING)],
  edit: (_room, _number, update) => yMessage(0, UPDATE, update),
  kind: (bytes) => kindAt(bytes, 0),
  update: (bytes) => updateAt(bytes, 0),
};

/** That of y-websocket with the document's name before each message, and a token. */
const hocuspocus: Speech = {
  path: () => '/',
  // Of messages of type 4 it makes the same as of those of type 0.
  hello: (room) => [yMessage(room, 2, 0, 'token'), yMessage(room, 0, STEP1, NOTHING)],
  edit: (room, _number, update) => yMessage(room, 0, UPDATE, update),
  // Names have less than 128 bytes.
  kind: (bytes) => kindAt(bytes, 1 + (bytes[0] ?? 0)),
  update: (bytes) => updateAt(bytes, 1 + (bytes[0] ?? 0)),
};

export const SPEECHES = { own, yWebsocket, hocuspocus };

function kindAt(bytes: Uint8Array, at: number): 'all' | 'update' | undefined {
  if (bytes[at] !== 0 && bytes[at] !== 4) return undefined;
  return bytes[at + 1] === STEP2 ? 'all' : bytes[at + 1] === UPDATE ? 'update' : undefined;
}

function updateAt(bytes: Uint8Array, at: number): Uint8Array {
  return decoding.readVarUint8Array(decoding.createDecoder(bytes.subarray(at + 2)));
}
