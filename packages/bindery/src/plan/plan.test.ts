import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuTime } from '../../../../test/fakes/cpu-time.ts';
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
  const since = cpuTime();
  for (let round = 0; round < 100; round++) assert.equal(await makePlan(tree, {}, ctx), first);
  assert.ok((cpuTime() - since) / 100 < 1);
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

test('what the engine leaves out is reported with its reason, fails with strict, and changes no id', async () => {
  const tree = treeOf({ 'apt.txt': 'vim', 'requirements.txt': 'numpy' });
  const ctx = { clock, emit: () => undefined, packs, engine: { lacks: { apt: 'There is no Debian here.' } } };
  const plan = await makePlan(tree, {}, ctx);
  assert.deepEqual(
    plan.findings.map(({ file, effect, why }) => [file, effect, why]),
    [
      ['apt.txt', 'unsupported', 'Debian packages: vim: not applied. There is no Debian here.'],
      ['requirements.txt', 'used', '1 requirement'],
    ],
  );
  assert.equal(planId(plan), planId(await makePlan(tree, {}, { ...ctx, engine: {} })));
  await assert.rejects(makePlan(tree, { strict: true }, ctx), { code: 'plan_unsupported', message: /apt\.txt: .*no Debian here/ });
});

test('as-of is a day with all that came out on it, an instant, or the commit; the memory keeps commits apart', async () => {
  const files = { 'requirements.txt': 'numpy' };
  const asOf = async (text: string): Promise<string | undefined> => (await planOf(files, { asOf: text })).asOf;
  assert.equal(await asOf('2024-02-29'), '2024-02-29T23:59:59.999Z');
  assert.equal(await asOf('2024-02-29T12:00+02:00'), '2024-02-29T10:00:00.000Z');
  assert.equal(await asOf('commit'), '2026-01-31T12:00:00.000Z');
  for (const wrong of ['2024-02-30', 'yesterday', '2024', '31.1.2024', '2024-01-01; rm'])
    await assert.rejects(asOf(wrong), { code: 'request_invalid' }, wrong);
  const ctx = { clock, emit: () => undefined, packs, engine: {}, plans: new Memo<BuildPlan>(10) };
  const early = await makePlan(treeOf(files, '2020-01-01T00:00:00.000Z'), { asOf: 'commit' }, ctx);
  const late = await makePlan(treeOf(files, '2024-01-01T00:00:00.000Z'), { asOf: 'commit' }, ctx);
  assert.notEqual(planId(early), planId(late));
  assert.deepEqual([early.base.python.prefer, late.base.python.prefer], ['3.7', '3.11']);
});

test('the memory is bounded: what was not used for longest is forgotten', () => {
  const memo = new Memo<number>(2);
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
  ] as const)
    memo.set(key, value);
  assert.equal(memo.get('a'), 1);
  memo.set('c', 3);
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => memo.get(key)),
    [1, undefined, 3],
  );
});

test('a plan cannot be changed by whoever uses it', async () => {
  const plan = await planOf({ 'requirements.txt': 'numpy' });
  assert.throws(() => (plan.steps as unknown[]).push(1), TypeError);
  assert.throws(() => Object.assign(plan.base.python, { requires: 'x' }), TypeError);
});
