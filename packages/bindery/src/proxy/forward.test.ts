// What passes between client and session, and what does not (rules R and S).
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ID, listening, proxiedSession, until, type ProxiedSession, type Reply } from '../../../../test/fakes/proxied-session.ts';

let world: ProxiedSession;
let token: string;
let cookie: string;
let own: string;
let answer: (req: IncomingMessage, res: ServerResponse) => void;

before(async () => {
  world = await proxiedSession({ answer: (req, res) => answer(req, res), proxy: { patience: { answerMs: 300, downloadMs: 300 } } });
  token = world.proxy.mintToken(ID);
  cookie = await world.enter();
  own = `${ID}.localhost:${world.port}`;
});

after(() => world.close());

const inside = (headers: Record<string, string | string[]> = {}, method = 'GET', tail = 'x'): Promise<Reply> =>
  world.ask(`/s/${ID}/${tail}`, { method, headers: { host: own, cookie, origin: `http://${own}`, ...headers } });
const byToken = (headers: Record<string, string | string[]> = {}, tail = 'x'): Promise<Reply> =>
  world.ask(`/s/${ID}/${tail}`, { headers: { authorization: `token ${token}`, ...headers } });

test('R1: headers keep their values and repetitions, the query its every character', async () => {
  answer = (_, res) => res.end();
  await byToken({ 'X-CamelCase': ['A b\tc', 'D'], 'accept-language': 'de;q=0.5' }, 'a/b%20c;d=1/?a=%zz&b=ä'.replace('ä', '%C3%A4'));
  const seen = world.seen.at(-1);
  assert.equal(seen?.url, `/s/${ID}/a/b%20c;d=1/?a=%zz&b=%C3%A4`);
  assert.equal(seen?.headers['x-camelcase'], 'A b\tc, D');
});

test('R2: the session sees neither our cookies nor any token, and all others', async () => {
  answer = (_, res) => res.end();
  const other = '__Host-bindery-session=b; BINDERY-key=c; bindery-hub=d; notbindery=e; _xsrf=2|f|g; h';
  await inside(
    { cookie: `a="1"; ${cookie}; ${other}`, authorization: `token ${token}` },
    'GET',
    `x?token=${token}&token=two&tokens=3&to%6ben=4&=5`,
  );
  const seen = world.seen.at(-1);
  assert.equal(seen?.headers.cookie, 'a="1"; notbindery=e; _xsrf=2|f|g; h');
  assert.equal(seen?.headers.authorization, 'token inner');
  assert.equal(seen?.url, `/s/${ID}/x?tokens=3&=5`);
  assert.equal(JSON.stringify(seen?.rawHeaders).includes(token), false);
  await inside();
  assert.equal(world.seen.at(-1)?.headers.cookie, undefined);
});

test('R5, R6: host, origin and referrer are those that Jupyter takes for its own', async () => {
  answer = (_, res) => res.end();
  await inside({ referer: `http://${own}/s/${ID}/lab/tree/a.ipynb?token=secret#x` }, 'POST');
  const { headers } = world.seen.at(-1) ?? {};
  assert.deepEqual(
    [headers?.host, headers?.origin, headers?.referer],
    ['localhost', 'http://localhost', `http://localhost/s/${ID}/lab/tree/a.ipynb`],
  );
  await byToken({ referer: 'https://book.example/page?secret=1', origin: 'null' });
  assert.deepEqual([world.seen.at(-1)?.headers.referer, world.seen.at(-1)?.headers.origin], ['https://book.example/', 'http://localhost']);
  await byToken({ referer: 'nonsense' });
  assert.equal(world.seen.at(-1)?.headers.referer, undefined);
});

test('S1: status, reason, bodies of every kind and repeated headers pass', async () => {
  const body = gzipSync('x'.repeat(100_000));
  answer = (_, res) =>
    res
      .writeHead(207, 'Odd Status', { 'Content-Encoding': 'gzip', 'Content-Length': body.length, Vary: ['a', 'b'], ETag: '"x"' })
      .end(body);
  const zipped = await byToken();
  assert.deepEqual([zipped.status, zipped.headers['content-length'], zipped.headers.etag], [207, String(body.length), '"x"']);
  for (const [status, method] of [
    [204, 'GET'],
    [304, 'GET'],
    [200, 'HEAD'],
  ] as const) {
    answer = (_, res) => res.writeHead(status, { ETag: '"x"', ...(status === 200 ? { 'Content-Length': '12345' } : {}) }).end();
    const reply = await inside({}, method);
    assert.deepEqual([reply.status, reply.body, reply.headers.etag], [status, '', '"x"']);
  }
  answer = (_, res) => {
    res.write('a'.repeat(300_000));
    setImmediate(() => res.end('b'));
  };
  assert.equal((await byToken()).body.length, 300_001);
});

test('S1: a stream’s bytes are shown as they come', async () => {
  let session: ServerResponse | undefined;
  answer = (_, res) => {
    session = res;
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write('data: 1\n\n');
  };
  const { request } = await import('node:http');
  let text = '';
  const ended = new Promise<void>((resolve) => {
    request({ port: world.port, path: `/s/${ID}/events`, headers: { host: 'localhost', authorization: `token ${token}` } }, (res) => {
      res.on('data', (chunk) => (text += String(chunk))).on('end', resolve);
    }).end();
  });
  await until(() => text === 'data: 1\n\n', 'the first event');
  session?.end('data: 2\n\n');
  await ended;
  assert.equal(text, 'data: 1\n\ndata: 2\n\n');
});

test('S2: cookies of a session are bound to it, and never ours', async () => {
  answer = (_, res) => {
    res.setHeader('Set-Cookie', [
      'a=1; Domain=localhost; Path=/; HttpOnly; SameSite=Strict',
      'b=2; path=/s/; DOMAIN=.localhost',
      `c=3; Path=/s/${ID}/deep/; Max-Age=5`,
      `d=4; Path=/s/${ID}`,
      'e=5',
      'bindery-session=evil; Path=/',
      '__Host-Bindery-session=evil',
      ' bindery-hub=evil',
    ]);
    res.end();
  };
  for (const reply of [await byToken(), await inside()])
    assert.deepEqual(reply.headers['set-cookie'], [
      `a=1; Path=/s/${ID}/; HttpOnly; SameSite=Strict`,
      `b=2; Path=/s/${ID}/`,
      `c=3; Path=/s/${ID}/deep/; Max-Age=5`,
      `d=4; Path=/s/${ID}/`,
      'e=5',
    ]);
});

test('S3, S4, T4: what would reach beyond the session is dropped', async () => {
  answer = (_, res) => {
    res.writeHead(302, {
      Location: `http://localhost/s/${ID}/lab?`,
      'Service-Worker-Allowed': '/',
      'Clear-Site-Data': '"*"',
      'Strict-Transport-Security': 'max-age=1',
      'Alt-Svc': 'h3=":1"',
      'Report-To': '{}',
      NEL: '{}',
      'Access-Control-Allow-Origin': 'http://evil',
      'Access-Control-Allow-Credentials': 'true',
      'Content-Security-Policy': "frame-ancestors 'self'",
    });
    res.end();
  };
  const reply = await byToken();
  assert.equal(reply.headers.location, `/s/${ID}/lab?`);
  for (const name of [
    'service-worker-allowed',
    'clear-site-data',
    'strict-transport-security',
    'alt-svc',
    'report-to',
    'nel',
    'access-control-allow-credentials',
  ])
    assert.equal(reply.headers[name], undefined, name);
  assert.equal(reply.headers['access-control-allow-origin'], '*');
  assert.deepEqual(
    reply.rawHeaders.filter((_, index, all) => all[index - 1]?.toLowerCase() === 'content-security-policy'),
    ["frame-ancestors 'self'", 'sandbox'],
  );
  for (const location of ['https://example.org/', 'http://localhost//evil', '/s/x', 'http://localhost.evil/', 'relative'])
    assert.equal((await relocated(location)).headers.location, location);
});

function relocated(location: string): Promise<Reply> {
  answer = (_, res) => res.writeHead(302, { Location: location }).end();
  return byToken();
}

test('E3: a session that is not there, breaks off or keeps silent is answered for', async () => {
  answer = (req) => req.socket.destroy();
  assert.equal((await byToken()).status, 502);
  answer = (req) => req.socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n');
  assert.equal((await byToken()).status, 502);
  answer = (req) => req.socket.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n');
  assert.equal((await byToken()).status, 502);
  answer = () => undefined;
  assert.equal((await byToken()).status, 504);
  answer = (_, res) => {
    res.writeHead(200, { 'Content-Length': 10 }).write('half');
    res.socket?.destroySoon();
  };
  await assert.rejects(byToken(), 'cut short, not completed');
  const id = 'ffffffffffffffff';
  world.proxy.addRoute({ id, prefix: `/s/${id}/`, target: { socketPath: '/nowhere/nb.sock' } });
  const gone = await world.ask(`/s/${id}/x`, {
    headers: { authorization: `token ${world.proxy.mintToken(id)}`, accept: 'application/json' },
  });
  assert.deepEqual([gone.status, gone.headers['retry-after'], gone.headers['access-control-allow-origin']], [503, '5', '*']);
});

test('E3: a request under way when its session ends is told so', async () => {
  const id = 'gggggggggggggggg';
  world.proxy.addRoute({ id, prefix: `/s/${id}/`, target: { socketPath: world.socketPath } });
  answer = () => world.proxy.removeRoute(id);
  const reply = await world.ask(`/s/${id}/x`, { headers: { authorization: `token ${world.proxy.mintToken(id)}` } });
  assert.deepEqual([reply.status, reply.body.includes('session_ended')], [424, true]);
});

test('a client that goes away takes its request along', async () => {
  let gone = false;
  answer = (_, res) => void res.on('close', () => (gone = !res.writableFinished));
  const { connect } = await import('node:net');
  const socket = connect(world.port, '127.0.0.1');
  const count = world.seen.length;
  socket.write(`GET /s/${ID}/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: token ${token}\r\n\r\n`);
  await until(() => world.seen.length > count, 'the request');
  socket.destroy();
  await until(() => gone, 'the end at the session');
});

test('an early answer to a long upload reaches its sender', async () => {
  answer = (_, res) => res.writeHead(413).end('too large');
  const reply = await world.ask(`/s/${ID}/x`, {
    method: 'PUT',
    headers: { authorization: `token ${token}` },
    body: Buffer.alloc(30_000_000),
  });
  assert.deepEqual([reply.status, reply.body], [413, 'too large']);
});

test('a session on a host and port is reached as well', async () => {
  const server = createServer((req, res) => res.end(`${req.headers.host} ${req.url}`));
  const port = await listening(server);
  const id = 'hhhhhhhhhhhhhhhh';
  world.proxy.addRoute({ id, prefix: `/s/${id}/`, target: { host: '127.0.0.1', port } });
  const reply = await world.ask(`/s/${id}/x`, { headers: { authorization: `token ${world.proxy.mintToken(id)}` } });
  assert.equal(reply.body, `localhost /s/${id}/x`);
  world.proxy.removeRoute(id);
  server.close();
});
