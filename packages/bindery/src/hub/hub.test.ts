import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile, mkdir } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { array, assert as assertProperty, asyncProperty, nat } from 'fast-check';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import { LaunchEvent } from '@bindery/wire/events.ts';
import { parseLink } from '@bindery/wire/link.ts';
import { NullEngine } from '../../../../test/fakes/engine.ts';
import { nullHub, type NullHub } from '../../../../test/fakes/null-hub.ts';
import { nullPipeline } from '../../../../test/fakes/pipeline.ts';
import { SUMMARIES } from './openapi.ts';
import { readRecord } from '../base/state-lock.ts';

type Ready = Extract<LaunchEvent, { phase: 'ready' }>;

/** Launches and waits for the end. */
async function ready(
  hub: NullHub,
  link = 'user/repo',
  options: Record<string, unknown> = {},
): Promise<Ready & { key: string; launchId: string }> {
  const { id, key = '' } = await hub.launch(link, { options });
  const last = (await hub.events(id)).at(-1);
  assert.ok(last?.phase === 'ready', JSON.stringify(last));
  return { ...last, key, launchId: id };
}

function status(session: Pick<Ready, 'url' | 'token'>): Promise<Response> {
  return fetch(`${session.url}api/status`, { headers: { authorization: `token ${session.token}` } });
}

test('a launch runs to ready, and its holder reaches the session by the token', async () => {
  await using hub = await nullHub();
  const launch = await hub.launch('user/repo');
  assert.equal(launch.state, 'running');
  assert.match(launch.key ?? '', /^[\w-]{32}$/);
  const events = await hub.events(launch.id);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index),
  );
  const last = events.at(-1);
  assert.ok(last?.phase === 'ready' && last.browserUrl !== undefined);
  assert.deepEqual(await (await status(last)).json(), {
    url: `/s/${last.sessionId}/api/status`,
    authorization: `token jupyter-${last.sessionId}`,
  });
  const view = (await (await hub.fetch(`/api/v1/launches/${launch.id}`)).json()) as Record<string, unknown>;
  assert.equal(view['state'], 'ready');
  assert.equal(view['key'], undefined, 'the key is told once');
});

test('what is stored of a launch holds neither key, token nor address', async () => {
  await using hub = await nullHub();
  const session = await ready(hub);
  await hub.hub.close('keep');
  const names = (await readdir(hub.state, { recursive: true })).filter((name) => /\.(?:nd)?json$/.test(name));
  assert.deepEqual(new Set(names.map((name) => name.split('/')[0])), new Set(['launches', 'routes']));
  const stored = (await Promise.all(names.map((name) => readFile(join(hub.state, name), 'utf8')))).join('\n');
  assert.match(stored, /"phase":"ready"/);
  for (const secret of [session.token ?? '?', session.key, hub.hub.key, 'code=']) assert.ok(!stored.includes(secret), secret);
  assert.equal((await stat(join(hub.state, 'hub.key'))).mode & 0o777, 0o600);
});

test('a stream that is cut anywhere and taken up by Last-Event-ID or ?after= gives every entry once', async () => {
  await using hub = await nullHub();
  const { launchId } = await ready(hub);
  const all = await hub.events(launchId);
  const read = async (after: number, byHeader: boolean, cut: number): Promise<LaunchEvent[]> => {
    const query = byHeader || after < 0 ? '' : `?after=${after}`;
    const headers = byHeader && after >= 0 ? { 'last-event-id': String(after) } : undefined;
    const response = await hub.fetch(`/api/v1/launches/${launchId}/events${query}`, headers ? { headers } : {});
    if (response.status === 204) return [];
    const blocks = (await response.text()).slice(0, cut).split('\n\n').slice(0, -1);
    return blocks.map((block) => {
      const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(block) ?? [];
      const event = LaunchEvent.parse(JSON.parse(data ?? ''));
      assert.equal(String(event.seq), id);
      return event;
    });
  };
  await assertProperty(
    asyncProperty(array(nat(2000), { maxLength: 8 }), array(nat(1), { minLength: 9, maxLength: 9 }), async (cuts, ways) => {
      const seen: LaunchEvent[] = [];
      for (const [index, cut] of [...cuts, Infinity].entries()) seen.push(...(await read(seen.at(-1)?.seq ?? -1, ways[index] === 1, cut)));
      assert.deepEqual(
        seen.map(({ seq, phase, message }) => ({ seq, phase, message })),
        all.map(({ seq, phase, message }) => ({ seq, phase, message })),
      );
    }),
    { numRuns: 25 },
  );
});

test('twenty launches at once: twenty sessions', async () => {
  await using hub = await nullHub();
  const sessions = await Promise.all(Array.from({ length: 20 }, () => ready(hub)));
  assert.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 20);
  for (const session of sessions) assert.equal((await status(session)).status, 200);
});

test('a launch that is cancelled ends as cancelled and leaves no session, even one that was just started', async () => {
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const { launch: run, ...others } = nullPipeline();
  const deaf = async (...[request, ctx]: Parameters<typeof run>): ReturnType<typeof run> => {
    const made = await run(request, { ...ctx, signal: new AbortController().signal });
    started.resolve();
    await gate.promise;
    return made;
  };
  await using hub = await nullHub({ pipeline: { ...others, launch: deaf } });
  const { id } = await hub.launch('user/repo');
  await started.promise;
  assert.equal(hub.engine.sessions.size, 1);
  const cancelling = hub.hub.launches.cancel(await hub.hub.launches.get(id));
  gate.resolve();
  await cancelling;
  assert.equal(hub.engine.sessions.size, 0);
  for (const method of ['GET', 'DELETE']) {
    const view = (await (await hub.fetch(`/api/v1/launches/${id}`, { method })).json()) as { state: string; last: { code: string } };
    assert.deepEqual([view.state, view.last.code], ['cancelled', 'cancelled'], method);
  }
});

test('the same idempotency key gives the same launch with its key; another one another', async () => {
  await using hub = await nullHub();
  const post = async (once: string): Promise<{ id: string; key: string }> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': once };
    const response = await hub.fetch('/api/v1/launches', { method: 'POST', body: '{"link":"user/repo"}', headers });
    return (await response.json()) as { id: string; key: string };
  };
  const [first, second, other] = [await post('a'), await post('a'), await post('b')];
  assert.deepEqual([second.id, second.key], [first.id, first.key]);
  assert.notEqual(other.id, first.id);
});

test('failures are told with code, phase, hint and log tail; faults of ours as such', async () => {
  await using hub = await nullHub();
  const fail = async (link: string): Promise<LaunchEvent | undefined> => (await hub.events((await hub.launch(link)).id)).at(-1);
  const broken = await fail('user/broken');
  assert.ok(broken?.phase === 'failed');
  assert.deepEqual(
    [broken.code, broken.during, broken.retryable, broken.logTail],
    ['build_failed', 'building', false, 'line one\nline two'],
  );
  assert.match(broken.hint, /mend the step/);
  const bug = await fail('user/bug');
  assert.ok(bug?.phase === 'failed');
  assert.deepEqual([bug.code, bug.retryable], ['internal', true]);
  assert.ok(!bug.message.includes('undefined'));
});

test('bad requests are answered by code, and with the right status', async () => {
  await using hub = await nullHub();
  const post = (body: string, type = 'application/json'): Promise<Response> =>
    hub.fetch('/api/v1/launches', { method: 'POST', body, headers: { 'content-type': type } });
  const cases: [Promise<Response>, number, string][] = [
    [post('{"link":""}'), 400, 'request_invalid'],
    [post('{"link":"u/r","opt":1}'), 400, 'request_invalid'],
    [post('{"link":"u/r","options":{"trus":true}}'), 400, 'request_invalid'],
    [post('{nonsense'), 400, 'request_invalid'],
    [post(`{"link":"${'x'.repeat(70_000)}"}`), 413, 'request_invalid'],
    [post('link=u/r', 'application/x-www-form-urlencoded'), 415, 'request_invalid'],
    [post('{"link":"ext::sh -c id"}'), 403, 'link_forbidden'],
    [post('{"link":"--upload-pack=id"}'), 400, 'link_invalid'],
    [post('{"link":"u/r","options":{"urlpath":"//evil.example/"}}'), 400, 'link_invalid'],
    [post('{"link":"u/r\\u0000"}'), 400, 'link_invalid'],
    [hub.fetch('/api/v1/launches/aaaaaaaaaaaaaaaa'), 404, 'launch_not_found'],
    [hub.fetch('/api/v1/launches/..%2f..%2fhub.key'), 404, 'launch_not_found'],
    [hub.fetch('/api/v1/sessions/aaaaaaaaaaaaaaaa'), 404, 'session_not_found'],
    [hub.fetch('/api/v1/sessions/constructor'), 404, 'session_not_found'],
    [hub.fetch('/api/v1/nothing'), 404, 'not_found'],
  ];
  for (const [answer, code, name] of cases) {
    const response = await answer;
    const body = (await response.json()) as { error: { code: string; hint: string } };
    assert.deepEqual([response.status, body.error.code], [code, name]);
    assert.ok(body.error.hint.length > 5);
  }
});

test('sessions: listed, kept alive, opened anew, read, stopped; afterwards it is told what became of them', async () => {
  await using hub = await nullHub();
  const session = await ready(hub);
  const path = `/api/v1/sessions/${session.sessionId}`;
  const get = async (url: string, method = 'GET'): Promise<Record<string, unknown>> =>
    (await (await hub.fetch(url, { method })).json()) as Record<string, unknown>;
  const view = await get(path);
  assert.deepEqual([view['state'], view['endsBecause'], view['memoryBytes'], view['diskBytes']], ['running', 'idle', 1_000_000, 5000]);
  const kept = await get(`${path}/keep-alive`, 'POST');
  assert.ok(String(kept['endsAt']) >= String(view['endsAt']));
  const opened = await get(`${path}/open`, 'POST');
  assert.match(String(opened['url']), new RegExp(`^http://${session.sessionId}\\.localhost:\\d+/s/${session.sessionId}/-/open\\?code=`));
  assert.equal(await (await hub.fetch(`${path}/log`)).text(), `log of ${session.sessionId}\n`);
  assert.equal((await hub.fetch(`${path}/saved`)).status, 404);
  assert.equal((await get(path, 'DELETE'))['endReason'], 'stopped');
  const gone = await fetch(`${session.url}api/status`, { headers: { authorization: `token ${session.token}` } });
  assert.equal(gone.status, 424);
  assert.match(await gone.text(), /The session was stopped/);
  assert.equal((await hub.fetch(`${path}/open`, { method: 'POST' })).status, 404);
  const { sessions } = (await get('/api/v1/sessions')) as unknown as { sessions: { state: string }[] };
  assert.deepEqual(
    sessions.map(({ state }) => state),
    ['ended'],
  );
});

test('changed files that were saved at the end can be downloaded', async () => {
  await using hub = await nullHub();
  const session = await ready(hub);
  const archive = join(hub.state, 'saved.tar.gz');
  await writeFile(archive, 'archive');
  hub.engine.savedWork.set(session.sessionId ?? '', { path: archive, bytes: 7 });
  hub.engine.endSession(session.sessionId ?? '', 'memory', { savedBytes: 7, message: 'It used more than 2 GB of memory.' });
  const saved = await hub.fetch(`/api/v1/sessions/${session.sessionId}/saved`, { headers: { 'x-launch-key': session.key } });
  assert.equal(saved.headers.get('content-disposition'), `attachment; filename="${session.sessionId}.tar.gz"`);
  assert.equal(await saved.text(), 'archive');
  assert.match(await (await status(session)).text(), /more than 2 GB/);
  const [response] = (await once(get(session.url ?? '', { headers: { accept: 'text/html' } }), 'response')) as [IncomingMessage];
  const page = await text(response);
  const again = /<a href="([^"]*)">Start again with my changes</.exec(page)?.[1];
  assert.match(again ?? page, new RegExp(`^http://localhost:\\d+/v2/gh/user/repo/a{40}\\?restore=${session.sessionId}$`));
});

test('saved work is restored by who holds the session, while it is kept', async () => {
  const asked: LaunchOptions[] = [];
  const pipeline = nullPipeline({ during: async ({ options }) => void asked.push(options) });
  await using hub = await nullHub({ pipeline });
  const link = 'https://github.com/user/repo';
  const session = await ready(hub);
  const id = session.sessionId ?? '';
  const restore = (headers: Record<string, string>, restored = id): Promise<Response> =>
    hub.fetch('/api/v1/launches', {
      method: 'POST',
      body: JSON.stringify({ link, options: { restore: restored } }),
      headers: { 'content-type': 'application/json', ...headers },
    });
  const refused = async (answer: Promise<Response>): Promise<unknown[]> => {
    const response = await answer;
    return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
  };
  assert.deepEqual(await refused(restore({})), [404, 'saved_not_found'], 'it still runs');
  hub.engine.endSession(id, 'idle', { saveError: 'the disk is full' });
  assert.deepEqual(await refused(restore({})), [404, 'saved_not_found'], 'nothing was saved');
  const { message } = (await (await hub.fetch(`/api/v1/sessions/${id}`)).json()) as { message: string };
  assert.match(message, /nothing was done in it for a while\. Its changed files could not be saved: the disk is full$/);
  assert.deepEqual(await refused(restore({}, 'a'.repeat(16))), [404, 'session_not_found']);

  const other = await ready(hub, link, { layout: 'joint' });
  const saved = { path: join(hub.state, 'saved.tar.gz'), bytes: 7 };
  hub.engine.savedWork.set(other.sessionId ?? '', saved);
  hub.engine.endSession(other.sessionId ?? '', 'idle', { savedBytes: 7 });
  const stranger = { authorization: 'Bearer wrong' };
  assert.deepEqual(await refused(restore(stranger, other.sessionId)), [401, 'unauthorized']);
  assert.deepEqual(await refused(restore({ ...stranger, 'x-launch-key': session.key }, other.sessionId)), [401, 'unauthorized']);
  const created = (await (await restore({}, other.sessionId)).json()) as { id: string };
  assert.equal((await hub.events(created.id)).at(-1)?.phase, 'ready');
  const { layout, restore: restored } = asked.at(-1) ?? {};
  assert.deepEqual([layout, restored], ['joint', other.sessionId], 'in an environment like its own');

  hub.engine.savedWork.clear();
  assert.deepEqual(await refused(restore({}, other.sessionId)), [410, 'saved_expired']);
  const view = (await (await hub.fetch(`/api/v1/sessions/${other.sessionId}`)).json()) as { link: string; ref: string };
  assert.equal(view.link, `/v2/gh/user/repo/${view.ref}`);
});

test('a session that ends before its launch is ready fails it, and is told as ended', async () => {
  const { launch: run, ...others } = nullPipeline();
  const hasty: typeof run = async (request, ctx) => {
    const made = await run(request, ctx);
    (ctx.engine as NullEngine).endSession(request.sessionId, 'crash', { message: 'It crashed at once.' });
    return made;
  };
  await using hub = await nullHub({ pipeline: { ...others, launch: hasty } });
  const { id } = await hub.launch('user/repo');
  const last = (await hub.events(id)).at(-1);
  assert.ok(last?.phase === 'failed');
  assert.deepEqual([last.code, last.message], ['start_failed', 'It crashed at once.']);
  const { sessions } = (await (await hub.fetch('/api/v1/sessions')).json()) as { sessions: { state: string; endReason: string }[] };
  assert.deepEqual(
    sessions.map(({ state, endReason }) => [state, endReason]),
    [['ended', 'crash']],
  );
});

test('a hub that is started again takes up its sessions: tokens, keys, pages and reasons still hold', async () => {
  const state = await mkdtemp(join(tmpdir(), 'null-hub-'));
  await using engine = await NullEngine.start();
  const first = await nullHub({ state, engine });
  const [kept, lost, ended] = [await ready(first), await ready(first), await ready(first)];
  const unfinished = 'a'.repeat(16);
  await first.hub.sessions.stop(ended.sessionId ?? '', 'stopped');
  await first.hub.close('keep');
  engine.sessions.delete(lost.sessionId ?? '');
  const header = {
    id: unfinished,
    link: { provider: 'gh', spec: 'u/r/HEAD', open: { kind: 'default' } },
    createdAt: new Date().toISOString(),
    keyHash: 'x',
  };
  await writeFile(join(state, 'launches', `${unfinished}.ndjson`), `${JSON.stringify(header)}\n`);

  const port = Number(new URL(first.url).port);
  await using second = await nullHub({ state, engine, config: { hub: { port } } });
  assert.equal(second.url, first.url);
  assert.equal(second.hub.key, first.hub.key);
  assert.equal((await status(kept)).status, 200, 'the token given before the restart');
  const key = { 'x-launch-key': kept.key };
  assert.equal((await fetch(`${second.url}/api/v1/sessions/${kept.sessionId}`, { headers: key })).status, 200);
  const again = (await second.events(kept.launchId)).at(-1);
  assert.ok(again?.phase === 'ready' && again.token !== undefined);
  assert.equal((await status(again)).status, 200);
  assert.match(await (await status(lost)).text(), /ended while no hub was running/);
  assert.match(await (await status(ended)).text(), /was stopped/);
  const cut = (await second.events(unfinished)).at(-1);
  assert.ok(cut?.phase === 'failed' && cut.code === 'interrupted' && cut.retryable);
  await second.hub.close('stop');
  assert.equal(engine.sessions.size, 0);
  await rm(state, { recursive: true });
});

test('I3: what opens a session is on disk when its launch is ready', async () => {
  await using hub = await nullHub();
  const { launch } = await hub.hub.launches.create({ link: parseLink('user/repo'), options: {} });
  const session = await new Promise<string>((resolve) => {
    launch.log.watch(() => {
      const { final } = launch.log;
      if (final?.phase !== 'ready') return;
      const path = join(hub.state, 'routes', `${final.sessionId}.json`);
      resolve(existsSync(path) ? readFileSync(path, 'utf8') : '{}');
    });
  });
  const { keyHash, tokens } = JSON.parse(session) as { keyHash: string; tokens: string[] };
  assert.deepEqual([keyHash, tokens.length], [launch.header.keyHash, 1]);
});

test('two hubs on one state folder: the second is told where the first is', async () => {
  await using first = await nullHub();
  await assert.rejects(nullHub({ state: first.state }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'hub_locked');
    assert.ok(error.message.includes(first.url), error.message);
    return true;
  });
  assert.equal((await readRecord(first.state, 'hub'))?.url, first.url);
  await first.hub.close('stop');
  assert.equal(await readRecord(first.state, 'hub'), undefined);
  await using next = await nullHub({ state: first.state });
  assert.equal((await readRecord(first.state, 'hub'))?.url, next.url);
});

test('what a hub that died left in hub.json is not believed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'null-hub-'));
  const record = {
    pid: process.pid,
    startTime: '1',
    bootId: 'another',
    startedAt: new Date().toISOString(),
    url: 'http://localhost:1',
    version: '0',
  };
  for (const text of [JSON.stringify(record), '{', '']) {
    await writeFile(join(folder, 'hub.json'), text);
    assert.equal(await readRecord(folder, 'hub'), undefined);
  }
  await using hub = await nullHub({ state: folder });
  assert.equal((await readRecord(folder, 'hub'))?.url, hub.url);
});

test('a taken port moves on, and both addresses of localhost answer on the same one', async () => {
  await using first = await nullHub();
  await using second = await nullHub({ config: { hub: { port: first.port } } });
  assert.ok(second.port > first.port);
  for (const host of ['127.0.0.1', '[::1]', 'localhost'])
    assert.equal((await fetch(`http://${host}:${second.port}/health`)).status, 200, host);
});

test('without room launches wait in line, are told their place, and go on when a session ends', async () => {
  await using hub = await nullHub({ config: { session: { maximum: 1 } } });
  const first = await ready(hub);
  const [second, third] = [await hub.launch('user/two'), await hub.launch('user/three')];
  const events = hub.events(third.id);
  await hub.fetch(`/api/v1/launches/${second.id}`, { method: 'DELETE' });
  await hub.fetch(`/api/v1/sessions/${first.sessionId}`, { method: 'DELETE' });
  const waits = (await events).filter(({ phase }) => phase === 'waiting');
  assert.deepEqual(
    waits.map((event) => ('position' in event ? event.position : event.message)),
    [2, 1, 'There is room now.'],
  );
  assert.equal((await events).at(-1)?.phase, 'ready');
});

test('with too little free memory launches wait until there is enough', async () => {
  let free = 0;
  await using hub = await nullHub({ freeMemory: () => free });
  const launch = await hub.launch('user/repo');
  assert.equal(launch.last?.phase, 'waiting');
  free = 2 ** 40;
  assert.equal((await hub.events(launch.id)).at(-1)?.phase, 'ready');
});

test('shutdown by the API ends launches under way as interrupted, stops sessions, and the hub', async () => {
  const pipeline = nullPipeline({
    during: async ({ link }, { signal }) => {
      if (link.spec.includes('slow'))
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    },
  });
  await using hub = await nullHub({ pipeline });
  await ready(hub);
  const slow = await hub.launch('user/slow');
  const events = hub.events(slow.id);
  const answer = await hub.fetch('/api/v1/hub/shutdown', { method: 'POST' });
  assert.equal(answer.status, 202);
  const last = (await events).at(-1);
  assert.ok(last?.phase === 'failed' && last.code === 'interrupted');
  await hub.hub.closed;
  assert.equal(hub.engine.sessions.size, 0);
  assert.equal(await readRecord(hub.state, 'hub'), undefined);
});

test('the page: told its configuration, asks when another site opened it, runs nothing inline', async () => {
  const web = await mkdtemp(join(tmpdir(), 'web-'));
  await mkdir(join(web, 'assets'));
  await writeFile(join(web, 'assets', 'main-1.js'), 'run()');
  const html = '<head><!--open-graph--><script type="application/json" id="page-config">{}</script></head>';
  await writeFile(join(web, 'index.html'), html);
  await using hub = await nullHub({ web });
  const page = async (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ text: string; config: Record<string, unknown>; response: Response }> => {
    const response = await fetch(hub.url + path, { headers: { accept: 'text/html', ...headers } });
    const text = await response.text();
    const config = JSON.parse(/id="page-config">(.*?)<\/script>/.exec(text)?.[1] ?? '{}') as Record<string, unknown>;
    return { text, config, response };
  };
  const launch = '/v2/gh/user/%3Cb%3E/HEAD';
  const typed = await page(launch, { 'sec-fetch-site': 'none' });
  assert.equal(typed.config['ask'], false);
  assert.match(typed.text, /property="og:title" content="GitHub: user\/%3Cb%3E\/HEAD"/);
  const policy = typed.response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'self'.*frame-ancestors 'none'/);
  assert.ok(!/script-src|unsafe-eval/.test(policy));
  const linked = await page(launch, { 'sec-fetch-site': 'cross-site', referer: 'https://evil.example/</script><script>x' });
  assert.deepEqual([linked.config['ask'], linked.config['askFrom']], [true, 'https://evil.example']);
  for (const [headers, ask] of [
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ referer: `${hub.url}/` }, false],
    [{ referer: 'http://localhost:1/' }, true],
    [{}, true],
  ] as [Record<string, string>, boolean][])
    assert.equal((await page(launch, headers)).config['ask'], ask, JSON.stringify(headers));
  assert.equal((await page('/nowhere')).response.status, 404);
  const asset = await fetch(`${hub.url}/assets/main-1.js`);
  assert.equal(await asset.text(), 'run()');
  assert.match(asset.headers.get('cache-control') ?? '', /immutable/);
  for (const path of ['/assets/..%2findex.html', '/assets/%2e%2e/index.html', '/assets/missing.js'])
    assert.ok((await fetch(hub.url + path)).status >= 400, path);
  const badge = await (await fetch(`${hub.url}/badge_logo.svg`)).text();
  assert.match(badge, /^<svg .*<title>launch bindery<\/title>/s);
  await rm(web, { recursive: true });
});

test('old addresses lead to the page of today', async () => {
  await using hub = await nullHub();
  const location = async (path: string): Promise<string | null> => (await hub.fetch(path)).headers.get('location');
  assert.equal(await location('/repo/user/repo'), '/v2/gh/user/repo/master');
  assert.equal(await location('/repo/user/repo/'), '/v2/gh/user/repo/master');
  assert.equal(await location('/repo/user/repo/notebooks/a%20b.ipynb'), '/v2/gh/user/repo/master?urlpath=%2Fnotebooks%2Fa+b.ipynb');
  const versions = await (await fetch(`${hub.url}/versions`)).json();
  assert.deepEqual(Object.keys(versions as object), ['builder_info', 'binderhub', 'builder']);
  const health = (await (await fetch(`${hub.url}/health`)).json()) as { ok: boolean; checks: { service: string; ok: boolean }[] };
  assert.ok(health.ok && health.checks.every((check) => check.ok));
});

test('paths that are no text are refused, and cost no fault', async () => {
  await using hub = await nullHub();
  for (const path of ['/repo/u/r/%ff', '/v2/gh/u/r/%ff', '/v2/gh/u/r/%00', '/api/v1/launches/%ff', '/api/v1/sessions/%C0%80/log', '/%zz'])
    assert.equal((await hub.fetch(path)).status, 400, path);
});

test('HEAD launches nothing and spends no one-time link', async () => {
  await using hub = await nullHub();
  const enter = hub.hub.enterUrl();
  await fetch(enter, { method: 'HEAD' });
  await hub.fetch('/build/gh/user/repo/HEAD', { method: 'HEAD', headers: { accept: 'text/event-stream' } });
  assert.equal(hub.engine.sessions.size, 0);
  assert.equal((await fetch(enter, { redirect: 'manual' })).status, 303);
});

test('a long log leaves the memory, not the reader; nor does the launch begin again for who asks twice', async () => {
  const pipeline = nullPipeline({
    during: async (_request, ctx) => {
      for (let index = 0; index < 5000; index++) ctx.emit({ phase: 'building', kind: 'log', message: 'x'.repeat(100) });
    },
  });
  await using hub = await nullHub({ pipeline });
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'once' };
  const post = async (): Promise<{ id: string; key: string }> =>
    (await (await hub.fetch('/api/v1/launches', { method: 'POST', body: '{"link":"user/repo"}', headers })).json()) as {
      id: string;
      key: string;
    };
  const { id, key } = await post();
  const events = await hub.events(id);
  assert.ok(events.length > 5000);
  const first = await hub.hub.launches.get(id);
  const until = Date.now() + 10_000;
  while ((await hub.hub.launches.get(id)) === first) {
    assert.ok(Date.now() < until, 'it stays in memory');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const again = await post();
  assert.deepEqual([again.id, again.key], [id, key]);
  assert.equal((await hub.events(id)).length, events.length);
  const view = await fetch(`${hub.url}/api/v1/launches/${id}`, { headers: { 'x-launch-key': key } });
  assert.match(await view.text(), /"token":/);
  assert.equal(hub.engine.sessions.size, 1);
});

test('metrics have a fixed set of labels, whatever is launched', async () => {
  await using hub = await nullHub();
  for (let index = 0; index < 5; index++) await ready(hub, `user/repo-${index}`);
  const text = await (await fetch(`${hub.url}/metrics`)).text();
  assert.match(text, /bindery_launches_total\{provider="gh",outcome="ready"\} 5/);
  assert.match(text, /bindery_phase_seconds_count\{phase="resolving",cached="false"\} 5/);
  assert.ok(!text.includes('repo-'));
});

test('every route of the new contract is described', async () => {
  await using hub = await nullHub();
  const api = (await (await fetch(`${hub.url}/api/v1/openapi.json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { summary?: string }>>;
  };
  assert.equal(api.openapi, '3.1.0');
  const described = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary }]) => {
      assert.ok(summary, `${method} ${path} has no words`);
      return `${method.toUpperCase()} ${path}`;
    }),
  );
  assert.deepEqual(new Set(described), new Set(Object.keys(SUMMARIES)));
});
