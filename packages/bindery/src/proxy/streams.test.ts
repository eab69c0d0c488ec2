import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createListener } from './listener.ts';
import type { Proxy } from './proxy.ts';

/** Takes nothing: every request is the hub's. */
const nothing = { handle: () => false, upgrade: () => false, nothing: () => {} } as unknown as Proxy;

test('an answer may stream for longer than a body may take to arrive; a body that does not arrive is cut (L4)', async () => {
  const server = createListener(nothing, {
    limits: { ownBodyMs: 100 },
    next: (_req, res) => {
      res.write('first\n');
      setTimeout(() => res.end('last\n'), 400);
    },
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/stream`)).text(), 'first\nlast\n');
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.write('POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf');
  await once(socket, 'close');
  assert.doesNotMatch(answer, /last/);
  server.close();
});
