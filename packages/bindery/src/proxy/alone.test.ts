// A proxy before one server, without a hub (rules N).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { text as textOf } from 'node:stream/consumers';
import { listening } from '../../../../test/fakes/proxied-session.ts';
import { systemClock } from '../base/clock.ts';
import { makeLog } from '../base/log.ts';
import { createListener } from './listener.ts';
import { createProxy } from './proxy.ts';

const server = createServer((req, res) => {
  res.writeHead(302, { location: `http://${req.headers.host ?? ''}/next`, 'set-cookie': 'theirs=1; Path=/' });
  res.end(JSON.stringify([req.method, req.url, req.headers.authorization, req.headers.origin]));
});
let port = 0;
let there = 0;
const proxy = createProxy({
  clock: systemClock,
  log: makeLog('silent'),
  hosts: { hub: ['127.0.0.1'], sessionSuffix: '', secure: false },
  explain: () => undefined,
  hubUrl: () => `http://127.0.0.1:${port}`,
  portUrl: () => `http://127.0.0.1:${port}`,
  wayIn: 'Ask at the desk.',
});
const door = createListener(proxy, { door: 'alone' });
before(async () => {
  there = await listening(server);
  proxy.addRoute({
    id: 'one',
    prefix: '/',
    target: { host: '127.0.0.1', port: there },
    host: `127.0.0.1:${there}`,
    authorization: 'token inner',
  });
  port = await listening(door);
});
after(async () => {
  await proxy.close({ graceMs: 0 });
  for (const each of [server, door]) each.close();
});

async function ask(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
  const asked = request({ port, host: '127.0.0.1', path, method, headers, agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await textOf(answer) };
}

test('N1 N2 R5 S4 one door for browsers and programs, to a server at the root', async () => {
  const nobody = await ask('/x');
  assert.deepEqual([nobody.status, /Ask at the desk/.test(nobody.body)], [403, true]);
  assert.equal((await ask('/x', { host: 'other.example' })).status, 421);
  const token = proxy.mintToken('one');
  const program = await ask('/x/y?a=1', { authorization: `token ${token}` }, 'POST');
  assert.equal(program.body, JSON.stringify(['POST', '/x/y?a=1', 'token inner', undefined]));
  assert.deepEqual([program.headers.location, program.headers['content-security-policy']], ['/next', 'sandbox']);
  assert.equal((await ask('/x', { 'access-control-request-method': 'GET' }, 'OPTIONS')).status, 204);
  // Opening a page with the token leads in as a browser.
  const page = await ask(`/lab?token=${token}`, { 'sec-fetch-mode': 'navigate' });
  const way = new URL(page.headers.location ?? '');
  const inside = await ask(`${way.pathname}${way.search}`);
  assert.deepEqual([page.status, inside.status, inside.headers.location], [303, 303, '/lab']);
  const cookie = inside.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const origin = `http://127.0.0.1:${port}`;
  const own = await ask('/x', { cookie, origin, authorization: `token ${token}` }, 'POST');
  assert.equal(own.body, JSON.stringify(['POST', '/x', 'token inner', `http://127.0.0.1:${there}`]));
  assert.equal(own.headers['content-security-policy'], undefined);
  // With a cookie that opens, a page of another site gains nothing by a token beside it.
  assert.equal((await ask('/x', { cookie, origin: 'http://other.example', authorization: `token ${token}` }, 'POST')).status, 403);
  assert.equal((await ask('/x', { cookie: 'bindery-session=old', authorization: `token ${token}` })).status, 302);
});
