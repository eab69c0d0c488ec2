import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { ID, OTHER, proxiedSession, type Ask, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';

let world: ProxiedSession;
let token: string;
let cookie: string;
let own: string;

before(async () => {
  world = await proxiedSession({
    proxy: {
      explain: (id) =>
        id === 'endedendedendedx'
          ? { state: 'gone', message: 'It ended: memory <2 GB>.', links: [{ href: 'http://localhost/log?a=1&b="2"', text: 'Log' }] }
          : id === 'startingstarting'
            ? { state: 'starting', message: 'It starts.' }
            : undefined,
      pages: (id, name, _, _req, res) => name === 'state' && Boolean(res.end(`state of ${id}`)),
    },
  });
  token = world.proxy.mintToken(ID);
  cookie = await world.enter();
  own = `${ID}.localhost:${world.port}`;
});

after(() => world.close());

const asPage = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

test('A2: what is not below /s/ on the hub is the hub’s', async () => {
  for (const path of ['/', '/v2/gh/a/b', '/v2/git/https%3A%2F%2Fexample.org%2Fa/HEAD', '/sx', '/static/s/']) {
    assert.equal((await world.ask(path)).body, 'hub', path);
  }
  assert.equal((await world.ask('/s')).body, 'hub');
});

test('H1, H2: unknown hosts are refused, and a session’s host serves that session alone', async () => {
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    `evil.${own}`,
    '.localhost',
    'localhost:x',
    'user@localhost',
    'localhost.',
    '*',
  ])
    assert.equal((await world.ask(`/s/${ID}/lab`, { headers: { host, cookie } })).status, 421, host);
  assert.equal((await world.ask('/v2/gh/a/b', { headers: { host: own, cookie } })).status, 404);
  assert.equal((await world.ask(`/s/${OTHER}/lab`, { headers: { host: own, cookie } })).status, 404);
  assert.equal((await world.ask('/', { headers: { host: own } })).headers.location, `/s/${ID}/`);
  assert.equal((await world.ask(`/s/${ID}/lab`, { headers: { host: own.toUpperCase(), cookie } })).status, 200);
});

test('H3: the second port serves sessions only, one origin for all', async () => {
  const port = world.second;
  const entered = await world.enter(ID, 'port');
  assert.equal((await world.ask(`/s/${ID}/lab`, { port, headers: { cookie: entered } })).status, 200);
  assert.equal((await world.ask(`/s/${OTHER}/lab`, { port, headers: { cookie: entered } })).status, 403);
  assert.equal((await world.ask('/v2/gh/a/b', { port })).status, 404);
  assert.equal((await world.ask(`/s/${ID}/lab`, { port, headers: { cookie: entered, host: own } })).status, 421);
  assert.equal((await world.ask(`/s/${ID}/lab?token=${token}`, { port })).status, 403, 'tokens belong to the hub’s port');
});

test('H4: pages can find out whether the browser reaches session hosts', async () => {
  for (const ask of [{ headers: { host: `probe.localhost:${world.port}` } }, { port: world.second }]) {
    const reply = await world.ask('/-/probe', ask);
    assert.equal(reply.status, 204);
    assert.equal(reply.headers['access-control-allow-origin'], '*');
  }
  assert.equal((await world.ask('/-/probe')).body, 'hub');
});

test('T1–T3: on the hub’s host the token of that session counts, and nothing else', async () => {
  const path = `/s/${ID}/api/status`;
  const open: Ask[] = [
    { headers: { authorization: `token ${token}` } },
    { headers: { authorization: `Bearer ${token}` } },
    { headers: { authorization: `bearer  ${token}` } },
  ];
  for (const ask of open) assert.equal((await world.ask(path, ask)).status, 200, JSON.stringify(ask));
  assert.equal((await world.ask(`${path}?a=1&t%6fken=${token}&b=2`)).status, 200);
  assert.equal(world.seen.at(-1)?.url, `${path}?a=1&b=2`);
  const closed: Ask[] = [
    {},
    { headers: { cookie } },
    { headers: { authorization: 'token inner' } },
    { headers: { authorization: `token ${token.toLowerCase()}` } },
    { headers: { authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` } },
    { headers: { authorization: `token ${world.proxy.mintToken(OTHER)}` } },
    { headers: { authorization: 'token ' } },
  ];
  for (const ask of closed) assert.equal((await world.ask(path, ask)).status, 403, JSON.stringify(ask));
  const page = await world.ask(`/s/${ID}/lab`, { headers: { accept: 'text/html' } });
  assert.equal(page.status, 403);
  assert.match(page.body, new RegExp(`href="http://localhost:${world.port}/sessions/${ID}"`));
});

test('T2: an adopted token opens the session, and a removed route takes its tokens along', async () => {
  const id = 'cccccccccccccccc';
  const route = { id, prefix: `/s/${id}/`, target: { socketPath: world.socketPath } };
  world.proxy.addRoute(route);
  const minted = world.proxy.mintToken(id);
  const headers = { authorization: `token ${minted}` };
  assert.equal((await world.ask(`/s/${id}/x`, { headers })).status, 200);
  assert.equal(world.seen.at(-1)?.headers.authorization, undefined);
  world.proxy.removeRoute(id);
  assert.equal((await world.ask(`/s/${id}/x`, { headers })).status, 404);
  world.proxy.addRoute(route);
  assert.equal((await world.ask(`/s/${id}/x`, { headers })).status, 403);
  const { hash } = await import('node:crypto');
  world.proxy.adoptToken(id, hash('sha256', minted));
  assert.equal((await world.ask(`/s/${id}/x`, { headers })).status, 200);
  world.proxy.removeRoute(id);
});

test('T4, T5: any site may call with a token, after a preflight without one', async () => {
  const headers = {
    origin: 'https://book.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
    'access-control-request-private-network': 'true',
  };
  const before = world.seen.length;
  const preflight = await world.ask(`/s/${ID}/api/kernels`, { method: 'OPTIONS', headers });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], '*');
  assert.equal(preflight.headers['access-control-allow-credentials'], undefined);
  assert.equal(preflight.headers['access-control-allow-headers'], 'authorization,content-type');
  assert.equal(preflight.headers['access-control-allow-private-network'], 'true');
  assert.match(preflight.headers['access-control-allow-methods'] ?? '', /\bPATCH\b/);
  assert.equal(world.seen.length, before, 'the session is not asked');
  const refused = await world.ask(`/s/${ID}/api/kernels`, { headers: { origin: 'https://book.example' } });
  assert.equal(refused.headers['access-control-allow-origin'], '*', 'a page may read why');
});

test('T6: no page of a session runs on the hub’s origin', async () => {
  const page = await world.ask(`/s/${ID}/lab/tree/a%20b.ipynb?reset&token=${token}`, { headers: asPage });
  assert.equal(page.status, 303);
  const url = new URL(page.headers.location ?? '');
  assert.equal(url.host, own);
  assert.equal(url.pathname, `/s/${ID}/-/open`);
  assert.equal(url.searchParams.get('next'), 'lab/tree/a%20b.ipynb?reset');
  const opened = await world.ask(url.pathname + url.search, { headers: { host: url.host } });
  assert.equal(opened.headers.location, `/s/${ID}/lab/tree/a%20b.ipynb?reset`);
  const file = await world.ask(`/s/${ID}/files/a.html?token=${token}`);
  assert.equal(file.headers['content-security-policy'], 'sandbox');
  const worker = await world.ask(`/s/${ID}/files/sw.js?token=${token}`, { headers: { 'service-worker': 'script' } });
  assert.equal(worker.status, 403);
});

test('C1–C4: a one-time link opens its session once, and says so when it is spent', async () => {
  const open = `/s/${ID}/-/open`;
  const code = world.proxy.issueCode(ID);
  const headers = { host: own };
  assert.equal((await world.ask(`${open}?code=${code}`, { headers, method: 'POST' })).status, 405);
  assert.equal((await world.ask(`/s/${OTHER}/-/open?code=${code}`, { headers: { host: `${OTHER}.localhost` } })).status, 410);
  assert.equal((await world.ask(`${open}?code=${code}&token=${token}`)).status, 404, 'not on the hub’s host');
  const first = await world.ask(`${open}?code=${code}&next=lab`, { headers });
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, `/s/${ID}/lab`);
  assert.match(first.headers['set-cookie']?.[0] ?? '', new RegExp(`^bindery-session=[\\w-]{43}; Path=/s/${ID}/; HttpOnly; SameSite=Lax$`));
  const second = await world.ask(`${open}?code=${code}&next=lab`, { headers: { ...headers, ...asPage } });
  assert.equal(second.status, 410);
  assert.match(second.body, new RegExp(`href="http://localhost:${world.port}/sessions/${ID}"`));
  const held = await world.ask(`${open}?code=${code}&next=lab`, { headers: { ...headers, cookie } });
  assert.equal(held.status, 303);
  assert.equal(held.headers['set-cookie'], undefined);
});

test('C5: a link never leads out of its session', async () => {
  for (const next of [
    '//evil',
    '///evil',
    '/\\evil',
    '\\\\evil',
    'http://evil',
    'HTTP://localhost//evil',
    'http:///evil',
    'javascript:alert(1)',
    '../../x',
    '%2e%2e/%2e%2e/x',
    `/s/${OTHER}/lab`,
    '\t//evil',
    'data:text/html,x',
    `..//${OTHER}/`,
    'lab\n//evil',
  ]) {
    const path = `/s/${ID}/-/open?code=${world.proxy.issueCode(ID)}&next=${encodeURIComponent(next)}`;
    const { status, headers } = await world.ask(path, { headers: { host: own } });
    assert.equal(status, 303);
    const led = new URL(headers.location ?? '', `http://${own}`);
    assert.equal(led.host, own, next);
    assert.ok(led.pathname.startsWith(`/s/${ID}/`), next);
  }
});

test('B1, B2: on the session’s host its own cookie counts, one among wrong ones is enough', async () => {
  const path = `/s/${ID}/lab`;
  const good = ['a=b; ', 'bindery-session=wrong; ', 'bindery-session="x"; '].map((before) => before + cookie);
  for (const header of good) assert.equal((await world.ask(path, { headers: { host: own, cookie: header } })).status, 200, header);
  const other = await world.enter(OTHER);
  for (const header of [
    '',
    'bindery-session=',
    'bindery-session=wrong',
    other,
    cookie.toUpperCase(),
    `x${cookie}`,
    cookie.replace('session', 'sessions'),
  ])
    assert.equal((await world.ask(path, { headers: { host: own, cookie: header } })).status, 403, header);
  assert.equal((await world.ask(`${path}?token=${token}`, { headers: { host: own, authorization: `token ${token}` } })).status, 403);
});

/** The matrix: what a browser says about where a request comes from, and whether it may pass with the session's cookie. */
const site = (origin: string | undefined, fetchSite: string | undefined, more: Record<string, string> = {}): Record<string, string> => ({
  ...(origin === undefined ? {} : { origin }),
  ...(fetchSite === undefined ? {} : { 'sec-fetch-site': fetchSite }),
  ...more,
});

test('B3–B5: unsafe requests and WebSockets need the session’s own origin; safe ones must not be another site’s', async () => {
  const self = `http://${own}`;
  const foreign = [
    'http://evil.example',
    `http://localhost:${world.port}`,
    `http://${ID}.localhost:1`,
    `http://${ID}.localhost`,
    `https://${own}`,
  ];
  foreign.push(`http://${OTHER}.localhost:${world.port}`, 'null', `${self}/`, `${self}, ${self}`, `${self}.evil.example`, '');
  const unsafe: [Record<string, string>, boolean][] = [
    [site(self, undefined), true],
    [site(self, 'same-origin'), true],
    [site(self, 'same-site'), false],
    [site(self, 'cross-site'), false],
    [site(self, 'none'), false],
    [site(undefined, 'same-origin'), false],
    [site(undefined, undefined), false],
    ...foreign.map((origin): [Record<string, string>, boolean] => [site(origin, undefined), false]),
    ...foreign.map((origin): [Record<string, string>, boolean] => [site(origin, 'same-origin', { 'sec-fetch-mode': 'no-cors' }), false]),
  ];
  for (const [said, passes] of unsafe) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      const reply = await world.ask(`/s/${ID}/api/contents/a`, { method, headers: { host: own, cookie, ...said } });
      assert.equal(reply.status, passes ? 200 : 403, `${method} ${JSON.stringify(said)}`);
    }
    assert.equal(await upgraded({ cookie, ...said }), passes ? 101 : 403, `WebSocket ${JSON.stringify(said)}`);
  }
  const safe: [Record<string, string>, boolean][] = [
    [{}, true],
    [site(undefined, 'none', asPage), true],
    [site(undefined, 'same-origin'), true],
    [site(undefined, 'cross-site', asPage), true],
    [site(undefined, 'same-site', asPage), true],
    [site(undefined, 'cross-site', { ...asPage, 'sec-fetch-dest': 'iframe' }), false],
    [site(undefined, 'cross-site', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' }), false],
    [site('http://evil.example', 'cross-site', { 'sec-fetch-mode': 'cors' }), false],
    [site(undefined, 'same-site', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }), false],
  ];
  for (const [said, passes] of safe) {
    const reply = await world.ask(`/s/${ID}/lab`, { headers: { host: own, cookie, ...said } });
    assert.equal(reply.status, passes ? 200 : 403, JSON.stringify(said));
  }
});

function upgraded(headers: Record<string, string>, path = `/s/${ID}/api/kernels/k/channels`, host = own): Promise<number> {
  return new Promise((resolve) => {
    const { origin, ...rest } = headers;
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}${path}`, {
      headers: { host, ...rest },
      ...(origin === undefined ? {} : { origin }),
    });
    socket.on('open', () => {
      resolve(101);
      socket.close();
    });
    socket.on('unexpected-response', (_, res) => {
      res.resume();
      resolve(res.statusCode ?? 0);
    });
    socket.on('error', () => resolve(0));
  });
}

test('W2: WebSockets on the hub’s host need a token, from whatever site', async () => {
  const path = `/s/${ID}/api/kernels/k/channels`;
  const host = `localhost:${world.port}`;
  assert.equal(await upgraded({ origin: 'https://book.example', 'sec-fetch-site': 'cross-site' }, `${path}?token=${token}`, host), 101);
  assert.equal(world.seen.at(-1)?.url, path);
  assert.equal(await upgraded({ origin: 'https://book.example' }, path, host), 403);
  assert.equal(await upgraded({ cookie, origin: `http://${host}` }, path, host), 403);
  assert.equal(await upgraded({ cookie, origin: `http://${own}` }, `${path}?token=${token}`, 'evil.example'), 421);
  assert.equal(await upgraded({}, '/elsewhere', host), 404);
});

test('B6: pages of our own inside a session are for whoever is inside', async () => {
  assert.equal((await world.ask(`/s/${ID}/-/state`, { headers: { host: own, cookie } })).body, `state of ${ID}`);
  assert.equal((await world.ask(`/s/${ID}/-/state`, { headers: { host: own } })).status, 403);
  assert.equal((await world.ask(`/s/${ID}/-/nothing`, { headers: { host: own, cookie } })).status, 404);
  assert.equal((await world.ask(`/s/${ID}/-/state?token=${token}`)).status, 404);
});

test('E1, E2: an ended session says why, to people and to programs', async () => {
  const page = await world.ask('/s/endedendedendedx/lab', { headers: asPage });
  assert.equal(page.status, 424);
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
  assert.match(page.body, /<html lang="en">[\s\S]*<title>[^<]+<\/title>[\s\S]*<main>\s*<h1>/);
  assert.ok(
    page.body.includes('It ended: memory &#60;2 GB&#62;.') && page.body.includes('href="http://localhost/log?a=1&#38;b=&#34;2&#34;"'),
  );
  const api = await world.ask('/s/endedendedendedx/api/kernels', { headers: { host: `endedendedendedx.localhost:${world.port}` } });
  assert.equal(api.status, 424);
  const body = JSON.parse(api.body) as { message: string; error: { code: string; retryable: boolean } };
  assert.deepEqual([body.message, body.error.code], ['It ended: memory <2 GB>.', 'session_ended']);
  const starting = await world.ask('/s/startingstarting/api');
  assert.deepEqual([starting.status, starting.headers['retry-after']], [503, '2']);
  assert.equal((await world.ask('/s/nobodynobodynobo/lab')).status, 404);
  assert.equal((await world.ask('/s/<script>alert(1)</script>/lab', { headers: asPage })).body.includes('<script>'), false);
});

test('cookies of an https hub are bound to their host', async () => {
  const secure = await proxiedSession({ proxy: { hosts: { hub: ['hub.example'], sessionSuffix: '.hub.example', secure: true } } });
  const url = new URL(secure.proxy.browserUrl(ID, 'lab'));
  assert.equal(url.protocol, 'https:');
  const headers = { host: `${ID}.hub.example` };
  const opened = await secure.ask(url.pathname + url.search, { headers });
  assert.match(opened.headers['set-cookie']?.[0] ?? '', /^__Host-bindery-session=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
  const held = { ...headers, cookie: opened.headers['set-cookie']?.[0]?.split(';')[0] ?? '' };
  assert.equal((await secure.ask(`/s/${ID}/a`, { headers: { ...held, origin: `https://${ID}.hub.example` }, method: 'POST' })).status, 200);
  assert.equal(secure.seen.at(-1)?.headers['x-forwarded-proto'], 'https');
  assert.equal((await secure.ask(`/s/${ID}/a`, { headers: { ...held, origin: `http://${ID}.hub.example` }, method: 'POST' })).status, 403);
  assert.equal((await secure.ask('/', { headers: { host: 'hub.example' }, port: secure.second })).status, 421);
  await secure.close();
});

test('C4: with the same secret, cookies outlive a restart; with another, they do not', async () => {
  const secret = Buffer.alloc(32, 7);
  const [one, two, three] = [
    await proxiedSession({ proxy: { secret } }),
    await proxiedSession({ proxy: { secret } }),
    await proxiedSession(),
  ];
  const kept = await one.enter();
  assert.equal((await two.ask(`/s/${ID}/lab`, { headers: { host: own, cookie: kept } })).status, 200);
  assert.equal((await three.ask(`/s/${ID}/lab`, { headers: { host: own, cookie: kept } })).status, 403);
  await Promise.all([one.close(), two.close(), three.close()]);
});
