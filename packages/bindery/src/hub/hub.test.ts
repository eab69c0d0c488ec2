import assert from 'node:assert/strict';
import { stat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { nullHub } from '../../../../test/fakes/null-hub.ts';

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
  const ready = events.at(-1);
  assert.equal(ready?.phase, 'ready');
  assert.ok(ready?.phase === 'ready' && ready.url !== undefined && ready.token !== undefined && ready.browserUrl !== undefined);
  const answer = await fetch(`${ready.url}api/status`, { headers: { authorization: `token ${ready.token}` } });
  assert.deepEqual(await answer.json(), { url: `/s/${ready.sessionId}/api/status`, authorization: `token jupyter-${ready.sessionId}` });
});

test('what is stored of a launch holds neither key, token nor address', async () => {
  await using hub = await nullHub();
  const launch = await hub.launch('user/repo');
  const ready = (await hub.events(launch.id)).at(-1);
  assert.ok(ready?.phase === 'ready' && ready.token !== undefined && ready.browserUrl !== undefined);
  await hub.hub.close('keep');
  const names = (await readdir(hub.state, { recursive: true })).filter((name) => /\.(?:nd)?json$/.test(name));
  assert.deepEqual(new Set(names.map((name) => name.split('/')[0])), new Set(['launches', 'routes']));
  const stored = (await Promise.all(names.map((name) => readFile(join(hub.state, name), 'utf8')))).join('\n');
  assert.match(stored, /"phase":"ready"/);
  for (const secret of [ready.token, launch.key ?? '', hub.hub.key, 'code=']) assert.ok(!stored.includes(secret), secret);
  assert.equal((await stat(join(hub.state, 'hub.key'))).mode & 0o777, 0o600);
});
