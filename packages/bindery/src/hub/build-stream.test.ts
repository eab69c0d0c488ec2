import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { nullHub, type NullHub, type NullHubOptions } from '../../../../test/fakes/null-hub.ts';
import { nullPipeline } from '../../../../test/fakes/pipeline.ts';

interface Stream {
  readonly response: IncomingMessage;
  readonly text: () => string;
  /** Resolves when the text so far holds this. */
  readonly until: (part: string) => Promise<void>;
  readonly ended: Promise<string>;
  readonly cut: () => void;
}

/** A client of the old stream; `browser` sends what a browser's EventSource sends. */
function listen(hub: NullHub, path: string, headers: Record<string, string> = {}): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const req = request(new URL(path, hub.url), { headers: { ...hub.auth, accept: 'text/event-stream', ...headers }, agent: false });
    req.on('error', reject);
    req.on('response', (response) => {
      let text = '';
      const watchers = new Set<() => void>();
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        for (const watcher of watchers) watcher();
      });
      const ended = new Promise<string>((done) => response.on('close', () => done(text)));
      const until = (part: string): Promise<void> =>
        new Promise((done, fail) => {
          const look = (): void => {
            if (text.includes(part)) done();
          };
          watchers.add(look);
          look();
          void ended.then(() => fail(new Error(`ended without ${part}: ${text}`)));
        });
      resolve({ response, text: () => text, until, ended, cut: () => req.destroy() });
    });
    req.end();
  });
}

const BROWSER = { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin', 'cache-control': 'no-cache', 'user-agent': 'Mozilla/5.0' };

function events(text: string): Record<string, unknown>[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'));
  return blocks.map((block) => {
    assert.match(block, /^data: \{.*\}$/, 'only data lines');
    return JSON.parse(block.slice('data: '.length)) as Record<string, unknown>;
  });
}

test('to be built, then found: head, phases and the ready event that thebe uses', async () => {
  await using hub = await nullHub();
  const first = await listen(hub, '/build/gh/user/repo/HEAD');
  assert.equal(first.response.statusCode, 200);
  assert.equal(first.response.headers['content-type'], 'text/event-stream');
  assert.equal(first.response.headers['cache-control'], 'no-cache');
  const built = events(await first.ended);
  assert.deepEqual(
    built.map(({ phase }) => phase),
    ['waiting', undefined, 'fetching', 'fetching', 'building', 'building', 'built', 'launching', 'launching', 'ready'],
  );
  const second = events(await (await listen(hub, '/build/gh/user/repo/HEAD/')).ended);
  assert.deepEqual(
    second.map(({ phase, message }) => `${phase as string} ${message as string}`.replace(/http\S+/, 'URL')),
    [
      'built Found built image, launching...\n',
      'launching Launching server...\n',
      'launching The server answers\n',
      'ready server running at URL\n',
    ],
  );
  const ready = second.at(-1);
  assert.match(String(ready?.['token']), /^[\w-]{22}$/);
  const answer = await fetch(`${String(ready?.['url'])}api/status?token=${String(ready?.['token'])}`);
  assert.equal(answer.status, 200);
  assert.equal(ready?.['binder_request'], 'v2/gh/user/repo/HEAD');
  assert.equal(ready?.['binder_persistent_request'], `v2/gh/user/repo/${'a'.repeat(40)}`);
  assert.equal(ready?.['binder_launch_host'], `${hub.url}/`);
});

test('what is wrong is said in the stream with status 200, and launches nothing', async () => {
  await using hub = await nullHub();
  const said = async (path: string, headers = {}): Promise<unknown> => {
    const stream = await listen(hub, path, headers);
    assert.equal(stream.response.statusCode, 200);
    const all = events(await stream.ended);
    assert.equal(all.length, 1);
    return all[0];
  };
  assert.deepEqual(await said('/build/gh/user/missing/HEAD'), {
    phase: 'failed',
    message: 'Could not resolve ref for gh:user/missing/HEAD. Double check your URL and that your repo is public.\n',
  });
  assert.deepEqual(await said('/build/nope/user/repo/HEAD'), { phase: 'failed', message: 'No provider found for prefix nope\n' });
  assert.deepEqual(await said('/build/gh/user/repo/HEAD', { accept: 'application/json' }), {
    phase: 'failed',
    status_code: 400,
    message: 'Missing Accept header: text/event-stream\n',
  });
  assert.match(JSON.stringify(await said('/build/gh/onlyuser')), /is not of the form user\/repo\/ref/);
  assert.match(JSON.stringify(await said('/build/git/ext%3A%3Ash%20-c%20id/HEAD')), /"phase":"failed","message"/);
  assert.equal(hub.engine.sessions.size, 0);
});

test('an old link to a branch that was renamed still launches', async () => {
  await using hub = await nullHub();
  const all = events(await (await listen(hub, '/build/gh/user/renamed/master')).ended);
  assert.match(String(all[0]?.['message']), /Trying again with HEAD instead of master\. Please update your links\.\n$/);
  assert.equal(all.at(-1)?.['phase'], 'ready');
});

test('build_only builds, and starts no session', async () => {
  await using hub = await nullHub();
  const built = events(await (await listen(hub, '/build/gh/user/repo/HEAD?build_only=true')).ended);
  assert.deepEqual([built.at(-1)?.['phase'], built.at(-1)?.['message']], ['ready', 'Done! Image built\n']);
  const found = events(await (await listen(hub, '/build/gh/user/repo/HEAD?build_only=True')).ended);
  assert.deepEqual(
    found.map(({ phase, message }) => [phase, message]),
    [['ready', 'Done! Found built image\n']],
  );
  assert.equal(hub.engine.sessions.size, 0);
});

test('what fails ends the stream: a build, a start, a fault of ours', async () => {
  await using hub = await nullHub();
  const last = async (repo: string): Promise<Record<string, unknown> | undefined> =>
    events(await (await listen(hub, `/build/gh/user/${repo}/HEAD`)).ended).at(-1);
  assert.deepEqual(await last('broken'), {
    message: "Error during build: postBuild ended with exit code 3. The log's end shows the reason; mend the step and launch again.\n",
    exc_info: 'line one\nline two',
    phase: 'failed',
  });
  assert.deepEqual((await last('dies'))?.['status_code'], 500);
  const bug = await last('bug');
  assert.match(String(bug?.['message']), /^Something went wrong in Bindery itself \(launch [a-z2-7]{16}\)\./);
});

/** A hub whose launches stop in the middle until they are let go. */
async function paused(options: NullHubOptions = {}): Promise<{ hub: NullHub; go: () => void; begun: () => number }> {
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const pipeline = nullPipeline({
    during: async (_request, ctx) => {
      begun++;
      ctx.emit({ phase: 'building', kind: 'log', message: 'Collecting something large' });
      await Promise.race([
        gate.promise,
        new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))),
      ]);
    },
  });
  return { hub: await nullHub({ pipeline, ...options }), go: () => gate.resolve(), begun: () => begun };
}

test('a client whose connection is cut and who asks again gets its own launch, from the start, and no second one', async () => {
  const { hub: it, go, begun } = await paused();
  await using hub = it;
  const first = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  await first.until('Collecting');
  first.cut();
  await first.ended;
  await noticed(hub);
  const again = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  await again.until('Collecting');
  again.cut();
  await again.ended;
  await noticed(hub);
  const last = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  await last.until('Collecting');
  go();
  await last.until('"phase":"ready"');
  const text = await last.ended;
  assert.equal(events(text)[0]?.['phase'], 'waiting');
  assert.equal(begun(), 1);
});

test('a launch whose client left is finished all the same, and waits for it', async () => {
  const { hub: it, go, begun } = await paused();
  await using hub = it;
  const first = await listen(hub, '/build/gh/user/repo/HEAD');
  await first.until('Collecting');
  first.cut();
  await first.ended;
  await noticed(hub);
  go();
  await poll(async () => hub.engine.sessions.size === 1);
  const again = events(await (await listen(hub, '/build/gh/user/repo/HEAD')).ended);
  const { sessions } = hub.engine;
  assert.equal(sessions.size, 1);
  assert.ok(String(again.at(-1)?.['url']).includes([...sessions.keys()][0] ?? '?'));
  assert.equal(begun(), 1);
});

test('another client, and another address, gets a launch of its own', async () => {
  const { hub: it, go, begun } = await paused();
  await using hub = it;
  const first = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  await first.until('Collecting');
  first.cut();
  await first.ended;
  const others = [
    await listen(hub, '/build/gh/user/repo/HEAD', { ...BROWSER, 'user-agent': 'Other/1' }),
    await listen(hub, '/build/gh/user/repo/main', BROWSER),
  ];
  for (const other of others) await other.until('Collecting');
  assert.equal(begun(), 3);
  go();
  for (const other of others) await other.ended;
});

test("a browser's EventSource that nobody closed is told to stop after the end; who asks on purpose is served", async () => {
  await using hub = await nullHub({ lingerMs: 20 });
  await (
    await listen(hub, '/build/gh/user/repo/HEAD', BROWSER)
  ).ended;
  const again = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  assert.equal(again.response.statusCode, 204);
  assert.equal(hub.engine.sessions.size, 1);
  const asked = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
  assert.equal(asked.response.statusCode, 200);
  await asked.ended;
  let sessions = 2;
  const { 'cache-control': _, ...page } = BROWSER;
  const nothing: Record<string, string> = {};
  for (const headers of [page, { 'sec-fetch-mode': 'cors' }, nothing])
    for (const turn of ['first', 'second']) {
      const client = await listen(hub, '/build/gh/user/repo/HEAD', headers);
      assert.equal(client.response.statusCode, 200, turn);
      await client.ended;
      assert.equal(hub.engine.sessions.size, ++sessions);
    }
});

test('a client that closes after the end and asks again gets a new session', async () => {
  await using hub = await nullHub({ lingerMs: 60_000 });
  for (const count of [1, 2, 3]) {
    const stream = await listen(hub, '/build/gh/user/repo/HEAD', BROWSER);
    await stream.until('"phase":"ready"');
    stream.cut();
    await stream.ended;
    assert.equal(hub.engine.sessions.size, count);
  }
});

/** The hub has seen by now that a connection was cut: it has answered requests that came after. */
async function noticed(hub: NullHub): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await (await hub.fetch('/api/v1/info')).text();
}

/** Tries until it holds, within a deadline. */
async function poll(condition: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > until) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
