import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { subscribe } from './zmtp.ts';

/** A publisher's side, byte by byte as it is told. */
class Peer extends Duplex {
  said = Buffer.alloc(0);
  readonly taken: string[][] = [];

  constructor() {
    super();
    this.on('error', () => undefined);
    subscribe(this, (parts) => this.taken.push(parts.map(String)));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.said = Buffer.concat([this.said, chunk]);
    done();
  }

  async hear(...chunks: readonly Uint8Array[]): Promise<this> {
    for (const chunk of chunks) this.push(Buffer.from(chunk));
    await new Promise((resolve) => setImmediate(resolve));
    return this;
  }
}

function greeting(mechanism = 'NULL', version = 3): Buffer {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = version;
  bytes.write(mechanism, 12);
  return bytes;
}

function ready(type: string): Buffer {
  const body = Buffer.concat([Buffer.from('\x05READY\x0bSocket-Type\0\0\0'), Buffer.from([type.length]), Buffer.from(type)]);
  return Buffer.concat([Buffer.from([4, body.length]), body]);
}

function frame(text: string, hasMore = false, isLong = text.length > 255): Buffer {
  const length = Buffer.alloc(isLong ? 8 : 1);
  if (isLong) length.writeBigUInt64BE(BigInt(text.length));
  else length[0] = text.length;
  return Buffer.concat([Buffer.from([(hasMore ? 1 : 0) | (isLong ? 2 : 0)]), length, Buffer.from(text)]);
}

const messages = fc.array(fc.array(fc.string({ unit: 'binary-ascii', maxLength: 300 }), { minLength: 1, maxLength: 4 }), { maxLength: 10 });

describe('a subscriber by ZMTP', () => {
  it('X1.6 hears the messages of a publisher, in whatever pieces they come', async () => {
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.integer({ min: 1, max: 200 })), async (all, cuts) => {
        const frames = all.flatMap((parts) => parts.map((part, index) => frame(part, index < parts.length - 1)));
        const bytes = Buffer.concat([greeting(), ready('XPUB'), ...frames]);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) chunks.push(bytes.subarray(at, (at += cut)));
        const peer = await new Peer().hear(...chunks.filter(({ length }) => length > 0), bytes.subarray(at));
        assert.deepEqual(peer.taken, all);
        assert.ok(!peer.destroyed);
      }),
    );
  });

  it('X1.6 asks for everything when the publisher is ready, and passes other commands over', async () => {
    const peer = await new Peer().hear();
    assert.equal(peer.said.length, 64);
    await peer.hear(greeting());
    assert.ok(peer.said.subarray(64).includes('READY'));
    const before = peer.said.length;
    await peer.hear(ready('PUB'), Buffer.from([4, 5, 4]), Buffer.from('PING'), frame('a'));
    assert.deepEqual([...peer.said.subarray(before)], [0, 1, 1]);
    assert.deepEqual(peer.taken, [['a']]);
  });

  const huge = Buffer.from([2, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
  for (const [what, ...bytes] of [
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(3))],
    ['speaks ZMTP 2', greeting('NULL', 2)],
    ['wants a password', greeting('PLAIN')],
    ['is a router', greeting(), ready('ROUTER')],
    ['says nothing of what it is', greeting(), Buffer.from([4, 6]), Buffer.from('\x05READY')],
    ['sends before it is ready', greeting(), frame('a')],
    ['sends a frame of eight exabytes', greeting(), ready('PUB'), huge],
    ['sends flags that are none', greeting(), ready('PUB'), Buffer.from([8, 0])],
    ['sends a message that never ends', greeting(), ready('PUB'), Buffer.concat(Array.from({ length: 5000 }, () => frame('', true)))],
  ] as const) {
    it(`X1.6 leaves who ${what}`, async () => {
      const peer = await new Peer().hear(...bytes);
      assert.ok(peer.destroyed);
      assert.deepEqual(peer.taken, []);
    });
  }
});
