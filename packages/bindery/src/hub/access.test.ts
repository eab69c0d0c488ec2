import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { NullEngine } from '../../../../test/fakes/engine.ts';
import { nullHub, type NullHub } from '../../../../test/fakes/null-hub.ts';
import { ownPath } from './callers.ts';

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** A request with exactly these headers: fetch would not send a forged Host or Origin. */
function raw(url: string, path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const req = request({ host: hostname.replace('localhost', '127.0.0.1'), port, path, method, headers }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
        if (res.headers['content-type']?.includes('event-stream') && text.includes('\n\n')) res.destroy();
      });
      res.on('close', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const BODY = JSON.stringify({ link: 'user/repo' });
const NOTHING: Record<string, string> = {};
const WRONG = (key: string): Record<string, string>[] => [
  NOTHING,
  { authorization: 'Bearer wrong' },
  { authorization: `Bearer ${key}x` },
  { cookie: `bindery-hub=${key}` },
  { 'x-launch-key': 'wrong' },
];
const NEEDS_KEY: [string, string][] = [
  ['POST', '/api/v1/launches'],
  ['GET', '/api/v1/launches/aaaaaaaaaaaaaaaa'],
  ['GET', '/api/v1/launches/aaaaaaaaaaaaaaaa/events'],
  ['DELETE', '/api/v1/launches/aaaaaaaaaaaaaaaa'],
  ['GET', '/api/v1/sessions'],
  ['GET', '/api/v1/sessions/aaaaaaaaaaaaaaaa'],
  ['DELETE', '/api/v1/sessions/aaaaaaaaaaaaaaaa'],
  ['POST', '/api/v1/sessions/aaaaaaaaaaaaaaaa/keep-alive'],
  ['POST', '/api/v1/sessions/aaaaaaaaaaaaaaaa/open'],
  ['POST', '/api/v1/sessions/aaaaaaaaaaaaaaaa/share'],
  ['GET', '/api/v1/sessions/aaaaaaaaaaaaaaaa/log'],
  ['GET', '/api/v1/sessions/aaaaaaaaaaaaaaaa/saved'],
  ['GET', '/api/v1/plan?link=u/r'],
  ['GET', '/api/v1/environments'],
  ['POST', '/api/v1/gc'],
  ['POST', '/api/v1/enter'],
  ['POST', '/api/v1/hub/shutdown'],
];

function send(hub: NullHub, method: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const isJson = method === 'POST';
  return raw(hub.url, path, { ...(isJson ? JSON_TYPE : {}), ...headers }, method, isJson ? (path.endsWith('launches') ? BODY : '{}') : '');
}

test('on loopback every change, every list and /build need the key; a wrong one is none', async () => {
  await using hub = await nullHub();
  for (const [method, path] of NEEDS_KEY) {
    for (const headers of WRONG(hub.hub.key)) {
      const { status, text } = await send(hub, method, path, headers);
      assert.ok(
        status === 401 || (status === 404 && 'x-launch-key' in headers),
        `${method} ${path} ${JSON.stringify(headers)}: ${status} ${text}`,
      );
    }
  }
  const build = await raw(hub.url, '/build/gh/user/repo/HEAD', { accept: 'text/event-stream' });
  assert.equal(build.status, 200);
  assert.match(build.text, /^data: \{"phase":"failed","status_code":403,"message":".*key.*\\n"\}\n\n$/);
  assert.equal(hub.engine.sessions.size, 0);
});

test('what only tells is open to everybody', async () => {
  await using hub = await nullHub();
  for (const path of [
    '/health',
    '/versions',
    '/api/repoproviders',
    '/metrics',
    '/badge.svg',
    '/badge_logo.svg',
    '/assets/images/badge.svg',
    '/api/v1/info',
    '/api/v1/providers',
    '/api/v1/openapi.json',
  ])
    assert.equal((await raw(hub.url, path)).status, 200, path);
  assert.equal((await raw(hub.url, '/health', {}, 'HEAD')).status, 200);
});

test('a foreign Host is refused with 421, whatever else the request brings', async () => {
  await using hub = await nullHub();
  const { port } = new URL(hub.url);
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '[::2]', '0.0.0.0']) {
    const { status } = await raw(hub.url, '/api/v1/sessions', { ...hub.auth, host });
    assert.equal(status, 421, host);
  }
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'localhost', 'LOCALHOST'])
    assert.equal((await raw(hub.url, '/api/v1/sessions', { ...hub.auth, host })).status, 200, host);
});

test('pages of other sites, of other ports and of sessions may ask for nothing, even with the key or the cookie', async () => {
  await using hub = await nullHub();
  const own = hub.url;
  const cookie = await letIn(hub);
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:1' },
    { origin: own.replace('localhost', 'abcdefghijklmnop.localhost') },
    { origin: own, 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ];
  for (const headers of foreign) {
    for (const proof of [hub.auth, { cookie }]) {
      for (const [method, path] of NEEDS_KEY) {
        const { status } = await send(hub, method, path, { ...headers, ...proof });
        assert.equal(status, 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
      const build = await raw(hub.url, '/build/gh/user/repo/HEAD', { accept: 'text/event-stream', ...headers, ...proof });
      assert.match(build.text, /"status_code":403/, JSON.stringify(headers));
    }
  }
  assert.equal(hub.engine.sessions.size, 0);
});

/** What a browser gets for the printed link. */
async function letIn(hub: NullHub): Promise<string> {
  const enter = new URL(hub.hub.enterUrl('/sessions'));
  const answer = await raw(hub.url, enter.pathname + enter.search);
  assert.equal(answer.status, 303);
  assert.equal(answer.headers['location'], '/sessions');
  const [setCookie = ''] = answer.headers['set-cookie'] ?? [];
  assert.match(setCookie, /^bindery-hub=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  return setCookie.split(';')[0] ?? '';
}

test('the one-time link lets one browser in; its cookie needs our own page for what changes something', async () => {
  await using hub = await nullHub();
  const enter = new URL(hub.hub.enterUrl());
  assert.equal((await raw(hub.url, enter.pathname + enter.search)).status, 303);
  const again = await raw(hub.url, enter.pathname + enter.search, { accept: 'text/html' });
  assert.equal(again.status, 410);
  assert.match(again.text, /used already/);
  const cookie = await letIn(hub);
  assert.equal((await raw(hub.url, enter.pathname + enter.search, { cookie })).status, 303, 'whoever is in is led on');
  assert.ok(!cookie.includes(hub.hub.key));
  assert.equal((await send(hub, 'GET', '/api/v1/sessions', { cookie })).status, 200);
  assert.equal((await send(hub, 'POST', '/api/v1/launches', { cookie })).status, 401, 'without an Origin');
  const page = { cookie, origin: hub.url.replace('localhost', '127.0.0.1'), host: new URL(hub.url).host.replace('localhost', '127.0.0.1') };
  assert.equal((await send(hub, 'POST', '/api/v1/launches', page)).status, 201);
  assert.equal((await send(hub, 'GET', '/api/v1/sessions', { cookie: `a=b; ${cookie}x` })).status, 401);
});

test('a one-time link leads nowhere but to this hub', () => {
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    'https://evil.example',
    '/..//evil.example',
    '/\t/evil.example',
    '/./\n//evil',
    '',
    'x',
    '/a/../../..//evil.example/',
  ]) {
    const path = ownPath(next);
    assert.equal(new URL(path, 'http://hub.example').host, 'hub.example', next);
  }
  assert.equal(ownPath('/v2/gh/u/r/HEAD?labpath=a%2Fb#c'), '/v2/gh/u/r/HEAD?labpath=a%2Fb#c');
});

test('the key of a launch opens that launch and its session, and no other', async () => {
  await using hub = await nullHub();
  const [mine, other] = [await hub.launch('user/one'), await hub.launch('user/two')];
  const ready = (await hub.events(mine.id)).at(-1);
  await hub.events(other.id);
  assert.ok(ready?.phase === 'ready' && ready.sessionId !== undefined);
  const key = { 'x-launch-key': mine.key ?? '' };
  const view = await raw(hub.url, `/api/v1/launches/${mine.id}`, key);
  assert.equal(view.status, 200);
  assert.match(view.text, /"token":"[\w-]{22}"/);
  assert.equal((await raw(hub.url, `/api/v1/launches/${other.id}`, key)).status, 401);
  assert.equal((await raw(hub.url, `/api/v1/sessions/${ready.sessionId}`, key)).status, 200);
  assert.equal((await raw(hub.url, `/api/v1/sessions/${ready.sessionId}`, { 'x-launch-key': other.key ?? '' })).status, 401);
  assert.equal((await raw(hub.url, '/api/v1/sessions', key)).status, 401);
  assert.equal((await send(hub, 'DELETE', `/api/v1/sessions/${ready.sessionId}`, key)).status, 200);
});

test('an allowed site may launch, with CORS, and open no folder of this machine', async () => {
  const origin = 'https://book.example';
  await using hub = await nullHub({ config: { hub: { allowOrigins: [origin] } } });
  const build = await raw(hub.url, '/build/gh/user/repo/HEAD', { accept: 'text/event-stream', origin, 'sec-fetch-site': 'cross-site' });
  assert.equal(build.headers['access-control-allow-origin'], origin);
  assert.match(build.text, /^data: \{"phase":"(?:built|waiting)"/);
  const preflight = await raw(hub.url, '/api/v1/launches', { origin, 'access-control-request-method': 'POST' }, 'OPTIONS');
  assert.equal(preflight.status, 204);
  assert.match(String(preflight.headers['access-control-allow-headers']), /x-launch-key/);
  assert.equal((await send(hub, 'POST', '/api/v1/launches', { origin })).status, 201);
  const folder = await raw(hub.url, '/api/v1/launches', { ...JSON_TYPE, origin }, 'POST', JSON.stringify({ link: '/etc' }));
  assert.equal(folder.status, 403);
  assert.match(folder.text, /link_forbidden/);
  assert.equal((await raw(hub.url, '/api/v1/sessions', { origin })).status, 401);
  const stranger = await raw(
    hub.url,
    '/api/v1/launches',
    { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    'OPTIONS',
  );
  assert.equal(stranger.headers['access-control-allow-origin'], undefined);
});

test('where no sandbox works, pages launch nothing, and the command line only what is trusted or its own', async () => {
  await using engine = await NullEngine.start({ isolated: false });
  await using hub = await nullHub({ engine });
  const launch = (link: string, headers: Record<string, string>, options = {}): Promise<Answer> =>
    raw(hub.url, '/api/v1/launches', { ...JSON_TYPE, ...headers }, 'POST', JSON.stringify({ link, options }));
  assert.match((await launch('user/repo', hub.auth)).text, /sandbox_unavailable/);
  assert.equal((await launch('user/repo', hub.auth, { trust: true })).status, 201);
  const page = { cookie: await letIn(hub), origin: hub.url, host: new URL(hub.url).host };
  assert.match((await launch('user/repo', page, { trust: true })).text, /sandbox_unavailable/);
  assert.match((await launch('/tmp', page)).text, /sandbox_unavailable/);
});

test('a hub for everybody needs walls and names; there a stranger launches, but lists nothing, within the limit', async () => {
  const open = { open: true, publicUrl: 'https://hub.example', sessionHost: '*.hub.example', launchesPerHour: 2 };
  await using unsafe = await NullEngine.start({ isolated: false });
  await assert.rejects(nullHub({ engine: unsafe, config: { hub: open } }), { code: 'sandbox_unavailable' });
  await assert.rejects(nullHub({ config: { hub: { open: true } } }), { code: 'config_invalid' });
  await assert.rejects(nullHub({ config: { hub: { host: '0.0.0.0' } } }), { code: 'config_invalid' });
  await assert.rejects(nullHub({ config: { hub: { allowOrigins: ['*'] } } }), { code: 'config_invalid' });
  await using hub = await nullHub({ config: { hub: open } });
  const url = `http://127.0.0.1:${hub.port}`;
  const host = { host: 'hub.example' };
  const launch = (): Promise<Answer> => raw(url, '/api/v1/launches', { ...JSON_TYPE, ...host }, 'POST', BODY);
  const first = await launch();
  assert.equal(first.status, 201);
  assert.equal(first.headers['x-ratelimit-remaining'], '1');
  const { id, key } = JSON.parse(first.text) as { id: string; key: string };
  const watched = await raw(url, `/api/v1/launches/${id}/events`, { ...host, accept: 'application/x-ndjson' });
  assert.match(watched.text, /"phase":"ready"/);
  assert.ok(!/"token"|"browserUrl"|\/s\//.test(watched.text), 'a watcher without the key sees no secrets');
  const held = await raw(url, `/api/v1/launches/${id}/events`, { ...host, accept: 'application/x-ndjson', 'x-launch-key': key });
  assert.match(held.text, /"url":"https:\/\/hub\.example\/s\/[a-z2-7]{16}\/","token":"/);
  assert.equal((await raw(url, '/api/v1/sessions', host)).status, 401);
  assert.equal((await raw(url, `/api/v1/launches/${id}`, host, 'DELETE')).status, 401);
  assert.match(
    (await raw(url, '/api/v1/launches', { ...JSON_TYPE, ...host }, 'POST', JSON.stringify({ link: '/etc' }))).text,
    /link_forbidden/,
  );
  const limited = await launch();
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers['retry-after']) > 3000);
});
