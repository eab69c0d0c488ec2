import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinderyError } from '@bindery/wire/errors.ts';
import { treeOf } from '../../../../test/fakes/folder-tree.ts';
import { planOf } from '../../../../test/fakes/plan-of.ts';
import type { Lock } from '../contracts/plan.ts';
import { build, type BuildContext } from './build.ts';
import { Builds } from './builds.ts';

const clock = { now: () => Date.parse('2026-06-01T00:00:00Z'), monotonic: () => 0 };

/** The hint that people get where a repository with these files fails to build. */
async function hintFor(files: Record<string, string>, committedAt: string, lacks: Record<string, string>): Promise<string> {
  const failed = new BinderyError('build_failed', 'Building packages that have no wheel failed (exit code 1).', { hint: 'Read the log.' });
  const builder = { find: () => Promise.resolve(undefined), build: () => Promise.reject(failed) };
  const ctx = {
    clock,
    emit: () => {},
    signal: new AbortController().signal,
    builds: new Builds(clock, 1),
    engine: { isolated: true, lacks, builder },
  };
  const lock = { id: 'a'.repeat(64) } as Lock;
  const done = build(await planOf(files), lock, treeOf(files, committedAt), ctx as unknown as BuildContext);
  return done.then(
    () => assert.fail('it was built'),
    (error: BinderyError) => error.hint,
  );
}

test('a failed build tells which Debian packages were left out, and offers an old repository the packages of its time', async () => {
  const files = { 'apt.txt': 'libopenmpi-dev\nmake', 'requirements.txt': 'mpi4py' };
  const lacks = { apt: 'There is no Debian here.' };
  const apt = 'apt.txt was not applied here: libopenmpi-dev, make.';
  const old = 'The last commit is of 2021-09-10: --as-of commit takes the packages of that time.';
  assert.equal(await hintFor(files, '2021-09-10T00:00:00Z', lacks), `Read the log. ${apt} ${old}`);
  assert.equal(await hintFor(files, '2026-05-01T00:00:00Z', {}), 'Read the log.');
});
