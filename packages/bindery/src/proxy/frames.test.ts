import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FrameTap } from './frames.ts';

interface Frame {
  opcode: number;
  final: boolean;
  payload: Uint8Array;
  mask: Uint8Array | undefined;
}

function encode({ opcode, final, payload, mask }: Frame): Buffer {
  const length = payload.length;
  const size =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  const [first = 0, ...rest] = size;
  const body = mask ? payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0)) : payload;
  return Buffer.concat([Buffer.from([(final ? 128 : 0) | opcode, first | (mask ? 128 : 0), ...rest]), mask ?? new Uint8Array(), body]);
}

const bytes = fc.oneof(
  { weight: 10, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  fc.integer({ min: 120, max: 300 }).map((length) => new Uint8Array(length).fill(length & 255)),
  fc.integer({ min: 65_500, max: 66_000 }).map((length) => new Uint8Array(length).fill(length & 255)),
);
const mask = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined });
const control: fc.Arbitrary<Frame> = fc.record({
  opcode: fc.constantFrom(8, 9, 10),
  final: fc.constant(true),
  payload: fc.uint8Array({ maxLength: 20 }),
  mask,
});
/** A data message in one or more frames, perhaps with control frames between. */
const messageOf = fc.record({
  opcode: fc.constantFrom(1, 2),
  parts: fc.array(bytes, { minLength: 1, maxLength: 3 }),
  mask,
  control: fc.option(control, { nil: undefined }),
});

test('V1: for any messages, cuts into chunks and limits, each data message is seen once, its beginning unmasked', () => {
  fc.assert(
    fc.property(
      fc.array(messageOf, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 400 }),
      (messages, cuts, limit) => {
        const stream = Buffer.concat(
          messages.flatMap(({ opcode, parts, mask, control }) =>
            parts.flatMap((payload, index) => [
              encode({ opcode: index === 0 ? opcode : 0, final: index === parts.length - 1, payload, mask }),
              ...(control ? [encode(control)] : []),
            ]),
          ),
        );
        const seen: [string, boolean][] = [];
        const tap = new FrameTap({ limit, message: (start, whole) => seen.push([start.toString('hex'), whole]) });
        let at = 0;
        for (let cut = 0; at < stream.length; cut++) {
          const size = cuts[cut % cuts.length] ?? 1;
          // A copy that is overwritten afterwards: what a tap keeps must be its own.
          const chunk = Buffer.from(stream.subarray(at, at + size));
          tap.see(chunk);
          chunk.fill(255);
          at += size;
        }
        const expected = messages.map(({ parts }): [string, boolean] => {
          const all = Buffer.concat(parts);
          return [all.subarray(0, limit).toString('hex'), all.length <= limit];
        });
        assert.deepEqual(seen, expected);
      },
    ),
    { numRuns: 300 },
  );
});

test('V1: any bytes at all pass without harm', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
      const tap = new FrameTap({ limit: 64, message: (start) => assert.ok(start.length <= 64) });
      for (const chunk of chunks) tap.see(Buffer.from(chunk));
    }),
    { numRuns: 300 },
  );
});

test('after a frame that is none of RFC 6455 the stream is no longer read', () => {
  let count = 0;
  const tap = new FrameTap({ limit: 64, message: () => count++ });
  tap.see(Buffer.from([0x83, 0]));
  for (let times = 0; times < 5; times++) tap.see(encode({ opcode: 1, final: true, payload: Buffer.from('x'), mask: undefined }));
  assert.equal(count, 0);
});
