import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { ID, OTHER, proxiedSession, until, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';

let world: ProxiedSession;
let token: string;

before(async () => {
  world = await proxiedSession({
    limits: { headersMs: 600, ownBodyMs: 400 },
    next: (req, res) => req.resume().on('end', () => res.end('hub')),
  });
  token = world.proxy.mintToken(ID);
});

after(() => world.close());

const alive = async (): Promise<void> => assert.equal((await world.ask(`/s/${ID}/x?token=${token}`)).status, 200);

test('L1: a head that is too large is answered 431, also on a connection that was used before', async () => {
  const long = `X-Long: ${'x'.repeat(66_000)}\r\n\r\n`;
  assert.match(await world.raw(`GET / HTTP/1.1\r\nHost: localhost\r\n${long}`), /^HTTP\/1\.1 431 [\s\S]*request_invalid/);
  assert.match(await world.raw(`GET /${'x'.repeat(66_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`), /^HTTP\/1\.1 431 /);
  const first = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const socket = connect(world.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
  socket.write(first);
  await until(() => text.endsWith('hub'), 'the first answer');
  socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${long}`);
  await until(() => text.includes('HTTP/1.1 431 '), 'the second answer');
  await alive();
});

test('L1: a client that sends its head byte by byte, or nothing at all, is cut', async () => {
  const slow = connect(world.port, '127.0.0.1');
  const silent = connect(world.port, '127.0.0.1');
  let text = '';
  slow.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
  slow.on('error', () => undefined);
  silent.on('error', () => undefined).resume();
  const head = `GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ${'x'.repeat(10_000)}`;
  let at = 0;
  const timer = setInterval(() => slow.write(head[at++] ?? 'x'), 10);
  await until(() => slow.closed && silent.closed, 'the end of both');
  clearInterval(timer);
  assert.match(text, /^HTTP\/1\.1 408 /);
  await alive();
});

test('L4: a body for the hub that does not come is not waited for', async () => {
  const text = await world.raw('POST /api/v1/launches HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
  assert.equal(text, '');
});

test('L2: ten thousand idle connections leave the proxy at work', async () => {
  const limit = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 4096);
  // Both ends are in this process.
  const count = Math.min(10_000, Math.floor((limit - 1000) / 2));
  const quiet = await proxiedSession({ limits: { headersMs: 600_000 } });
  let accepted = 0;
  quiet.hub.on('connection', () => accepted++);
  const sockets: Socket[] = [];
  try {
    while (sockets.length < count) {
      for (let batch = 0; batch < 200; batch++) sockets.push(connect(quiet.port, '127.0.0.1').on('error', () => undefined));
      await until(() => accepted === sockets.length, 'the connections');
    }
    const reply = await quiet.ask(`/s/${ID}/x?token=${quiet.proxy.mintToken(ID)}`);
    assert.equal(reply.status, 200);
    assert.ok(sockets.every((socket) => !socket.closed));
  } finally {
    for (const socket of sockets) socket.destroy();
    await quiet.close();
  }
});

test('CONNECT, TRACE and requests without a host are refused in good form', async () => {
  assert.match(await world.raw('CONNECT evil:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'), /^HTTP\/1\.1 405 /);
  assert.match(await world.raw('TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await world.raw('GET / HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await world.raw('GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421 /);
  assert.match(await world.raw('GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await world.raw('OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
});

test('a host that is said twice is refused', async () => {
  const twice = `GET /s/${ID}/x?token=${token} HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n`;
  assert.match(await world.raw(twice), /^HTTP\/1\.1 400 /);
});

test('requests that try to hide another one are refused', async () => {
  const count = world.seen.length;
  const start = `POST /s/${ID}/x?token=${token} HTTP/1.1\r\nHost: localhost\r\n`;
  const inner = `GET /s/${OTHER}/x HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  for (const framing of [
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
    'Content-Length: +5\r\n\r\nhello',
    'Content-Length: 0x5\r\n\r\nhello',
    'X: y\n Content-Length: 5\r\n\r\nhello',
    'Transfer-Encoding: chunked\r\n\r\n5;\n\r\nhello\r\n0\r\n\r\n',
  ]) {
    const text = await world.raw(start + framing + inner);
    assert.match(text, /^HTTP\/1\.1 (?:400|502) /, framing);
    assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1, `one answer: ${framing}`);
  }
  assert.ok(world.seen.slice(count).every(({ url }) => !url?.includes(OTHER)));
  await alive();
});

const word = fc.constantFrom(
  '/',
  's',
  ID,
  OTHER,
  '..',
  '%2e',
  '%2F',
  '%00',
  '%zz',
  '\\',
  '?',
  '#',
  '&',
  'token=',
  '-/open',
  ';',
  ':',
  '@',
  '//',
  'é',
  '\t',
  ' ',
  '%',
  '*',
  'http://',
  'constructor',
);
const line = fc.array(word, { maxLength: 10 }).map((words) => words.join(''));
const method = fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'get', 'PRI', 'M-SEARCH', 'PROPFIND', '', 'G\0T', 'X'.repeat(50));
const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', 'HTTP/9', '');
const name = fc.constantFrom(
  'Host',
  'host',
  'Cookie',
  'Authorization',
  'Origin',
  'Connection',
  'Upgrade',
  'Content-Length',
  'Transfer-Encoding',
  'Expect',
  'X-\u0000',
  '__proto__',
  'Referer',
  'Sec-Fetch-Site',
  ':path',
);
const value = fc.oneof(
  fc.constantFrom(
    'localhost',
    `${ID}.localhost`,
    'close',
    'upgrade, close',
    'websocket',
    'chunked',
    '100-continue',
    '5',
    '-1',
    'token x',
    'bindery-session=x',
    '\u0001',
    '',
  ),
  fc.string({ maxLength: 30 }),
);
const headers = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((all) => all.map(([key, text]) => `${key}: ${text}\r\n`).join(''));

test('whatever the request says, nothing reaches a session without its key, and the proxy lives', async () => {
  const count = world.seen.length;
  await fc.assert(
    fc.asyncProperty(method, line, version, headers, fc.string({ maxLength: 20 }), async (method, target, version, headers, body) => {
      const text = await world.raw(
        `${method} /${target} ${version}\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n${body}\r\n\r\n`,
      );
      assert.ok(text === '' || /^HTTP\/1\.1 [1-5]\d\d /.test(text), JSON.stringify(text.slice(0, 100)));
    }),
    { numRuns: 400 },
  );
  assert.equal(world.seen.length, count);
  await alive();
});
