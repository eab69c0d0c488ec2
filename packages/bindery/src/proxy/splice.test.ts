import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { ID, proxiedSession, until, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';
import { parseHead } from './head.ts';

let world: ProxiedSession;
let token: string;

before(async () => {
  world = await proxiedSession();
  token = world.proxy.mintToken(ID);
});

after(() => world.close());

const head = (tail: string, key: string, ...lines: string[]): string =>
  [
    `GET /s/${ID}/${tail} HTTP/1.1`,
    'Host: localhost',
    `Authorization: token ${key}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...lines,
    '',
    '',
  ].join('\r\n');

/** Opens a WebSocket to the session and waits for both ends. */
async function joined(tail: string, protocols: string[] = []): Promise<{ client: WebSocket; session: WebSocket }> {
  const count = world.sockets.length;
  const client = new WebSocket(`ws://127.0.0.1:${world.port}/s/${ID}/${tail}?token=${token}`, protocols);
  client.on('error', () => undefined);
  await until(() => world.sockets.length > count && client.readyState === WebSocket.OPEN, 'the WebSocket');
  const session = world.sockets.at(-1);
  assert.ok(session);
  return { client, session };
}

test('W1: bytes pass as they are, whatever their size, also those sent with the request', async () => {
  const { client } = await joined('ws');
  const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 3_000_000];
  for (const size of sizes) {
    const sent = randomBytes(size);
    const came = new Promise<Buffer>((resolve) => client.once('message', resolve));
    client.send(sent);
    assert.ok(sent.equals(await came), `${size} bytes`);
  }
  client.close();
  const text = await new Promise<string>((resolve) => {
    const socket = connect(world.port, '127.0.0.1');
    let got = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      got += String(chunk);
      if (got.includes('early')) socket.destroy();
    });
    socket.on('close', () => resolve(got));
    // One frame "early", masked with zeros, in the same packet as the request.
    socket.write(`${head('ws', token)}\x81\x85\0\0\0\0early`, 'latin1');
  });
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.ok(text.endsWith('\r\n\r\n\x81\x05early'));
});

test('W1: a side that does not read holds the other back, and nothing is lost', async () => {
  const { client, session } = await joined('ws');
  const chunk = Buffer.alloc(1_000_000, 7);
  let received = 0;
  client.pause();
  client.on('message', (data: Buffer) => (received += data.length));
  for (let count = 0; count < 40; count++) session.send(chunk);
  await new Promise((resolve) => setImmediate(resolve));
  await until(() => session.bufferedAmount > 20_000_000, 'back-pressure at the session');
  client.resume();
  await until(() => received === 40_000_000, 'all bytes');
  client.close();
});

test('W4: compression is not offered where messages are read, and passes elsewhere; the subprotocol is the session’s choice', async () => {
  const kernel = await joined('api/kernels/k/channels', ['v1.kernel.websocket.jupyter.org']);
  assert.deepEqual([kernel.client.extensions, kernel.client.protocol], ['', 'v1.kernel.websocket.jupyter.org']);
  const other = await joined('proxy/3000/ws');
  assert.equal(other.client.extensions, 'permessage-deflate');
  for (const { client } of [kernel, other]) client.close();
});

test('W6: when one side ends so does the other, and both when the route goes', async () => {
  const one = await joined('ws');
  one.client.terminate();
  await until(() => one.session.readyState === WebSocket.CLOSED, 'the session’s end');
  const two = await joined('ws');
  two.session.close(4000, 'bye');
  const [code, reason] = await new Promise<[number, string]>((resolve) =>
    two.client.on('close', (code, reason) => resolve([code, reason.toString()])),
  );
  assert.deepEqual([code, reason], [4000, 'bye']);
  const id = 'dddddddddddddddd';
  world.proxy.addRoute({ id, prefix: `/s/${id}/`, target: { socketPath: world.socketPath } });
  const three = new WebSocket(`ws://127.0.0.1:${world.port}/s/${id}/ws?token=${world.proxy.mintToken(id)}`);
  await new Promise((resolve) => three.on('open', resolve));
  world.proxy.removeRoute(id);
  await new Promise((resolve) => three.on('close', resolve));
  assert.equal(world.proxy.activity(id), undefined);
});

/** A proxy before a session that answers an upgrade as `behave` says. */
async function facing(behave: (socket: Socket) => void, tail = ''): Promise<{ text: string; got: string }> {
  let got = '';
  const odd = await proxiedSession({
    proxy: { upgradeMs: 200 },
    upgrade: (_, socket) => {
      socket.on('error', () => undefined).on('data', (chunk) => (got += chunk.toString('latin1')));
      behave(socket);
    },
  });
  const text = await odd.raw(head('ws', odd.proxy.mintToken(ID)) + tail);
  await odd.close();
  return { text, got };
}

test('W3: an answer other than 101 reaches the client, and nothing more of the client reaches the session', async () => {
  const smuggled = `GET /s/${ID}/secret HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const refused = await facing(
    (socket) => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nSet-Cookie: a=b; Path=/\r\n\r\nnoEXTRA'),
    smuggled,
  );
  assert.match(
    refused.text,
    new RegExp(`^HTTP/1\\.1 403 Forbidden\\r\\n[\\s\\S]*Path=/s/${ID}/\\r\\n[\\s\\S]*Connection: close\\r\\n\\r\\nno$`),
  );
  assert.equal(refused.got, '');
  const chunked = await facing(
    (socket) => socket.end('HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'),
    smuggled,
  );
  assert.match(chunked.text, /^HTTP\/1\.1 404 [\s\S]*2\r\nno\r\n0\r\n\r\n$/);
  assert.equal(chunked.got, '');
});

test('W3, E3: a session that does not agree in time, or does not speak HTTP, is answered for', async () => {
  assert.match((await facing(() => undefined)).text, /^HTTP\/1\.1 504 [\s\S]*session_timeout/);
  assert.match((await facing((socket) => socket.destroy())).text, /^HTTP\/1\.1 502 /);
  assert.match((await facing((socket) => socket.write('nonsense\r\n\r\n'))).text, /^HTTP\/1\.1 502 /);
  assert.match((await facing((socket) => socket.write('x'.repeat(70_000)))).text, /^HTTP\/1\.1 502 /);
  assert.match(
    (
      await facing((socket) =>
        socket.write('HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'),
      )
    ).text,
    /^HTTP\/1\.1 401 /,
  );
  const id = 'eeeeeeeeeeeeeeee';
  world.proxy.addRoute({ id, prefix: `/s/${id}/`, target: { socketPath: '/nowhere/nb.sock' } });
  const gone = await world.raw(head('ws', world.proxy.mintToken(id)).replace(ID, id));
  assert.match(gone, /^HTTP\/1\.1 502 [\s\S]*session_unreachable/);
});

test('the head of an answer is taken strictly', () => {
  assert.deepEqual({ ...parseHead('HTTP/1.1 101 Switching Protocols\r\nA: 1\r\na:  2 \r\nB:')?.headers }, { a: ['1', '2'], b: '' });
  for (const text of [
    '',
    'HTTP/2 200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 101 X\r\n folded: 1',
    'HTTP/1.1 101 X\r\nno colon',
    'HTTP/1.1 101 X\r\nA : 1',
    'HTTP/1.1 101 X\r\nA: \x01',
    'HTTP/1.1 101 X\nA: 1',
  ])
    assert.equal(parseHead(text), undefined, JSON.stringify(text));
});
