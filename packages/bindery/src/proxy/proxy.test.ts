import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../base/clock.ts';
import { makeLog } from '../base/log.ts';
import { createListener } from './listener.ts';
import { createProxy, type Proxy } from './proxy.ts';

const ID = 'abcdefghijklmnop';
let folder: string;
let session: Server;
let hub: Server;
let proxy: Proxy;
let port: number;
let seen: IncomingMessage;

const answer: RequestListener = (req, res) => {
  seen = req;
  res.setHeader('Set-Cookie', ['a=1; Domain=localhost; Path=/', 'bindery-session=evil']);
  req.pipe(res);
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-'));
  session = createServer(answer);
  const sockets = new WebSocketServer({ server: session });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const socketPath = join(folder, 'nb.sock');
  await new Promise<void>((resolve) => session.listen(socketPath, resolve));
  proxy = createProxy({
    clock: systemClock,
    log: makeLog('silent'),
    hosts: { hub: ['localhost', '127.0.0.1'], sessionSuffix: '.localhost', secure: false },
    explain: () => undefined,
    hubUrl: () => `http://localhost:${port}/`,
  });
  proxy.addRoute({ id: ID, prefix: `/s/${ID}/`, target: { socketPath }, authorization: 'token inner' });
  hub = createListener(proxy, { next: (_, res) => res.end('hub') });
  await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
  port = (hub.address() as AddressInfo).port;
});

after(async () => {
  await proxy.close({ graceMs: 0 });
  hub.closeAllConnections();
  hub.close();
  session.closeAllConnections();
  session.close();
  await rm(folder, { recursive: true });
});

interface Reply {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request({ port, path, method, headers: { host: `localhost:${port}`, ...headers } }, (res) => {
      let text = '';
      res.on('data', (chunk) => (text += String(chunk)));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

test('T1: a program with a token reaches the session, whose own token it never learns', async () => {
  const token = proxy.mintToken(ID);
  const reply = await ask(
    `/s/${ID}/api/status?token=${token}&x=1`,
    { authorization: `token ${token}`, origin: 'https://book.example' },
    'POST',
    'hello',
  );
  assert.equal(reply.status, 200);
  assert.equal(reply.body, 'hello');
  assert.equal(seen.url, `/s/${ID}/api/status?x=1`);
  assert.equal(seen.headers.authorization, 'token inner');
  assert.equal(seen.headers.host, 'localhost');
  assert.equal(seen.headers.origin, 'http://localhost');
  assert.equal(reply.headers['access-control-allow-origin'], '*');
  assert.deepEqual(reply.headers['set-cookie'], [`a=1; Path=/s/${ID}/`]);
});

test('B1: a one-time link gives a browser the cookie, once', async () => {
  const url = new URL(proxy.browserUrl(ID, 'lab/tree/a.ipynb'));
  const host = { host: url.host };
  const opened = await ask(url.pathname + url.search, host);
  assert.equal(opened.status, 303);
  assert.equal(opened.headers.location, `/s/${ID}/lab/tree/a.ipynb`);
  const cookie = opened.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  assert.equal((await ask(url.pathname + url.search, host)).status, 410);
  assert.equal((await ask(url.pathname + url.search, { ...host, cookie })).status, 303);
  assert.equal((await ask(`/s/${ID}/lab`, { ...host, cookie })).status, 200);
  assert.equal(seen.headers.cookie, undefined);
  assert.equal((await ask(`/s/${ID}/lab`, host)).status, 403);
});

test('W1: a WebSocket is joined to the session', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/s/${ID}/api/kernels/k/channels?token=${proxy.mintToken(ID)}`);
  const echoed = await new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('{"header":{"msg_type":"execute_request"}}'));
    socket.on('message', (data: Buffer) => resolve(data.toString()));
    socket.on('error', reject);
  });
  assert.equal(echoed, '{"header":{"msg_type":"execute_request"}}');
  assert.equal(proxy.activity(ID)?.connections, 1);
  socket.close();
});

test('H2: the hub keeps its own paths, and answers no unknown host', async () => {
  assert.equal((await ask('/v2/gh/a/b')).body, 'hub');
  assert.equal((await ask('/', { host: 'evil.example' })).status, 421);
  assert.equal((await ask('/v2/gh/a/b', { host: `${ID}.localhost:${port}` })).status, 404);
});
