import type { Tap } from './splice.ts';

/** Told of each data message once: its first bytes (at most `limit`), unmasked, and whether that is all of it. */
export interface MessageReader {
  /** How many bytes of a message it wants to see. */
  readonly limit: number;
  message(start: Buffer, whole: boolean): void;
}

const EMPTY = Buffer.alloc(0);

/** Reads WebSocket frames (RFC 6455 §5.2) as they pass. Only the bytes a reader asks for are copied or unmasked; ping, pong and close are skipped. */
export class FrameTap implements Tap {
  readonly #reader: MessageReader;
  /** The beginning of a frame's head, where a chunk ended inside it. */
  #partial: Buffer = EMPTY;
  /** Bytes of the current frame's payload still to come. */
  #left = 0;
  /** The frame's mask, and how much of the payload it has been applied to. */
  #mask: Buffer | undefined;
  #masked = 0;
  #data = false;
  #final = false;
  /** A data message is under way. */
  #inside = false;
  #start: Buffer = EMPTY;
  #whole = true;
  /** The stream is no WebSocket that we understand: it passes, unread. */
  #lost = false;

  constructor(reader: MessageReader) {
    this.#reader = reader;
  }

  see(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#lost) at = this.#left > 0 ? this.#payload(chunk, at) : this.#head(chunk, at);
  }

  /** Reads a frame's head and returns where its payload begins. */
  #head(chunk: Buffer, at: number): number {
    const before = this.#partial.length;
    const bytes =
      before === 0 && at === 0 ? chunk : before === 0 ? chunk.subarray(at) : Buffer.concat([this.#partial, chunk.subarray(at, at + 14)]);
    const size = headSize(bytes);
    if (size === 0 || bytes.length < size) {
      this.#partial = Buffer.from(bytes);
      return chunk.length;
    }
    this.#partial = EMPTY;
    this.#begin(bytes, size);
    return at + size - before;
  }

  #begin(head: Buffer, size: number): void {
    const [first = 0, second = 0] = head;
    const opcode = first & 15;
    const short = second & 127;
    this.#left = short < 126 ? short : short === 126 ? head.readUInt16BE(2) : head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6);
    this.#mask = second & 128 ? Buffer.from(head.subarray(size - 4, size)) : undefined;
    this.#masked = 0;
    this.#data = opcode < 8;
    this.#final = (first & 128) !== 0;
    if ((opcode > 2 && opcode < 8) || opcode > 10 || !Number.isSafeInteger(this.#left)) this.#lost = true;
    if (!this.#data || this.#lost) return;
    if (!this.#inside || opcode !== 0) {
      this.#inside = true;
      this.#start = EMPTY;
      this.#whole = true;
    }
    if (this.#left === 0) this.#ended();
  }

  #payload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    if (this.#data) this.#take(chunk, at, end);
    this.#left -= end - at;
    if (this.#left === 0) this.#ended();
    return end;
  }

  #take(chunk: Buffer, at: number, end: number): void {
    const wanted = Math.min(end - at, this.#reader.limit - this.#start.length);
    if (wanted < end - at) this.#whole = false;
    if (wanted <= 0) return;
    let piece = chunk.subarray(at, at + wanted);
    if (this.#mask) piece = unmask(piece, this.#mask, this.#masked);
    this.#masked += end - at;
    // Where the message goes on in a later chunk, this chunk's memory is not ours to keep.
    const ends = this.#final && this.#left === end - at;
    this.#start = this.#start.length === 0 && (ends || this.#mask) ? piece : Buffer.concat([this.#start, piece]);
  }

  #ended(): void {
    if (!this.#data || !this.#final) return;
    const start = this.#start;
    this.#start = EMPTY;
    this.#inside = false;
    this.#reader.message(start, this.#whole);
  }
}

/** Bytes of a frame's head, or 0 where too few are there to tell. */
function headSize(bytes: Buffer): number {
  const second = bytes[1];
  if (second === undefined) return 0;
  const length = second & 127;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second & 128 ? 4 : 0);
}

function unmask(piece: Buffer, mask: Buffer, offset: number): Buffer {
  const out = Buffer.allocUnsafe(piece.length);
  for (let index = 0; index < piece.length; index++) out[index] = (piece[index] ?? 0) ^ (mask[(offset + index) & 3] ?? 0);
  return out;
}
