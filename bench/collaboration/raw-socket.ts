import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** What one read takes at most; all sockets share it, as what is read is used at once. */
const shared = Buffer.alloc(1024 * 1024);
/** Of a frame that is larger, only the first bytes are kept, unless all is wanted. */
const LARGE = 4 * 1024 * 1024;
const [BINARY, CLOSE, PING, PONG] = [2, 8, 9, 10];

/** Hears a message: `bytes` is good until it returns, and only the beginning where `length` says more. */
export type Hear = (bytes: Buffer, length: number) => void;

/** A WebSocket of as little work as can be, so that a measure is that of the server: no events, no copies, the mask is zero. */
export class RawSocket {
  readonly opened: Promise<void>;
  /** Why the server ended it. */
  ended: string | undefined;
  readonly #socket: Socket;
  readonly #hear: Hear;
  readonly #isWhole: boolean;
  #isOpen = false;
  /** The beginning of what has not come whole: the answer's head, a frame's head, a frame. */
  #kept = Buffer.alloc(0);
  #frame: { readonly opcode: number; readonly length: number; readonly kept: Buffer; filled: number; left: number } | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  /** @param isWhole large messages are kept whole too */
  constructor(port: number, path: string, hear: Hear, isWhole = false) {
    this.#hear = hear;
    this.#isWhole = isWhole;
    this.opened = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    const onread = { buffer: shared, callback: (count: number) => this.#read(count) };
    this.#socket = connect({ port, host: '127.0.0.1', onread, noDelay: true });
    this.#socket.on('error', (error) => this.#reject(error));
    this.#socket.on('close', () => {
      this.ended ??= 'The server went away.';
      this.#reject(new Error(this.ended));
    });
    const key = randomBytes(16).toString('base64');
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  }

  send(payload: Uint8Array, opcode = BINARY): void {
    const { length } = payload;
    const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    const frame = Buffer.alloc(size + 4 + length);
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (size === 2 ? length : size === 4 ? 126 : 127);
    if (size === 4) frame.writeUInt16BE(length, 2);
    if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
    frame.set(payload, size + 4);
    this.#socket.write(frame);
  }

  /** Reads nothing any more. */
  deafen(): void {
    this.#socket.pause();
  }

  close(): void {
    this.ended ??= 'We left.';
    this.#socket.destroy();
  }

  #read(count: number): boolean {
    let chunk = shared.subarray(0, count);
    if (!this.#frame && this.#kept.length > 0) {
      chunk = Buffer.concat([this.#kept, chunk]);
      this.#kept = Buffer.alloc(0);
    }
    let at = this.#isOpen ? 0 : this.#answered(chunk);
    while (at < chunk.length) {
      const next = this.#frame ? this.#filled(chunk, at) : this.#begun(chunk, at);
      if (next < 0) break;
      at = next;
    }
    if (at < chunk.length) this.#kept = Buffer.from(chunk.subarray(at));
    return true;
  }

  /** Where the frames begin. */
  #answered(chunk: Buffer): number {
    const end = chunk.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    if (!chunk.toString('latin1', 0, end).startsWith('HTTP/1.1 101')) {
      this.#reject(new Error(chunk.toString('latin1', 0, end)));
      this.#socket.destroy();
      return chunk.length;
    }
    this.#isOpen = true;
    this.#resolve();
    return end + 4;
  }

  /** Where the next frame begins; less than 0 when this one's head has not come whole. */
  #begun(chunk: Buffer, at: number): number {
    if (!this.#isOpen || chunk.length - at < 2) return -1;
    const short = (chunk[at + 1] ?? 0) & 0x7f;
    const body = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (chunk.length < body) return -1;
    const length = short < 126 ? short : short === 126 ? chunk.readUInt16BE(at + 2) : Number(chunk.readBigUInt64BE(at + 2));
    const opcode = (chunk[at] ?? 0) & 0x0f;
    if (chunk.length - body >= length) {
      this.#take(opcode, chunk.subarray(body, body + length), length);
      return body + length;
    }
    const kept = Buffer.allocUnsafe(this.#isWhole || length <= LARGE ? length : LARGE);
    this.#frame = { opcode, length, kept, filled: 0, left: length };
    return this.#filled(chunk, body);
  }

  #filled(chunk: Buffer, at: number): number {
    const frame = this.#frame;
    if (!frame) return at;
    const end = Math.min(chunk.length, at + frame.left);
    if (frame.filled < frame.kept.length) frame.filled += chunk.copy(frame.kept, frame.filled, at, end);
    frame.left -= end - at;
    if (frame.left === 0) {
      this.#frame = undefined;
      this.#take(frame.opcode, frame.kept, frame.length);
    }
    return end;
  }

  #take(opcode: number, bytes: Buffer, length: number): void {
    if (opcode === PING) this.send(bytes, PONG);
    else if (opcode === CLOSE)
      this.ended = `The server closed: ${bytes.length > 1 ? bytes.readUInt16BE(0) : ''} ${bytes.toString('utf8', 2)}`;
    else if (opcode === BINARY) this.#hear(bytes, length);
  }
}
