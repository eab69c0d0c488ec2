import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import type { Role } from './room.ts';

/** The protocol between a room's client and its server; `SPEC.md` has its rules. */
export const VERSION = 1;

export type ClientFrame =
  | { readonly type: 'hello'; readonly version: number; readonly lineage: string; readonly stateVector: Uint8Array }
  | { readonly type: 'update'; readonly number: number; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly states: Uint8Array }
  | { readonly type: 'ping' };

export interface Welcome {
  readonly type: 'welcome';
  /** Names the history of the document. */
  readonly lineage: string;
  /** Names the run of the server: after a crash it is another. */
  readonly run: string;
  readonly role: Role;
  readonly stateVector: Uint8Array;
  readonly update: Uint8Array;
}

export type ServerFrame =
  | Welcome
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly states: Uint8Array }
  | { readonly type: 'ack'; readonly number: number }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'pong' };

const CLIENT = ['hello', 'update', 'awareness', 'ping'] as const;
const SERVER = ['welcome', 'update', 'awareness', 'ack', 'refused', 'pong'] as const;
const ROLES: readonly Role[] = ['read', 'edit', 'execute', 'admin'];

/** A frame that is none of the protocol's. */
export class FrameError extends Error {}

export function encodeClientFrame(frame: ClientFrame): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, CLIENT.indexOf(frame.type));
  if (frame.type === 'hello') {
    encoding.writeVarUint(to, frame.version);
    encoding.writeVarString(to, frame.lineage);
    encoding.writeVarUint8Array(to, frame.stateVector);
  } else if (frame.type === 'update') {
    encoding.writeVarUint(to, frame.number);
    encoding.writeVarUint8Array(to, frame.update);
  } else if (frame.type === 'awareness') {
    encoding.writeVarUint8Array(to, frame.states);
  }
  return encoding.toUint8Array(to);
}

export function encodeServerFrame(frame: ServerFrame): Uint8Array {
  const to = encoding.createEncoder();
  encoding.writeVarUint(to, SERVER.indexOf(frame.type));
  if (frame.type === 'welcome') {
    encoding.writeVarString(to, frame.lineage);
    encoding.writeVarString(to, frame.run);
    encoding.writeVarUint(to, ROLES.indexOf(frame.role));
    encoding.writeVarUint8Array(to, frame.stateVector);
    encoding.writeVarUint8Array(to, frame.update);
  } else if (frame.type === 'update') {
    encoding.writeVarUint8Array(to, frame.update);
  } else if (frame.type === 'awareness') {
    encoding.writeVarUint8Array(to, frame.states);
  } else if (frame.type === 'ack') {
    encoding.writeVarUint(to, frame.number);
  } else if (frame.type === 'refused') {
    encoding.writeVarString(to, frame.code);
    encoding.writeVarString(to, frame.message);
  }
  return encoding.toUint8Array(to);
}

/** Throws a FrameError. */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame {
  return decoded(bytes, (from) => {
    const type = CLIENT[decoding.readVarUint(from)];
    if (type === 'hello') {
      const [version, lineage] = [decoding.readVarUint(from), decoding.readVarString(from)];
      return { type, version, lineage, stateVector: decoding.readVarUint8Array(from) };
    }
    if (type === 'update') return { type, number: decoding.readVarUint(from), update: decoding.readVarUint8Array(from) };
    if (type === 'awareness') return { type, states: decoding.readVarUint8Array(from) };
    return type === 'ping' ? { type } : undefined;
  });
}

/** Throws a FrameError. */
export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  return decoded(bytes, (from) => {
    const type = SERVER[decoding.readVarUint(from)];
    if (type === 'welcome') {
      const [lineage, run] = [decoding.readVarString(from), decoding.readVarString(from)];
      const role = ROLES[decoding.readVarUint(from)];
      if (!role) return undefined;
      return { type, lineage, run, role, stateVector: decoding.readVarUint8Array(from), update: decoding.readVarUint8Array(from) };
    }
    if (type === 'update') return { type, update: decoding.readVarUint8Array(from) };
    if (type === 'awareness') return { type, states: decoding.readVarUint8Array(from) };
    if (type === 'ack') return { type, number: decoding.readVarUint(from) };
    if (type === 'refused') return { type, code: decoding.readVarString(from), message: decoding.readVarString(from) };
    return type === 'pong' ? { type } : undefined;
  });
}

function decoded<T>(bytes: Uint8Array, read: (from: decoding.Decoder) => T | undefined): T {
  const from = decoding.createDecoder(bytes);
  let frame: T | undefined;
  try {
    frame = read(from);
  } catch (error) {
    throw new FrameError('The frame is cut off or garbled.', { cause: error });
  }
  if (frame === undefined) throw new FrameError('The frame is of no known type.');
  if (decoding.hasContent(from)) throw new FrameError('The frame has something behind its end.');
  return frame;
}
