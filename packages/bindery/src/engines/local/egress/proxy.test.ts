import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp, request, type IncomingMessage, type RequestOptions, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import type { Target, Verdict } from './decision.ts';
import { dialer } from './dial.ts';
import { createProxy } from './proxy.ts';

const HERE: Verdict = { ok: true, addresses: [{ address: '127.0.0.1', family: 4 }] };
const LIMITS = { connections: 20, idleMs: 60_000 };
const dial = dialer(2000);
const portOf = (server: Server | HttpServer): number => (server.address() as AddressInfo).port;

/** Sends bytes, half-closes, and returns all that comes back. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(bytes);
  return text(socket);
}

describe('proxy', () => {
  const denied: string[] = [];
  let decide: (target: Target) => Promise<Verdict> = async () => HERE;
  const { server, counters } = createProxy({
    decide: (target) => decide(target),
    dial,
    limits: LIMITS,
    onDenied: ({ host }, why) => denied.push(`${host}: ${why}`),
  });
  const seen: IncomingMessage[] = [];
  const bodies: string[] = [];
  const upstream = createHttp(async (incoming, response) => {
    seen.push(incoming);
    bodies.push(await text(incoming));
    response.writeHead(
      201,
      'Made',
      [
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['Connection', 'x-hop'],
        ['X-Hop', '1'],
        ['X-End', '2'],
      ].flat(),
    );
    response.end(incoming.method === 'HEAD' ? '' : `${incoming.url}`);
  });
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  let port = 0;

  before(async () => {
    for (const one of [server, upstream, echo]) await once(one.listen(0, '127.0.0.1'), 'listening');
    port = portOf(server);
  });
  after(() => {
    server.closeAllConnections();
    for (const one of [server, upstream, echo]) one.close();
  });

  const get = async (path: string, options: RequestOptions = {}, body?: string): Promise<{ answer: IncomingMessage; body: string }> => {
    const outgoing = request({ port, host: '127.0.0.1', path, agent: false, ...options });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { answer, body: await text(answer) };
  };

  test('CONNECT carries bytes both ways, also those sent with the request, and half-closes', async () => {
    const reply = await exchange(port, `CONNECT any.test:${portOf(echo)} HTTP/1.1\r\nHost: x\r\n\r\nearly bytes`);
    assert.equal(reply, 'HTTP/1.1 200 Connection established\r\n\r\nearly bytes');
  });

  test('plain HTTP goes on with the address as Host and without what is meant for this hop', async () => {
    const { answer, body } = await get(
      `http://any.test:${portOf(upstream)}/a%2Fb/../c?q=%20#f`,
      {
        method: 'POST',
        headers: {
          host: 'lie.test',
          'proxy-authorization': 'secret',
          connection: 'x-mine, keep-alive',
          'x-mine': '1',
          'x-kept': '1',
          te: 'trailers',
        },
      },
      'body',
    );
    assert.equal(answer.statusCode, 201);
    assert.equal(answer.statusMessage, 'Made');
    assert.equal(body, '/a%2Fb/../c?q=%20');
    assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
    assert.equal(answer.headers['x-hop'], undefined);
    assert.equal(answer.headers['x-end'], '2');
    const last = seen.at(-1)?.headers ?? {};
    assert.equal(last.host, `any.test:${portOf(upstream)}`);
    assert.equal(last['x-kept'], '1');
    for (const name of ['proxy-authorization', 'x-mine', 'te']) assert.equal(last[name], undefined, name);
    assert.equal(bodies.at(-1), 'body');
  });

  test('a body in chunks stays one body, whatever the method', async () => {
    const inner = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    const head = `GET http://any.test:${portOf(upstream)}/chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head}${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`);
    const reply = await text(socket);
    assert.match(reply, /^HTTP\/1.1 201 /);
    assert.equal(bodies.at(-1), inner);
    assert.ok(!seen.some(({ url }) => url === '/smuggled'));
  });

  test('headers named like members of objects do no harm', async () => {
    const { answer } = await get(`http://any.test:${portOf(upstream)}/`, { headers: { constructor: '1', __proto__x: '2', tostring: '3' } });
    assert.equal(answer.statusCode, 201);
    assert.equal(seen.at(-1)?.headers['constructor'], '1');
  });

  test('a refusal tells why in the status line and in the body, and is counted and reported', async () => {
    decide = async () => ({ ok: false, status: 403, why: 'db.test is in a private network', hint: 'Ask.' });
    const tunnel = await exchange(port, 'CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test\r\n\r\n');
    assert.match(tunnel, /^HTTP\/1.1 403 db.test is in a private network\r\n[^]*\r\n\r\ndb.test is in a private network. Ask.\n$/);
    const { answer, body } = await get('http://db.test/');
    assert.equal(`${answer.statusCode} ${body}`, '403 db.test is in a private network. Ask.\n');
    decide = async () => HERE;
    assert.deepEqual(denied, ['db.test: db.test is in a private network', 'db.test: db.test is in a private network']);
    assert.equal(counters.denied, 2);
  });

  test('what is no proxy request is answered 400', async () => {
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET https://x.test/ HTTP/1.1\r\nHost: x\r\n\r\n',
      'CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n',
      'CONNECT a:99999 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n',
    ])
      assert.match(await exchange(port, bytes), /^HTTP\/1.1 400 /, bytes);
  });

  test('a header of 64 KiB is answered 431', async () => {
    assert.match(await exchange(port, `GET http://x.test/ HTTP/1.1\r\nA: ${'a'.repeat(65536)}\r\n\r\n`), /^HTTP\/1.1 431 /);
  });

  test('where nobody listens the answer is 502 and says so', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const gone = portOf(closed);
    closed.close();
    await once(closed, 'close');
    assert.match(
      await exchange(port, `CONNECT any.test:${gone} HTTP/1.1\r\nHost: x\r\n\r\n`),
      new RegExp(`^HTTP/1.1 502 No connection to any.test port ${gone}\r\n`),
    );
    assert.equal((await get(`http://any.test:${gone}/`)).answer.statusCode, 502);
  });

  test('more connections than the limit are told to wait, and room comes back', async () => {
    const open: Socket[] = [];
    for (let index = 0; index < LIMITS.connections; index++) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`CONNECT any.test:${portOf(echo)} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(socket, 'data');
      open.push(socket);
    }
    assert.match(
      await exchange(port, `CONNECT any.test:${portOf(echo)} HTTP/1.1\r\nHost: x\r\n\r\n`),
      /^HTTP\/1.1 503 Too many connections/,
    );
    for (const socket of open) socket.destroy();
    const deadline = Date.now() + 5000;
    while (counters.open > 0 && Date.now() < deadline) await new Promise(setImmediate);
    assert.equal(counters.open, 0);
    assert.match(await exchange(port, `CONNECT any.test:${portOf(echo)} HTTP/1.1\r\nHost: x\r\n\r\nx`), /^HTTP\/1.1 200 /);
  });

  test('bytes are counted', () => {
    assert.ok(counters.bytesUp >= 'early bytes'.length && counters.bytesDown >= 'early bytes'.length, JSON.stringify(counters));
  });
});

test('a silent tunnel is closed after the idle time', async () => {
  const { server } = createProxy({ decide: async () => HERE, dial, limits: { ...LIMITS, idleMs: 50 }, onDenied: () => {} });
  const silent = createServer(() => {});
  for (const one of [server, silent]) await once(one.listen(0, '127.0.0.1'), 'listening');
  const socket = connect(portOf(server), '127.0.0.1');
  socket.write(`CONNECT any.test:${portOf(silent)} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket.resume(), 'close');
  server.close();
  silent.close();
});
