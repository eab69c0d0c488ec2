// Who was given a link to a session, and what that lets them do (rules Z).
import assert from 'node:assert/strict';
import { after, before, describe, it, mock } from 'node:test';
import * as fc from 'fast-check';
import { WebSocket } from 'ws';
import { ROLES, type Role } from '@bindery/wire/roles.ts';
import { ID, OTHER, proxiedSession, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';
import { isWithin } from '../base/within.ts';
import { OWNER, visitorName, mayAsk } from './visitors.ts';

let world: ProxiedSession;
let own: string;
before(async () => {
  world = await proxiedSession({ proxy: { pages: (_id, name, { role }, _req, res) => Boolean(res.end(`${name} for ${role}`)) } });
  own = `${ID}.localhost:${world.port}`;
});
after(() => world.close());

const later = (): number => Date.now() + 60_000;
const share = (role: Role, path = '', until = later()): URL => new URL(world.proxy.shareUrl(ID, 'lab/tree/a.ipynb', { role, path, until }));
const tokenOf = (url: URL): string => url.searchParams.get('share') ?? '';
const asPage = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

/** The cookie of a browser that opened the link. */
async function enter(url: URL, cookie = ''): Promise<string> {
  const reply = await world.ask(url.pathname + url.search, { headers: { host: own, ...asPage, ...(cookie ? { cookie } : {}) } });
  assert.equal(reply.status, 303);
  return /^bindery-session=([^;]+)/.exec(String(reply.headers['set-cookie']))?.[0] ?? cookie;
}

/** Every kind of request that a Jupyter server answers, and whom it is for. */
const REQUESTS: readonly [method: string, path: string, least: Role][] = [
  ['GET', 'api/contents/shared/a.ipynb', 'read'],
  ['GET', 'api/contents/shared', 'read'],
  ['GET', 'api/contents/shared/', 'read'],
  ['GET', 'files/shared/plot.png', 'read'],
  ['PUT', 'api/collaboration/session/shared%2Fa.ipynb', 'read'],
  ['GET', `api/bindery/blobs/${'a'.repeat(64)}`, 'read'],
  ['POST', 'api/bindery/stdin/1', 'execute'],
  ['GET', 'graphql?query={me{role}}', 'read'],
  ['POST', 'graphql', 'read'],
  ['PUT', 'graphql', 'execute'],
  ['POST', 'graphql/', 'execute'],
  ['POST', 'graphql/api/kernels', 'execute'],
  ['GET', 'api/contents', 'execute'],
  ['GET', 'api/contents/', 'execute'],
  ['GET', 'api/contents/secret.txt', 'execute'],
  ['GET', 'api/contents/shared2/a', 'execute'],
  ['GET', 'api/contents/shared%2F..%2Fsecret.txt', 'execute'],
  ['GET', 'files/secret.txt', 'execute'],
  ['PUT', 'api/collaboration/session/secret.ipynb', 'execute'],
  ['GET', 'api/contents/shared/a.ipynb/checkpoints', 'read'],
  ['POST', 'api/contents/shared/a.ipynb/checkpoints', 'execute'],
  ['PUT', 'api/contents/shared/a.ipynb', 'execute'],
  ['PATCH', 'api/contents/shared/a.ipynb', 'execute'],
  ['POST', 'api/contents/shared', 'execute'],
  ['DELETE', 'api/contents/shared/a.ipynb', 'execute'],
  ['GET', 'api/kernels', 'execute'],
  ['POST', 'api/kernels', 'execute'],
  ['POST', 'api/kernels/1/execute', 'execute'],
  ['POST', 'api/kernels/1/interrupt', 'execute'],
  ['POST', 'api/kernels/1/restart', 'execute'],
  ['DELETE', 'api/kernels/1', 'execute'],
  ['GET', 'api/sessions', 'execute'],
  ['POST', 'api/sessions', 'execute'],
  ['PATCH', 'api/sessions/1', 'execute'],
  ['GET', 'api/kernelspecs', 'execute'],
  ['GET', 'api/terminals', 'execute'],
  ['POST', 'api/terminals', 'execute'],
  ['DELETE', 'api/terminals/1', 'execute'],
  ['GET', 'api/status', 'execute'],
  ['GET', 'api/me', 'execute'],
  ['GET', 'api/config/notebook', 'execute'],
  ['PATCH', 'api/config/notebook', 'execute'],
  ['POST', 'api/events', 'execute'],
  ['POST', 'api/shutdown', 'execute'],
  ['GET', 'lab', 'execute'],
  ['GET', 'lab/tree/shared/a.ipynb', 'execute'],
  ['GET', 'notebooks/shared/a.ipynb', 'execute'],
  ['GET', 'nbconvert/html/shared/a.ipynb', 'execute'],
  ['PUT', 'lab/api/settings/a', 'execute'],
  ['PUT', 'lab/api/workspaces/a', 'execute'],
  ['GET', 'static/lab/index.html', 'execute'],
  ['GET', 'proxy/8080/', 'execute'],
  ['POST', 'api/contents/shared/a.ipynb', 'execute'],
  ['POST', 'files/shared/a', 'execute'],
  ['GET', 'api/collaboration/timeline/shared/a.ipynb', 'execute'],
];

describe('visitors of a session', () => {
  for (const role of ROLES)
    it(`Z3 as ${role}: every request of a Jupyter server`, async () => {
      const cookie = await enter(share(role, 'shared'));
      const token = tokenOf(share(role, 'shared'));
      for (const [method, path, least] of REQUESTS) {
        const isAllowed = ROLES.indexOf(role) >= ROLES.indexOf(least);
        const count = world.seen.length;
        const page = await world.ask(`/s/${ID}/${path}`, { method, headers: { host: own, cookie, origin: `http://${own}` } });
        const program = await world.ask(`/s/${ID}/${path}`, { method, headers: { authorization: `token ${token}` } });
        const expected = isAllowed ? 200 : 403;
        assert.deepEqual(
          [page.status, program.status, world.seen.length - count],
          [expected, expected, isAllowed ? 2 : 0],
          `${method} ${path}`,
        );
      }
    });

  for (const role of ROLES)
    it(`Z3 as ${role}: every WebSocket`, async () => {
      const token = tokenOf(share(role, 'shared'));
      const sockets: [string, Role][] = [
        ['api/collaboration/room/json:notebook:a?sessionId=b', 'read'],
        ['api/bindery/room/json:notebook:a', 'read'],
        ['api/bindery/y/json:notebook:a', 'read'],
        ['graphql', 'read'],
        ['graphql/', 'execute'],
        ['api/kernels/1/channels', 'execute'],
        ['terminals/websocket/1', 'execute'],
        ['api/events/subscribe', 'execute'],
        ['api/contents/shared/a.ipynb', 'execute'],
        ['proxy/8080/ws', 'execute'],
      ];
      for (const [path, least] of sockets) {
        const socket = new WebSocket(`ws://127.0.0.1:${world.port}/s/${ID}/${path}`, {
          headers: { host: `localhost:${world.port}`, authorization: `token ${token}` },
        });
        const opened = await new Promise((resolve) => {
          socket.on('open', () => resolve(true));
          socket.on('error', () => resolve(false));
        });
        socket.terminate();
        assert.equal(opened, ROLES.indexOf(role) >= ROLES.indexOf(least), path);
      }
    });

  it('Z1 opens nothing when it was changed, has ended, or is for another session', async () => {
    const good = tokenOf(share('execute'));
    const [role, second, path, signature] = good.split('.');
    const ended = tokenOf(share('execute', '', Date.now() - 1000));
    const other = new URL(world.proxy.shareUrl(OTHER, '', { role: 'execute', path: '', until: later() })).searchParams.get('share') ?? '';
    const bad = [
      ended,
      other,
      ['admin', second, path, signature].join('.'),
      [role, Number(second) + 1, path, signature].join('.'),
      [role, second, 'YQ', signature].join('.'),
      [role, second, path].join('.'),
      `${good}.`,
      `.${good}`,
      good.slice(0, -1),
      '',
    ];
    for (const token of bad) {
      assert.equal((await world.ask(`/s/${ID}/api/status`, { headers: { authorization: `token ${token}` } })).status, 403, token);
      const cookie = `bindery-session=${token}`;
      assert.equal((await world.ask(`/s/${ID}/api/status`, { headers: { host: own, cookie } })).status, 403, token);
      const opened = await world.ask(`/s/${ID}/-/open?share=${token}`, { headers: { host: own, ...asPage } });
      assert.deepEqual([opened.status, opened.headers['set-cookie']], [410, undefined], token);
    }
  });

  it('Z2 takes nothing from who has more, and gives nothing more to who opens it as a page', async () => {
    const full = await world.enter();
    const kept = await world.ask(share('read').pathname + share('read').search, { headers: { host: own, cookie: full, ...asPage } });
    assert.deepEqual([kept.status, kept.headers['set-cookie']], [303, undefined]);
    const reader = await enter(share('read'));
    const editor = await enter(share('edit'), reader);
    assert.notEqual(editor, reader);
    assert.equal(await enter(share('read'), editor), editor);
    const token = tokenOf(share('read'));
    const page = await world.ask(`/s/${ID}/lab?token=${token}`, { headers: asPage });
    const to = new URL(String(page.headers.location));
    assert.deepEqual([page.status, to.searchParams.get('share'), to.searchParams.get('code')], [303, token, null]);
  });

  it('B6 our own pages know whom they are for', async () => {
    const cookie = await enter(share('edit'));
    assert.equal((await world.ask(`/s/${ID}/-/notebook`, { headers: { host: own, cookie } })).body, 'notebook for edit');
    assert.equal(
      (await world.ask(`/s/${ID}/-/notebook`, { headers: { host: own, cookie: await world.enter() } })).body,
      'notebook for admin',
    );
  });

  it('Z4 nobody says of himself who he is', async () => {
    const claims = { 'x-bindery-role': 'admin', 'X-Bindery-Path': '', 'x-bindery-visitor': 'admin' };
    await world.ask(`/s/${ID}/api/contents/shared`, { headers: { authorization: `token ${tokenOf(share('read', 'shared'))}`, ...claims } });
    const names = Object.keys(world.seen.at(-1)?.headers ?? {});
    assert.deepEqual(
      names.filter((name) => name.startsWith('x-bindery')),
      [],
    );
  });

  it('Z4 whoever has the same link has the same name, and nobody else', () => {
    const link = { role: 'execute', path: 'a', until: 1000 } as const;
    const names = [link, { ...link, until: 2000 }, { ...link, path: 'b' }, { ...link, role: 'admin' } as const, OWNER].map(visitorName);
    assert.equal(new Set(names).size, names.length);
    assert.match(visitorName({ ...link }), /^execute-[0-9a-f]{8}$/);
    assert.deepEqual([visitorName({ ...link }), visitorName(OWNER)], [names[0], 'admin']);
  });

  it('Z5 a WebSocket ends with its link', async () => {
    const now = Date.now();
    const url = share('edit', '', now + 60_000);
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const socket = new WebSocket(`ws://127.0.0.1:${world.port}/s/${ID}/api/bindery/room/a`, {
        headers: { host: `localhost:${world.port}`, authorization: `token ${tokenOf(url)}` },
      });
      await new Promise((resolve) => socket.once('open', resolve));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      mock.timers.tick(61_000);
      await closed;
    } finally {
      mock.timers.reset();
    }
  });

  it('Z3 no path leads out of what is shared', () => {
    const piece = fc.constantFrom('shared', '..', '.', '', '%2e%2e', '%2F', 'a', 'secret', '%', '\\');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const file = pieces.join('/');
        if (!mayAsk({ role: 'read', path: 'shared' }, 'GET', `api/contents/${file}`, false)) return;
        const clean = decodeURIComponent(file)
          .split('/')
          .filter((each) => each !== '');
        assert.equal(clean[0], 'shared');
        assert.ok(!clean.includes('..'));
      }),
    );
    assert.ok(isWithin('', 'anything') && !isWithin('', '../a') && !isWithin('a', 'ab'));
  });
});
