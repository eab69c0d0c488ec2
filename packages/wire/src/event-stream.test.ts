import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { EventStreamParser, type StreamMessage } from './event-stream.ts';

function parse(...chunks: string[]): StreamMessage[] {
  const parser = new EventStreamParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

describe('the event stream parser', () => {
  it('reads ids and data, and joins data lines', () => {
    assert.deepEqual(parse('id: 3\ndata: {"a":\ndata: 1}\n\n'), [{ id: '3', data: '{"a":\n1}' }]);
  });

  it('passes over comments, other fields, and messages without data', () => {
    assert.deepEqual(parse(':keep-alive\n\nevent: x\nretry: 5\n\nid: 1\n\ndata:x\n\n'), [{ id: '1', data: 'x' }]);
  });

  it('gives the same messages however the text is cut, with every kind of line end', () => {
    const text = 'id: 0\r\ndata: one\r\n\r\n: hello\r\rid: 1\rdata: two\r\rdata: three\n\n';
    const whole = parse(text, '\n');
    assert.deepEqual(
      whole.map((message) => message.data),
      ['one', 'two', 'three'],
    );
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, index) => text.slice(places[index], end));
        assert.deepEqual(parse(...chunks, '\n'), whole);
      }),
    );
  });

  it('gives nothing before a message is complete, and refuses one that never ends', () => {
    assert.deepEqual(parse('data: half'), []);
    const parser = new EventStreamParser();
    const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
    assert.throws(() => Array.from({ length: 8 }, () => parser.push(line)), /does not end/);
  });
});
