import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { WebSocketServer } from 'ws';
import { OWN } from './dialect.ts';
import { Frames, socketMember } from './socket-member.ts';

it('B1 messages that wait count by what they take, however small they are', () => {
  const gone: (() => void)[] = [];
  let [writableLength, drained] = [0, 0];
  const socket = {
    get writableLength() {
      return writableLength;
    },
    write(frame: Uint8Array, done: () => void = () => undefined) {
      writableLength += frame.length;
      gone.push(() => {
        writableLength -= frame.length;
        done();
      });
    },
    cork: () => undefined,
    uncork: () => undefined,
  };
  const open = { readyState: 1 as const, close: () => undefined };
  const member = socketMember(open, socket as never, new Frames(), { role: 'edit', user: {}, dialect: OWN }, () => (drained += 1));
  for (let count = 0; count < 10_000; count++) member.send(new Uint8Array(1));
  assert.ok(member.waiting() > 4 * 1024 * 1024, `${member.waiting()} bytes`);
  for (const end of gone) end();
  // The first found nothing before it and had not to wait.
  assert.deepEqual([member.waiting(), drained], [0, 9999]);
});

it('messages of every length arrive whole, between those of the WebSocket’s own', async () => {
  const lengths = [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 3_000_000, 2];
  const sockets = new WebSocketServer({ noServer: true });
  const http = createServer().on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (open) => {
      const member = socketMember(open, socket, new Frames(), { role: 'edit', user: {}, dialect: OWN }, () => undefined);
      for (const length of lengths) {
        member.send(new Uint8Array(length).fill(length % 251));
        open.ping();
      }
      member.close(4400, 'enough');
      member.send(new Uint8Array(1));
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  client.binaryType = 'arraybuffer';
  const heard: Uint8Array[] = [];
  client.addEventListener('message', ({ data }) => heard.push(new Uint8Array(data as ArrayBuffer)));
  const code = await new Promise((resolve) => client.addEventListener('close', (event) => resolve(event.code)));
  assert.equal(code, 4400);
  assert.deepEqual(
    heard.map((each) => each.length),
    lengths,
  );
  assert.ok(heard.every((each) => each.every((byte) => byte === each.length % 251)));
  http.close();
});
