import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createListener } from './listener.ts';
import type { Proxy } from './proxy.ts';

/** Takes nothing: every request is the hub's. */
const nothing = { handle: () => false, upgrade: () => false, nothing: () => {} } as unknown as Proxy;

test('an answer may stream for longer than a body may take to arrive; a body that does not arrive is cut (L4)', async () => {
  let stream: ServerResponse | undefined;
  const next = (req: { url?: string }, res: ServerResponse): void => {
    if (req.url === '/stream') (stream = res).write('first\n');
  };
  const server = createListener(nothing, { limits: { ownBodyMs: 100 }, next }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answer = await fetch(`http://127.0.0.1:${port}/stream`);
  // Begun later and cut: by then the time for a body has passed for the stream's request too.
  const socket = connect(port, '127.0.0.1');
  socket.resume();
  socket.write('POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf');
  await once(socket, 'close');
  stream?.end('last\n');
  assert.equal(await answer.text(), 'first\nlast\n');
  server.close();
});
