import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { decodeClientFrame, encodeServerFrame, FrameError, VERSION, type ClientFrame, type ServerFrame } from '@bindery/rtc/room/frames.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import type { SaveStatus } from './occupant.ts';

/**
 * What a client says: in our own protocol, or that of y-websocket, where it may ask again what it lacks and who is there, or that of JupyterLab,
 * where it may ask for its document to be saved.
 */
export type Said =
  | ClientFrame
  | { readonly type: 'lack'; readonly stateVector: Uint8Array }
  | { readonly type: 'who' }
  | { readonly type: 'save'; readonly id: number };

/** What it is told. */
export type Told = ServerFrame | { readonly type: 'saved'; readonly id: number; readonly status: SaveStatus };

/** How a connection speaks. What is said is the same for all; one that has no word for something is not told it. */
export interface Dialect {
  /** Throws for what is no message. */
  read(bytes: Uint8Array, isWelcome: boolean): Said;
  /** The messages that say it, none where the dialect has no word for it. */
  write(frame: Told): readonly Uint8Array[];
  /**
   * `strict`: a client breaks the rules by saying what it may not, and is sent away. `lenient`: it knows no better: it tells on what it heard of others,
   * edits where it may only read, sends edits before those that they need.
   */
  readonly manners: 'strict' | 'lenient';
}

/** The type of an update in our own protocol (F3). */
const OWN_UPDATE = Uint8Array.of(1);
const NONE = new Uint8Array();

/** That of rtc's `SPEC.md`. */
export const OWN: Dialect = {
  read: decodeClientFrame,
  write(frame) {
    if (frame.type === 'update') return [prefixed(OWN_UPDATE, frame.update)];
    // Its last field: an empty one is one byte, its length.
    if (frame.type === 'welcome') return [prefixed(encodeServerFrame({ ...frame, update: NONE }).subarray(0, -1), frame.update)];
    return frame.type === 'saved' ? [] : [encodeServerFrame(frame)];
  },
  manners: 'strict',
};

/** Types of messages, of what is in a message of type sync, and the only word about permissions. */
const [SYNC, AWARENESS, AUTH, QUERY] = [0, 1, 2, 3];
const [STEP1, STEP2, UPDATE] = [0, 1, 2];
const DENIED = 0;
const [SYNC_STEP2, SYNC_UPDATE] = [Uint8Array.of(SYNC, STEP2), Uint8Array.of(SYNC, UPDATE)];

/** That of y-websocket (`SPEC.md`, Y). */
export const Y_WEBSOCKET: Dialect = {
  manners: 'lenient',
  read(bytes, isWelcome) {
    const from = decoding.createDecoder(bytes);
    const said = readMessage(from, isWelcome);
    if (decoding.hasContent(from)) throw new FrameError('The message has something behind its end.');
    return said;
  },
  write(frame) {
    if (frame.type === 'update') return [prefixed(SYNC_UPDATE, frame.update)];
    if (frame.type === 'awareness') return [bytesOf(AWARENESS, frame.states)];
    if (frame.type === 'welcome') return [prefixed(SYNC_STEP2, frame.update), ...asked(frame.role, frame.stateVector)];
    if (frame.type === 'refused') return [bytesOf(AUTH, DENIED, frame.message)];
    return [];
  },
};

/** Of JupyterLab's own messages, and one that its older versions sent to chat. */
const [RAW, CHAT] = [2, 125];

/** That of JupyterLab's docprovider: y-websocket's, and a message that asks for the document to be saved (`SPEC.md`, J). */
export const DOCPROVIDER: Dialect = {
  manners: 'lenient',
  read(bytes, isWelcome) {
    const from = decoding.createDecoder(bytes);
    const type = decoding.readVarUint(from);
    if (type === CHAT) return { type: 'ping' };
    if (type !== RAW) return Y_WEBSOCKET.read(bytes, isWelcome);
    if (decoding.readVarString(from) !== 'save') throw new FrameError('The message is of no known type.');
    return { type: 'save', id: decoding.readVarUint(from) };
  },
  write(frame) {
    if (frame.type === 'saved') return [bytesOf(RAW, JSON.stringify({ type: 'save', responseTo: frame.id, status: frame.status }))];
    // To it, 2 is no word about permissions.
    return frame.type === 'refused' ? [] : Y_WEBSOCKET.write(frame);
  },
};

/** Of those who may only read, nothing is asked. */
function asked(role: Role, stateVector: Uint8Array): Uint8Array[] {
  return role === 'read' ? [] : [bytesOf(SYNC, STEP1, stateVector)];
}

function readMessage(from: decoding.Decoder, isWelcome: boolean): Said {
  const type = decoding.readVarUint(from);
  if (type === AWARENESS) return { type: 'awareness', states: decoding.readVarUint8Array(from) };
  if (type === QUERY) return { type: 'who' };
  if (type !== SYNC) throw new FrameError('The message is of no known type.');
  const step = decoding.readVarUint(from);
  const content = decoding.readVarUint8Array(from);
  if (step === STEP1 && isWelcome) return { type: 'lack', stateVector: content };
  if (step === STEP1) return { type: 'hello', version: VERSION, lineage: '', stateVector: content };
  if (step !== STEP2 && step !== UPDATE) throw new FrameError('The message is of no known type.');
  return { type: 'update', number: 0, update: content };
}

/** What is before, and bytes with their length, as `bytesOf` makes it, with one copy and nothing thrown away: for what is sent often, or is large. */
function prefixed(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80);
  length.push(rest);
  const made = Buffer.allocUnsafe(before.length + length.length + bytes.length);
  made.set(before);
  made.set(length, before.length);
  made.set(bytes, before.length + length.length);
  return made;
}

function bytesOf(...parts: readonly (number | string | Uint8Array)[]): Uint8Array {
  const to = encoding.createEncoder();
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(to, part);
    else if (typeof part === 'string') encoding.writeVarString(to, part);
    else encoding.writeVarUint8Array(to, part);
  }
  return encoding.toUint8Array(to);
}
