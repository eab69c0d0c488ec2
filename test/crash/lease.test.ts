import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HubProcess } from '../fakes/hub-process.ts';
import { SHARED_CACHE } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { until } from '../fakes/until.ts';

/** Pids of processes whose command line names `mark`. */
function named(mark: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

/** A session whose hub was killed; its folder. */
async function orphan(state: string): Promise<string> {
  using folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  repository.commit({ 'data.txt': 'data\n' });
  const hub = await HubProcess.start(state, SHARED_CACHE, ['session.lease=3']);
  const ready = (await hub.follow(await hub.create(repository.url))).at(-1);
  assert.equal(ready?.phase, 'ready', JSON.stringify(ready));
  await hub.kill('SIGKILL');
  return join(state, 'sessions', (ready as { sessionId: string }).sessionId);
}

test('a session that no hub asks for ends itself, and says why', async () => {
  const state = mkdtempSync(join(tmpdir(), 'bindery-lease-'));
  const session = await orphan(state);
  await until('it has ended', () => existsSync(join(session, 'ended.json')));
  assert.equal((JSON.parse(readFileSync(join(session, 'ended.json'), 'utf8')) as { reason: string }).reason, 'abandoned');
  await until('nothing of it runs', () => named(state).length === 0);
  rmSync(state, { recursive: true, force: true });
});

test('so does one whose folder somebody has removed', async () => {
  const state = mkdtempSync(join(tmpdir(), 'bindery-lease-'));
  await orphan(state);
  assert.ok(named(state).length > 0, 'it outlives its hub');
  rmSync(state, { recursive: true, force: true });
  await until('nothing of it runs', () => named(state).length === 0);
  rmSync(state, { recursive: true, force: true }); // what was saved at its end
});
