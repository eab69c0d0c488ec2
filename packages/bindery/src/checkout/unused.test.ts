import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { removeUnused } from './unused.ts';

const HOUR = 3_600_000;

test('what nobody used since is removed, what a crash left half-made too, and nothing of the last hour', async () => {
  using folder = new TemporaryFolder();
  const now = Date.now();
  const make = (kind: string, name: string, hours: number): void => {
    const path = join(folder.path, kind, name);
    mkdirSync(path, { recursive: true });
    if (name.startsWith('old')) writeFileSync(join(path, 'file'), Buffer.alloc(1234));
    utimesSync(path, new Date(now - hours * HOUR), new Date(now - hours * HOUR));
  };
  make('trees', 'old', 50);
  make('trees', 'recent', 10);
  make('trees', 'now', 0);
  make('trees', 'x.partial-1', 2);
  make('trees', 'y.partial-2', 0.5);
  make('repos', 'old.git', 50);
  make('repos', 'recent.git', 10);
  const removed = await removeUnused(folder.path, now - 24 * HOUR, now);
  assert.deepEqual(removed.removed.map((path) => path.slice(folder.path.length + 1)).toSorted(), [
    'repos/old.git',
    'trees/old',
    'trees/x.partial-1',
  ]);
  await removeUnused(folder.path, now, now);
  assert.deepEqual(readdirSync(join(folder.path, 'trees')), ['now', 'y.partial-2']);
  assert.deepEqual(await removeUnused(join(folder.path, 'nowhere'), now, now), { removed: [], freedBytes: 0 });
  assert.equal(removed.freedBytes, 2 * 1234);
});
