// The fourteen faults that were measured in configurable-http-proxy 5.3 (F1–F14), each as a test of this proxy.
import assert from 'node:assert/strict';
import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { BinderyError } from '@bindery/wire/errors.ts';
import { ID, OTHER, proxiedSession, until, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';

let world: ProxiedSession;
let token: string;
let now = 1_000_000;
let answer: (req: IncomingMessage, res: ServerResponse) => void;

before(async () => {
  world = await proxiedSession({
    answer: (req, res) => answer(req, res),
    proxy: { clock: { now: () => now, monotonic: () => performance.now() }, patience: { uploadMs: 300 } },
  });
  token = world.proxy.mintToken(ID);
});

after(() => world.close());

const echo = (req: IncomingMessage, res: ServerResponse): void => void req.pipe(res);
const at = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}token=${token}`;
const head = (line: string, ...lines: string[]): string =>
  [`${line} HTTP/1.1`, `Host: localhost:${world.port}`, ...lines, '', ''].join('\r\n');
const get = (path: string, ...lines: string[]): Promise<string> => world.raw(head(`GET ${at(path)}`, ...lines, 'Connection: close'));

test('F1, L3: an upload may take for ever as long as bytes move, and ends when none do', async () => {
  answer = echo;
  assert.equal(world.hub.requestTimeout, 0, 'Node’s own limit of 300 s is off');
  const slow = await new Promise<string>((resolve, reject) => {
    const req = request(
      { port: world.port, path: `/s/${ID}/upload`, method: 'PUT', headers: { host: 'localhost', authorization: `token ${token}` } },
      (res) => {
        let text = '';
        res.on('data', (chunk) => (text += String(chunk))).on('end', () => resolve(text));
      },
    );
    req.on('error', reject);
    let sent = 0;
    const timer = setInterval(() => {
      if (sent++ < 20) req.write('0123456789');
      else {
        clearInterval(timer);
        req.end();
      }
    }, 60);
  });
  assert.equal(slow.length, 200, 'four times as long as a silence may be');
  answer = (req, res) => req.resume().on('end', () => res.end());
  const stalled = await world.raw(head(`PUT ${at(`/s/${ID}/upload`)}`, 'Content-Length: 10', 'Connection: close') + 'abc');
  assert.match(stalled, /^HTTP\/1\.1 408 /);
});

test('F2, A1: who may not send a body is told so before it is read', async () => {
  answer = echo;
  const before = world.seen.length;
  const refused = await new Promise<string>((resolve) => {
    const socket = connect(world.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.write(head(`POST /s/${ID}/api/kernels`, `Content-Length: ${200 * 2 ** 20}`) + 'x'.repeat(1000));
  });
  assert.match(refused, /^HTTP\/1\.1 403 /);
  const asked = await world.raw(head(`POST /s/${ID}/api/kernels`, 'Content-Length: 5', 'Expect: 100-continue', 'Connection: close'));
  assert.match(asked, /^HTTP\/1\.1 403 /, 'and is not asked for it');
  assert.equal(world.seen.length, before);
  const invited = await world.raw(
    head(`POST ${at(`/s/${ID}/x`)}`, 'Content-Length: 5', 'Expect: 100-continue', 'Connection: close') + 'hello',
  );
  assert.match(invited, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*hello/);
  assert.equal(world.seen.at(-1)?.headers.expect, undefined);
});

test('F3, P5: names that objects have by nature are names like any other', async () => {
  for (const path of ['/constructor', '/__proto__/x', '/toString']) assert.equal((await world.ask(path)).body, 'hub');
  for (const path of ['/s/constructor/x', '/s/__proto__/x', '/s/hasOwnProperty']) assert.equal((await world.ask(path)).status, 404);
  answer = echo;
  const polluted = await get(`/s/${ID}/x`, '__proto__: 1', 'constructor: 2');
  assert.match(polluted, /^HTTP\/1\.1 200 /);
  assert.equal(world.seen.at(-1)?.headers['constructor'], '2');
});

test('F4, P2: a malformed escape is the client’s fault', async () => {
  for (const path of [`/s/${ID}/%zz`, `/s/${ID}/%`, `/s/${ID}/a%2`, `/s/${ID}/%00`, '/%zz', `/s/%ff/x`, `/s/${ID}/a\\b`, `/s/${ID}/a#b`])
    assert.match(await get(path), /^HTTP\/1\.1 400 /, path);
  assert.match(await get(`/s/${ID}/%ff%C3%28`), /^HTTP\/1\.1 200 /, 'file names with every legal byte');
});

test('F5, P4: an escaped slash is no separator', async () => {
  assert.match(await get(`/s%2F${ID}/x`), /^HTTP\/1\.1 400 /);
  assert.match(await get(`/s/${ID}%2fx`), /^HTTP\/1\.1 400 /);
  assert.match(await get(`/s/${ID}/contents/a%2Fb`), /^HTTP\/1\.1 200 /);
  assert.match(world.seen.at(-1)?.url ?? '', /\/contents\/a%2Fb$/);
});

test('F5, P1: %40 and @ are one name', async () => {
  world.proxy.addRoute({ id: ID, prefix: `/s/${ID}/@x/`, target: { socketPath: '/nowhere/nb.sock' } });
  for (const name of ['@x', '%40x', '%40%78']) assert.match(await get(`/s/${ID}/${name}/y`), /^HTTP\/1\.1 503 /, name);
  assert.match(await get(`/s/${ID}/x/y`), /^HTTP\/1\.1 200 /);
});

test('F6, P3: dot segments never cross a route', async () => {
  const reached = world.seen.length;
  for (const dots of ['..', '%2e%2e', '.%2E', '%2e.', '.', '%2e'])
    for (const path of [`/s/${ID}/${dots}/${OTHER}/x`, `/${dots}/s/${ID}/x`, `/s/${ID}/${dots}`, `/s/${dots}/${ID}`])
      assert.match(await get(path), /^HTTP\/1\.1 400 /, path);
  assert.equal(world.seen.length, reached);
  for (const name of ['...', '.hidden', '%2ehidden', '..a']) assert.match(await get(`/s/${ID}/${name}`), /^HTTP\/1\.1 200 /, name);
});

test('F7, R3: who a request comes from is the proxy’s to say', async () => {
  await get(
    `/s/${ID}/x`,
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-Proto: https',
    'X-FORWARDED-HOST: evil',
    'Forwarded: for=1.2.3.4',
    'X-Real-IP: 1.2.3.4',
    'X-Forwarded-Prefix: /evil',
    'X-Scheme: https',
    'Via: 1.1 x',
  );
  const { headers } = world.seen.at(-1) ?? {};
  assert.equal(headers?.['x-forwarded-for'], '127.0.0.1');
  assert.equal(headers?.['x-forwarded-proto'], 'http');
  assert.equal(headers?.['x-forwarded-host'], `localhost:${world.port}`);
  assert.equal(headers?.['x-forwarded-port'], String(world.port));
  for (const name of ['forwarded', 'x-real-ip', 'x-forwarded-prefix', 'x-scheme', 'via']) assert.equal(headers?.[name], undefined, name);
});

test('F8, R4: headers of one connection stay on it, also those that Connection names', async () => {
  await get(
    `/s/${ID}/x`,
    'Connection: X-Secret, x-other , close',
    'X-Secret: 1',
    'X-Other: 2',
    'X-Third: 3',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic eA==',
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Trailer: X-T',
  );
  const { headers } = world.seen.at(-1) ?? {};
  for (const name of ['x-secret', 'x-other', 'proxy-connection', 'proxy-authorization', 'keep-alive', 'te', 'trailer'])
    assert.equal(headers?.[name], undefined, name);
  assert.equal(headers?.['x-third'], '3');
  answer = (_, res) => {
    res.writeHead(200, { Connection: 'X-Own, keep-alive', 'X-Own': '1', 'X-Kept': '2', 'Proxy-Connection': 'close' });
    res.end();
  };
  const reply = await world.ask(at(`/s/${ID}/x`));
  assert.deepEqual([reply.headers['x-own'], reply.headers['x-kept'], reply.headers['proxy-connection']], [undefined, '2', undefined]);
});

test('F9, S1: trailers and early hints pass', async () => {
  answer = (_, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    res.writeHead(200, { Trailer: 'X-Sum' });
    res.write('body');
    res.addTrailers({ 'X-Sum': 'abc' });
    res.end();
  };
  const text = await get(`/s/${ID}/x`);
  assert.match(text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK/);
  assert.match(text, /trailer: X-Sum/i);
  assert.match(text, /\r\n0\r\nx-sum: abc\r\n\r\n$/i);
  const old = await world.raw(`GET ${at(`/s/${ID}/x`)} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
  assert.match(old, /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nbody$/, 'a client of HTTP/1.0 gets the body as it is');
});

test('F10, P7: a route that can not work is refused when it is added', () => {
  const good = { id: ID, prefix: `/s/${ID}/y/`, target: { host: '127.0.0.1', port: 1 } };
  const bad = [
    { ...good, target: { socketPath: 'relative.sock' } },
    { ...good, target: { socketPath: `/${'x'.repeat(200)}` } },
    { ...good, target: { host: 'not a host', port: 1 } },
    { ...good, target: { host: '127.0.0.1', port: 0 } },
    { ...good, target: { host: '127.0.0.1', port: 1.5 } },
    ...['x/', '/x', '/x//y/', '/../', '/a/./b/', '/%2F/', '/a b/'].map((prefix) => ({ ...good, prefix })),
    ...['', 'UPPER', 'a.b', '-a', 'a/b'].map((id) => ({ ...good, id })),
    { ...good, prefix: `/s/${OTHER}/` },
  ];
  for (const route of bad) assert.throws(() => world.proxy.addRoute(route), BinderyError, JSON.stringify(route));
});

test('F11, W5: an upgrade to another protocol is ignored, not cut', async () => {
  answer = echo;
  for (const protocol of ['h2c', 'TLS/1.0', 'websocket2', 'h2c, websocket']) {
    const text = await get(`/s/${ID}/x`, `Upgrade: ${protocol}`, 'HTTP2-Settings: AAMAAABkAAQAAP__');
    assert.match(text, /^HTTP\/1\.1 200 /, protocol);
    const upgraded = await world.raw(head(`GET ${at(`/s/${ID}/x`)}`, 'Connection: Upgrade, close', `Upgrade: ${protocol}`));
    assert.match(upgraded, /^HTTP\/1\.1 200 /, protocol);
    assert.equal(world.seen.at(-1)?.headers.upgrade, undefined);
  }
  const post = await world.raw(
    head(`POST ${at(`/s/${ID}/x`)}`, 'Connection: Upgrade, close', 'Upgrade: websocket', 'Content-Length: 2') + 'hi',
  );
  assert.match(post, /^HTTP\/1\.1 200 [\s\S]*hi/);
});

test('F12, L5: an answer under way is finished before the proxy goes', async () => {
  let finish: () => void = () => undefined;
  const draining = await proxiedSession({
    answer: (_, res) => {
      res.writeHead(200, { 'Content-Length': 8 });
      res.write('half');
      finish = () => res.end('full');
    },
  });
  const opened = draining.proxy.mintToken(ID);
  const reply = draining.ask(`/s/${ID}/x?token=${opened}`);
  await until(() => draining.seen.length === 1, 'the request');
  const closing = draining.proxy.close({ graceMs: 5000 });
  const late = await draining.ask(`/s/${ID}/x?token=${opened}`);
  assert.deepEqual([late.status, late.headers['retry-after'], late.headers.connection], [503, '2', 'close']);
  finish();
  assert.equal((await reply).body, 'halffull');
  await closing;
  await draining.close();
});

/** Opens a kernel's WebSocket and waits until the session has it too. */
async function kernelSocket(): Promise<{ client: WebSocket; session: WebSocket }> {
  const count = world.sockets.length;
  const client = new WebSocket(`ws://127.0.0.1:${world.port}${at(`/s/${ID}/api/kernels/k1/channels`)}`);
  await until(() => world.sockets.length > count && client.readyState === WebSocket.OPEN, 'the WebSocket');
  const session = world.sockets.at(-1);
  assert.ok(session);
  return { client, session };
}

const message = (type: string, parent: string | undefined, content: object): string =>
  JSON.stringify({
    header: { msg_id: 'm', msg_type: type },
    parent_header: parent ? { msg_id: 'p', msg_type: parent } : {},
    content,
    channel: 'iopub',
  });

test('F13, V1–V4: what the user and the kernel do counts on a WebSocket; pings, pongs and questions of the page do not', async () => {
  const { client, session } = await kernelSocket();
  const activeAt = (): number => world.proxy.activity(ID)?.activeAt ?? 0;
  let echoes = 0;
  client.on('message', () => echoes++);
  const settle = async (change: () => void, sent: number): Promise<number> => {
    now += 60_000;
    const target = echoes + sent;
    change();
    await until(() => echoes >= target, 'the messages');
    return now - activeAt();
  };
  let pongs = 0;
  session.on('pong', () => pongs++);
  session.ping();
  client.ping();
  await until(() => pongs > 0, 'the pong');
  assert.notEqual(
    await settle(() => session.send(message('stream', 'execute_request', { text: 'x' })), 1),
    0,
    'output alone does not count',
  );
  assert.notEqual(await settle(() => client.send(message('kernel_info_request', undefined, {})), 1), 0);
  assert.equal(await settle(() => client.send(message('execute_request', undefined, { code: '"msg_type"' })), 1), 0);
  assert.notEqual(await settle(() => session.send(message('status', 'kernel_info_request', { execution_state: 'busy' })), 1), 0);
  assert.equal(world.proxy.activity(ID)?.busyKernels, 0);
  assert.equal(await settle(() => session.send(message('status', 'execute_request', { execution_state: 'busy' })), 1), 0);
  assert.equal(world.proxy.activity(ID)?.busyKernels, 1);
  await settle(() => session.send(message('status', 'kernel_info_request', { execution_state: 'idle' })), 1);
  assert.equal(world.proxy.activity(ID)?.busyKernels, 1, 'the answer to a question does not end the work');
  assert.equal(
    await settle(() => session.send(message('status', 'execute_request', { execution_state: 'idle' })), 1),
    0,
    'the end of a long cell counts',
  );
  assert.deepEqual(world.proxy.activity(ID), { activeAt: now, busyKernels: 0, connections: 1 });
  client.terminate();
  await until(() => world.proxy.activity(ID)?.connections === 0, 'the end of the connection');
});

test('F14, V2: what a request wants counts, not what it gets', async () => {
  const counts = async (method: string, tail: string, headers: Record<string, string> = {}): Promise<boolean> => {
    now += 60_000;
    await world.ask(`/s/${ID}/${tail}`, { method, headers: { authorization: `token ${token}`, ...headers } });
    return world.proxy.activity(ID)?.activeAt === now;
  };
  answer = (_, res) => res.writeHead(500).end();
  assert.equal(await counts('POST', 'api/kernels'), true);
  answer = (_, res) => res.writeHead(304).end();
  assert.equal(await counts('PUT', 'api/contents/a.ipynb'), true);
  answer = echo;
  assert.equal(await counts('DELETE', 'api/sessions/x'), true);
  for (const tail of [
    'api/status',
    'api/kernels',
    'api/sessions',
    'api/terminals',
    'api/metrics/v1',
    'metrics',
    'api/contents/',
    'lab/api/settings',
  ])
    assert.equal(await counts('GET', tail), false, tail);
  assert.equal(await counts('OPTIONS', 'api/kernels'), false);
  assert.equal(await counts('POST', 'rstudio/events/get_events'), false);
  assert.equal(await counts('POST', 'proxy/3000/socket.io/'), false);
});
