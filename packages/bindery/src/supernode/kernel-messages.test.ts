import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { decodeMessage, encodeMessage, PROTOCOL, type KernelMessage, type KernelProtocol } from './kernel-messages.ts';

const header = { msg_id: 'one', msg_type: 'execute_request', session: 's', username: '', date: '', version: '5.4' };
const protocols = fc.constantFrom<KernelProtocol>(PROTOCOL, '');
const messages: fc.Arbitrary<KernelMessage> = fc.record({
  channel: fc.constantFrom('shell', 'iopub', 'stdin', 'control'),
  header: fc.constant(header),
  parent: fc.constantFrom({}, { msg_id: 'two', msg_type: 'status' }),
  metadata: fc.constant({}),
  content: fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<JsonObject>,
  buffers: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
});

function again(message: KernelMessage, protocol: KernelProtocol): KernelMessage {
  const data = encodeMessage(message, protocol);
  const read = decodeMessage(Buffer.from(data), typeof data !== 'string', protocol);
  return { ...read, buffers: read.buffers.map((buffer) => Uint8Array.from(buffer)) };
}

describe('messages of a kernel', () => {
  it('X1.2 come back from either form as they were', () => {
    fc.assert(
      fc.property(messages, protocols, (message, protocol) =>
        assert.deepEqual(JSON.parse(JSON.stringify(again(message, protocol))), JSON.parse(JSON.stringify(message))),
      ),
    );
  });

  it('X1.3 that are cut off, garbled or nested too deep are none', () => {
    const message = { channel: 'iopub', header, parent: {}, metadata: {}, content: { text: 'x' }, buffers: [new Uint8Array(9)] } as const;
    for (const protocol of [PROTOCOL, ''] as const) {
      const data = Buffer.from(encodeMessage(message, protocol));
      for (let length = 0; length < data.length - 10; length++)
        assert.throws(() => decodeMessage(data.subarray(0, length), true, protocol), `${protocol} ${length}`);
    }
    const deep = JSON.parse(`${'['.repeat(600)}${']'.repeat(600)}`) as never;
    const text = encodeMessage({ ...message, buffers: [], content: { deep } }, '');
    assert.throws(() => decodeMessage(Buffer.from(text), false, ''));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), protocols, (bytes, protocol) => {
        assert.throws(() => decodeMessage(Buffer.from(bytes), true, protocol));
      }),
    );
  });
});
