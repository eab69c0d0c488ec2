import { crc32 } from 'node:zlib';

/** What a log begins with (L1). */
export const MAGIC = Buffer.from('BRELAY1\n');
/** Bytes before a record's payload, and the most that a payload may have. */
export const HEAD = 8;
export const LARGEST = 256 * 1024 * 1024;

/** A payload as a record, in two pieces: it is not copied. Throws a RangeError for one that is empty or too large. */
export function record(payload: Uint8Array): [head: Uint8Array, payload: Uint8Array] {
  if (payload.length === 0 || payload.length > LARGEST) throw new RangeError(`A record of ${payload.length} bytes cannot be kept.`);
  const head = Buffer.allocUnsafe(HEAD);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(crc32(payload, crc32(head.subarray(0, 4))), 4);
  return [head, payload];
}

/** The payloads of the records from `start` on, up to the first that is none, and where that is (L5). */
export function readRecords(bytes: Buffer, start: number): { readonly payloads: Buffer[]; readonly end: number } {
  const payloads: Buffer[] = [];
  let end = start;
  for (;;) {
    const payload = readRecord(bytes, end);
    if (!payload) return { payloads, end };
    payloads.push(payload);
    end += HEAD + payload.length;
  }
}

function readRecord(bytes: Buffer, at: number): Buffer | undefined {
  if (bytes.length - at <= HEAD) return undefined;
  const length = bytes.readUInt32LE(at);
  if (length === 0 || length > LARGEST || length > bytes.length - at - HEAD) return undefined;
  const payload = bytes.subarray(at + HEAD, at + HEAD + length);
  return bytes.readUInt32LE(at + 4) === crc32(payload, crc32(bytes.subarray(at, at + 4))) ? payload : undefined;
}
