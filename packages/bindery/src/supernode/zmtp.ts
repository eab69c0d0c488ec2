import type { Duplex } from 'node:stream';

/** Bytes of one message, with all its parts. */
const MOST_BYTES = 256 * 1024 * 1024;
const MOST_PARTS = 4096;

const GREETING_BYTES = 64;
const MORE = 1;
const LONG = 2;
const COMMAND = 4;

/** Version 3.0, no security, client. */
const GREETING = Buffer.concat([Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]), Buffer.from('NULL'), Buffer.alloc(48)]);
const READY = command('READY', [['Socket-Type', 'SUB']]);
/** A message whose first byte is 1 asks for all that begins with the rest: for everything. */
const SUBSCRIBE = Buffer.from([0, 1, 1]);

/**
 * Subscribes to all messages of a ZeroMQ publisher at the other end of a stream (ZMTP 3.0, RFC 23 of ZeroMQ; mechanism NULL): `take` gets the parts of each.
 * Whatever is no publisher, or breaks the protocol, is left: the stream is destroyed. Before the other end has shown what it is, it gets
 * the same 64 bytes in all cases. (The libraries for ZeroMQ bring native code for each platform; what is needed of it is this.)
 */
export function subscribe(stream: Duplex, take: (parts: readonly Buffer[]) => void): void {
  const bytes = new Arriving();
  let isGreeted = false;
  let isReady = false;
  let parts: Buffer[] = [];
  let size = 0;
  const parse = (): void => {
    if (!isGreeted) {
      const greeting = bytes.take(GREETING_BYTES);
      if (!greeting) return;
      checkGreeting(greeting);
      isGreeted = true;
      stream.write(READY);
    }
    for (let frame = readFrame(bytes); frame; frame = readFrame(bytes)) {
      if (frame.flags & COMMAND) {
        if (isReady) continue;
        checkReady(frame.body);
        isReady = true;
        stream.write(SUBSCRIBE);
        continue;
      }
      if (!isReady) throw new RangeError('A message came before the other end was ready.');
      parts.push(frame.body);
      size += frame.body.length;
      if (size > MOST_BYTES || parts.length > MOST_PARTS) throw new RangeError('A message is too large.');
      if (frame.flags & MORE) continue;
      const whole = parts;
      parts = [];
      size = 0;
      take(whole);
    }
  };
  stream.on('data', (chunk: Buffer) => {
    bytes.add(chunk);
    try {
      parse();
    } catch {
      stream.destroy();
    }
  });
  stream.write(GREETING);
}

/** Bytes as they come, given out in pieces that are asked for. */
class Arriving {
  #chunks: Buffer[] = [];
  #length = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The first bytes, which stay; undefined when there are not so many yet. */
  peek(count: number): Buffer | undefined {
    if (this.#length < count) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < count) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]?.subarray(0, count);
  }

  take(count: number): Buffer | undefined {
    const taken = this.peek(count);
    if (!taken) return undefined;
    const rest = this.#chunks[0]?.subarray(count);
    if (rest && rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#length -= count;
    return taken;
  }
}

function readFrame(bytes: Arriving): { readonly flags: number; readonly body: Buffer } | undefined {
  const flags = bytes.peek(1)?.[0];
  if (flags === undefined) return undefined;
  if (flags & ~(MORE | LONG | COMMAND)) throw new RangeError('The flags of a frame are none.');
  const head = bytes.peek(flags & LONG ? 9 : 2);
  if (!head) return undefined;
  const length = flags & LONG ? head.readBigUInt64BE(1) : BigInt(head[1] ?? 0);
  if (length > MOST_BYTES) throw new RangeError('A frame is too large.');
  const frame = bytes.take(head.length + Number(length));
  return frame && { flags, body: frame.subarray(head.length) };
}

function checkGreeting(greeting: Buffer): void {
  const isZmtp = greeting[0] === 0xff && greeting[9] === 0x7f && (greeting[10] ?? 0) >= 3;
  const mechanism = greeting.subarray(12, 32).toString('latin1').replace(/\0+$/, '');
  if (!isZmtp || mechanism !== 'NULL') throw new RangeError('The other end does not speak ZMTP 3 without security.');
}

function checkReady(body: Buffer): void {
  if (body[0] !== 5 || body.subarray(1, 6).toString('latin1') !== 'READY') throw new RangeError('The other end is not ready.');
  const said = body.subarray(6);
  if (!['PUB', 'XPUB'].some((type) => said.includes(property('Socket-Type', type)))) throw new RangeError('The other end is no publisher.');
}

function command(name: string, properties: readonly (readonly [string, string])[]): Buffer {
  const body = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), ...properties.map(([key, value]) => property(key, value))]);
  return Buffer.concat([Buffer.from([COMMAND, body.length]), body]);
}

function property(name: string, value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)]);
}
