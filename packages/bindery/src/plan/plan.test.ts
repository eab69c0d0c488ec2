import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import { treeOf } from '../../../../test/fakes/folder-tree.ts';
import { Memo } from '../base/memo.ts';
import type { Progress } from '../contracts/context.ts';
import type { BuildPlan } from '../contracts/plan.ts';
import { packs } from '../hub/packs.ts';
import { makePlan, planId } from './plan.ts';

const clock = { now: () => 0, monotonic: () => performance.now() };
const plans = new Memo<BuildPlan>(10);

async function planOf(files: Record<string, string>, options: LaunchOptions = {}): Promise<BuildPlan> {
  return makePlan(treeOf(files), options, { clock, emit: () => undefined, packs, engine: {} });
}

test('a repository without environment files is a plain kernel with the newest Python', async () => {
  const plan = await planOf({ 'README.md': 'hello' });
  assert.deepEqual(plan.steps, []);
  assert.equal(plan.base.python.prefer, 'newest');
  assert.deepEqual(plan.reads, []);
});

test('the id depends on what is asked for, not on where and how it was written', async () => {
  const a = await planOf({ 'requirements.txt': 'NumPy >= 1.20\npandas\n', 'README.md': 'a' });
  const b = await planOf({ 'binder/requirements.txt': '# ours\r\npandas\r\nnumpy>=1.20', 'README.md': 'b' });
  const c = await planOf({ 'requirements.txt': 'numpy>=1.21\npandas\n' });
  assert.equal(planId(a), planId(b));
  assert.notEqual(planId(a), planId(c));
});

test('a plan made before comes from memory in less than a millisecond, and says so', async () => {
  const events: Progress[] = [];
  const tree = treeOf({ 'requirements.txt': 'numpy' });
  const ctx = { clock, emit: (event: Progress) => events.push(event), packs, engine: {}, plans };
  const first = await makePlan(tree, {}, ctx);
  const since = performance.now();
  for (let round = 0; round < 100; round++) assert.equal(await makePlan(tree, {}, ctx), first);
  assert.ok((performance.now() - since) / 100 < 1);
  assert.deepEqual(
    events.slice(0, 4).map((event) => [event.kind, event.cached]),
    [
      ['begin', undefined],
      ['done', false],
      ['begin', undefined],
      ['done', true],
    ],
  );
});
