import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { isObject, isTooDeep, type JsonObject } from '@bindery/rtc/json.ts';
import { sameSecret } from '../base/secrets.ts';

/** The form of messages in which each part stands for itself; without it they are JSON, with buffers behind. */
export const PROTOCOL = 'v1.kernel.websocket.jupyter.org';

export type KernelProtocol = typeof PROTOCOL | '';

export type KernelPath = 'shell' | 'iopub' | 'stdin' | 'control';

/** A message of a kernel's WebSocket (Jupyter messaging 5.4). */
export interface KernelMessage {
  readonly channel: KernelPath;
  readonly header: MessageHeader;
  /** Of the request that it belongs to; empty where there is none. */
  readonly parent: { readonly msg_id?: string | undefined; readonly msg_type?: string | undefined };
  readonly metadata: JsonObject;
  readonly content: JsonObject;
  readonly buffers: readonly Uint8Array[];
}

const Header = z.object({
  msg_id: z.string(),
  msg_type: z.string(),
  session: z.string().default(''),
  username: z.string().default(''),
  date: z.string().default(''),
  version: z.string().default(''),
});
type MessageHeader = z.infer<typeof Header>;

const Parts = z.object({
  channel: z.enum(['shell', 'iopub', 'stdin', 'control']),
  header: Header,
  parent_header: z.object({ msg_id: z.string().optional(), msg_type: z.string().optional() }),
  metadata: z.custom<JsonObject>(isObject),
  content: z.custom<JsonObject>((value) => isObject(value) && !isTooDeep(value)),
});

const DELIMITER = Buffer.from('<IDS|MSG>');

/** Offsets in a message, and buffers, are no more than this. */
const MOST_PARTS = 4096;

/** Reads a message in either form. Throws what it is not. */
export function decodeMessage(data: Buffer, isBinary: boolean, protocol: KernelProtocol): KernelMessage {
  return parsed(protocol === PROTOCOL ? fromParts(data) : isBinary ? fromOffsets(data) : { parts: jsonFrom(data), buffers: [] });
}

/**
 * Reads a message as kernels write it to their sockets (Jupyter messaging, "The Wire Protocol"): topics, a delimiter, the signature, header, parent header, metadata,
 * content, buffers. Throws what it is not, also when it is not signed with the key.
 */
export function decodeWireMessage(channel: KernelPath, parts: readonly Buffer[], key: string): KernelMessage {
  const at = parts.findIndex((part) => part.equals(DELIMITER));
  const [signature = DELIMITER, ...pieces] = parts.slice(at + 1);
  if (at < 0 || pieces.length < 4) throw new RangeError('The message has not as many parts as it must.');
  if (key !== '') {
    const hmac = createHmac('sha256', key);
    for (const piece of pieces.slice(0, 4)) hmac.update(piece);
    if (!sameSecret(hmac.digest('hex'), signature.toString('latin1')))
      throw new RangeError('The message is not signed with the key of the kernel.');
  }
  return parsed(fromPieces(channel, pieces));
}

function parsed({ parts, buffers }: Read): KernelMessage {
  const { channel, header, parent_header: parent, metadata, content } = Parts.parse(parts);
  return { channel, header, parent, metadata, content, buffers };
}

/** Writes a message; a string goes as a text message. */
export function encodeMessage(message: KernelMessage, protocol: KernelProtocol): Buffer | string {
  const { channel, header, parent, metadata, content, buffers } = message;
  if (protocol === PROTOCOL) {
    const json = [header, parent, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    return withOffsets([Buffer.from(channel), ...json, ...buffers]);
  }
  const text = JSON.stringify({ channel, header, parent_header: parent, metadata, content, buffers: [] });
  if (buffers.length === 0) return text;
  const parts = [Buffer.from(text), ...buffers];
  const head = Buffer.alloc(4 * (1 + parts.length));
  head.writeUInt32BE(parts.length, 0);
  let at = head.length;
  parts.forEach((part, index) => {
    head.writeUInt32BE(at, 4 * (index + 1));
    at += part.length;
  });
  return Buffer.concat([head, ...parts]);
}

/** v1: a count, that many offsets (64 bits, little end first), then channel, header, parent header, metadata, content, buffers. */
function withOffsets(parts: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(8 * (2 + parts.length));
  head.writeBigUInt64LE(BigInt(parts.length + 1), 0);
  let at = head.length;
  [...parts, undefined].forEach((part, index) => {
    head.writeBigUInt64LE(BigInt(at), 8 * (index + 1));
    at += part?.length ?? 0;
  });
  return Buffer.concat([head, ...parts]);
}

interface Read {
  readonly parts: unknown;
  readonly buffers: readonly Uint8Array[];
}

function fromParts(data: Buffer): Read {
  const count = Number(data.readBigUInt64LE(0));
  if (count < 6 || count > MOST_PARTS) throw new RangeError('The message has not as many parts as it must.');
  const offsets = Array.from({ length: count }, (_, index) => Number(data.readBigUInt64LE(8 * (index + 1))));
  const [channel = data, ...rest] = cut(data, offsets);
  return fromPieces(channel.toString(), rest);
}

/** Header, parent header, metadata and content, each as JSON, and the buffers. */
function fromPieces(channel: string, pieces: readonly Buffer[]): Read {
  const [header, parent_header, metadata, content] = pieces.slice(0, 4).map(jsonFrom);
  return { parts: { channel, header, parent_header, metadata, content }, buffers: pieces.slice(4) };
}

/** A count and that many offsets (32 bits, big end first), then the JSON and the buffers. */
function fromOffsets(data: Buffer): Read {
  const count = data.readUInt32BE(0);
  if (count < 1 || count > MOST_PARTS) throw new RangeError('The message has not as many parts as it must.');
  const offsets = Array.from({ length: count }, (_, index) => data.readUInt32BE(4 * (index + 1)));
  const [json = data, ...buffers] = cut(data, [...offsets, data.length]);
  return { parts: jsonFrom(json), buffers };
}

function cut(data: Buffer, offsets: readonly number[]): Buffer[] {
  return offsets.slice(0, -1).map((from, index) => {
    const to = offsets[index + 1] ?? 0;
    if (from > to || to > data.length) throw new RangeError('A part of the message lies outside of it.');
    return data.subarray(from, to);
  });
}

function jsonFrom(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString());
}

/** IPython and others number their messages, at the end of the id. */
export function numberOf({ header }: KernelMessage): number | undefined {
  const number = /_(\d{1,15})$/.exec(header.msg_id)?.[1];
  return number === undefined ? undefined : Number(number);
}
