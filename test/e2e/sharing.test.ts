import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { Kernel } from '../fakes/kernel.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';

const AT_ONCE = 20;
const done = (events: readonly LaunchEvent[], phase: string): Extract<LaunchEvent, { kind: string }> | undefined =>
  events.find(
    (event): event is Extract<LaunchEvent, { kind: string }> => event.phase === phase && 'kind' in event && event.kind === 'done',
  );

describe('work is shared, sessions are not', () => {
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  let home: RealHub;
  let state: string;
  before(async () => {
    repository.commit({ 'requirements.txt': 'iniconfig\n', 'index.txt': 'first\n' });
    state = await mkdtemp(join(tmpdir(), 'bindery-sharing-'));
    home = await realHub({ state: `${state}/state`, cache: `${state}/cache` });
  });
  after(async () => {
    await home[Symbol.asyncDispose]();
    await rm(state, { recursive: true, force: true });
    folder[Symbol.dispose]();
  });

  it(
    `${AT_ONCE} launches at once of a repository that was never built: one fetch, one lock, one build, ${AT_ONCE} sessions`,
    { timeout: 600_000 },
    async () => {
      const all = await Promise.all(Array.from({ length: AT_ONCE }, () => home.launch(repository.url)));
      for (const events of all) assert.equal(events.at(-1)?.phase, 'ready', JSON.stringify(events.at(-1)));
      const sessions = all.map((events) => events.at(-1)).map((event) => (event?.phase === 'ready' ? event.sessionId : undefined));
      assert.equal(new Set(sessions).size, AT_ONCE);
      assert.equal(readdirSync(`${state}/cache/trees`).filter((name) => !name.startsWith('.')).length, 1);
      assert.equal(readdirSync(`${state}/cache/locks`).filter((name) => name.endsWith('.json')).length, 1);
      assert.equal(readdirSync(`${state}/cache/environments`).length, 1);
      for (const id of sessions) await home.ask(`/api/v1/sessions/${id}`, { method: 'DELETE' });
    },
  );

  it(
    'a commit that changes only content, and a fork with the same files, launch with nothing locked or built',
    { timeout: 300_000 },
    async () => {
      repository.commit({ 'index.txt': 'second\n' });
      const fork = new Repository(`${folder.path}/fork`);
      fork.commit({ 'requirements.txt': 'iniconfig\n', 'index.txt': 'third\n' });
      for (const [url, content] of [
        [repository.url, 'second\n'],
        [fork.url, 'third\n'],
      ] as const) {
        const events = await home.launch(url);
        assert.equal(done(events, 'locking')?.cached, true);
        assert.equal(done(events, 'building')?.cached, true);
        const ready = events.at(-1);
        assert.equal(ready?.phase, 'ready');
        const { url: at, token } = ready as { url: string; token: string };
        const file = (await (await fetch(`${at}api/contents/index.txt?token=${token}`)).json()) as { content: string };
        assert.equal(file.content, content);
      }
    },
  );

  it('what a session installs, upgrades and removes is its own', { timeout: 300_000 }, async () => {
    const one = await home.ready(repository.url);
    const two = await home.ready(repository.url);
    using mine = await Kernel.start(one);
    assert.match(
      await mine.execute(
        '!pip uninstall --yes --quiet iniconfig; uv pip install --quiet toolz; pip install --quiet "wcwidth<0.2.10"; pip list 2>/dev/null | grep -ciE "^(iniconfig|toolz) "',
      ),
      /^1$/m,
    );
    using theirs = await Kernel.start(two);
    assert.equal(await theirs.execute('import iniconfig, importlib.util; print(importlib.util.find_spec("toolz"))'), 'None');
    const three = await home.ready(repository.url);
    using fresh = await Kernel.start(three);
    assert.equal(await fresh.execute('import iniconfig, importlib.util; print(importlib.util.find_spec("toolz"))'), 'None');
  });
});
