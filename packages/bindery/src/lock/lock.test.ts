import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { ConfigSchema } from '../base/config.ts';
import { makeLog } from '../base/log.ts';
import type { Progress } from '../contracts/context.ts';
import type { BuildPlan, Lock, Step, UnkeyedLock } from '../contracts/plan.ts';
import { planId } from '../plan/plan.ts';
import { LockFolder } from './lock-folder.ts';
import { environmentId, lockPlan, type LockContext } from './lock.ts';
import { BARE_PLAN, EMPTY_TREE } from '../../../../test/fakes/bare-plan.ts';

const PLAN: BuildPlan = {
  ...BARE_PLAN,
  steps: [{ uses: 'python', because: 'requirements.txt', inputs: [], requirements: ['six'], constraints: [], options: [] }],
  reads: ['requirements.txt'],
};
const LOCK: UnkeyedLock = {
  version: 1,
  id: 'b'.repeat(64),
  python: { path: process.execPath, version: '3.11.2', prefix: '/usr', build: 'cpython-3.11.2', from: 'machine' },
  layout: 'split',
  layoutBecause: 'no package touches the server',
  packages: [{ name: 'six', version: '1.17.0', from: 'wheel', hashes: [`sha256:${'c'.repeat(64)}`], requirement: 'six==1.17.0' }],
  madeAt: '2026-01-01T00:00:00.000Z',
  notes: ['Python 3.11.2: the newest that fits.'],
  fixed: false,
};
const DAY = 86_400_000;

const folder = await mkdtemp(join(tmpdir(), 'locks-'));
after(() => rm(folder, { recursive: true, force: true }));
let number = 0;

/** A hub's part: a folder of locks, a clock that stands, and a builder that counts. */
function hub(options: { lock?: () => Promise<UnkeyedLock>; locks?: string } = {}) {
  const path = options.locks ?? join(folder, String(number++));
  const time = { now: Date.parse(LOCK.madeAt) };
  const clock: Clock = { now: () => time.now, monotonic: () => time.now };
  const told: Progress[] = [];
  const made = { count: 0 };
  const context: LockContext = {
    clock,
    config: ConfigSchema.parse({}),
    log: makeLog('silent'),
    locks: new LockFolder(path, clock),
    signal: new AbortController().signal,
    emit: (event) => told.push(event),
    engine: {
      builder: {
        lock: async (_plan, _tree, log) => {
          made.count++;
          log.line('Resolved 1 package');
          return options.lock?.() ?? { ...LOCK, madeAt: new Date(time.now).toISOString() };
        },
      },
    },
  };
  return { path, time, told, made, context };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, 'it did not come to be in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('launches at the same time make one lock, and each sees its log; a later hub finds it on disk', async () => {
  const one = hub();
  const locks = await Promise.all(Array.from({ length: 20 }, () => lockPlan(PLAN, EMPTY_TREE, one.context)));
  assert.equal(one.made.count, 1);
  assert.equal(new Set(locks.map((lock) => JSON.stringify(lock))).size, 1);
  assert.equal(one.told.filter((event) => event.kind === 'log').length, 20);
  const other = hub({ locks: one.path });
  const again = await lockPlan(PLAN, EMPTY_TREE, other.context);
  assert.equal(other.made.count, 0);
  assert.deepEqual(again, locks[0]);
  assert.equal(other.told.at(-1)?.cached, true);
  assert.deepEqual(await readdir(one.path), [`${planId(PLAN)}.json`]);
});

test('a launch that leaves does not end the lock that another waits for', async () => {
  const gate = Promise.withResolvers<UnkeyedLock>();
  const one = hub({ lock: () => gate.promise });
  const leaving = new AbortController();
  let joined = 0;
  const emit = ({ kind }: { kind: string }): void => void (joined += kind === 'begin' ? 1 : 0);
  const left = lockPlan(PLAN, EMPTY_TREE, { ...one.context, emit, signal: leaving.signal });
  const stays = lockPlan(PLAN, EMPTY_TREE, { ...one.context, emit });
  await until(() => joined === 2 && one.made.count === 1);
  leaving.abort(new Error('closed'));
  await assert.rejects(left, { message: 'closed' });
  gate.resolve(LOCK);
  assert.equal((await stays).id, LOCK.id);
  assert.equal(one.made.count, 1);
});

test('a lock that cannot be made is not remembered', async () => {
  let broken = true;
  const one = hub({ lock: () => (broken ? Promise.reject(new Error('index down')) : Promise.resolve(LOCK)) });
  await assert.rejects(lockPlan(PLAN, EMPTY_TREE, one.context), { message: 'index down' });
  broken = false;
  assert.equal((await lockPlan(PLAN, EMPTY_TREE, one.context)).id, LOCK.id);
});

for (const [what, content] of [
  ['half a file', '{"version":1,'],
  ['another version', JSON.stringify({ ...LOCK, planId: planId(PLAN), version: 2 })],
  ['the lock of another plan', JSON.stringify({ ...LOCK, planId: 'd'.repeat(64) })],
  ['an unknown key', JSON.stringify({ ...LOCK, planId: planId(PLAN), token: 'x' })],
] as const)
  test(`${what} in place of a lock is made anew`, async () => {
    const one = hub();
    await lockPlan(PLAN, EMPTY_TREE, one.context);
    const path = join(one.path, `${planId(PLAN)}.json`);
    await writeFile(path, content);
    const other = hub({ locks: one.path });
    await lockPlan(PLAN, EMPTY_TREE, other.context);
    assert.equal(other.made.count, 1);
    assert.equal((JSON.parse(await readFile(path, 'utf8')) as Lock).id, LOCK.id);
  });

test('a lock whose interpreter is gone is made anew', async () => {
  let path = '/nonexistent/python';
  const one = hub({ lock: () => Promise.resolve({ ...LOCK, python: { ...LOCK.python, path } }) });
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  path = process.execPath;
  assert.equal((await lockPlan(PLAN, EMPTY_TREE, one.context)).python.path, process.execPath);
});

test('an old lock is used at once and renewed in the background; its environment is made before launches get it', async () => {
  const one = hub();
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  one.time.now += 2 * DAY;
  const gate = Promise.withResolvers<undefined>();
  const context: LockContext = { ...one.context, renewed: () => gate.promise };
  assert.equal((await lockPlan(PLAN, EMPTY_TREE, context)).madeAt, LOCK.madeAt);
  await until(() => one.made.count === 2);
  assert.equal((await lockPlan(PLAN, EMPTY_TREE, context)).madeAt, LOCK.madeAt);
  gate.resolve(undefined);
  await until(async () => (await context.locks.find(planId(PLAN)))?.madeAt !== LOCK.madeAt);
  await lockPlan(PLAN, EMPTY_TREE, context);
  assert.equal(one.made.count, 2);
});

test('a renewal that fails leaves the old lock, and is not tried again at every launch', async () => {
  let broken = false;
  const one = hub({ lock: () => (broken ? Promise.reject(new Error('index down')) : Promise.resolve(LOCK)) });
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  broken = true;
  one.time.now += 2 * DAY;
  for (let launch = 0; launch < 5; launch++) assert.equal((await lockPlan(PLAN, EMPTY_TREE, one.context)).id, LOCK.id);
  await until(() => one.made.count === 2);
  one.time.now += 3_600_000;
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  await until(() => one.made.count === 3);
});

test('a fixed lock is kept for ever', async () => {
  const one = hub({ lock: () => Promise.resolve({ ...LOCK, fixed: true }) });
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  one.time.now += 3650 * DAY;
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  assert.equal(one.made.count, 1);
});

test('a lock that was made before costs under a millisecond', async () => {
  const one = hub();
  await lockPlan(PLAN, EMPTY_TREE, one.context);
  const times: number[] = [];
  for (let round = 0; round < 200; round++) {
    const since = performance.now();
    await lockPlan(PLAN, EMPTY_TREE, one.context);
    times.push(performance.now() - since);
  }
  assert.ok((times.toSorted((a, b) => a - b)[100] ?? 9) < 1);
});

test('environments: shared where the lock is one, apart where building reads more', () => {
  const lock: Lock = { ...LOCK, planId: planId(PLAN) };
  const other: BuildPlan = { ...PLAN, layoutBecause: 'else', steps: [], reads: ['environment.yml'] };
  assert.equal(
    environmentId(PLAN, lock, EMPTY_TREE),
    environmentId(other, { ...lock, planId: planId(other), madeAt: '2020-01-01T00:00:00Z' }, EMPTY_TREE),
  );
  assert.equal(environmentId(PLAN, lock, EMPTY_TREE), environmentId(PLAN, lock, { id: 'e'.repeat(64) }));
  assert.notEqual(environmentId(PLAN, lock, EMPTY_TREE), environmentId(PLAN, { ...lock, id: 'f'.repeat(64) }, EMPTY_TREE));
  const run: BuildPlan = { ...PLAN, reads: 'tree', steps: [{ uses: 'run', because: 'postBuild', inputs: [], path: 'postBuild' }] };
  assert.notEqual(environmentId(run, lock, EMPTY_TREE), environmentId(PLAN, lock, EMPTY_TREE));
  assert.notEqual(environmentId(run, lock, EMPTY_TREE), environmentId(run, lock, { id: 'e'.repeat(64) }));
  const apt: BuildPlan = { ...PLAN, steps: [{ uses: 'apt', because: 'apt.txt', inputs: [], packages: ['make'] }] };
  assert.equal(environmentId(apt, lock, EMPTY_TREE, { lacks: { apt: 'not here' } }), environmentId(PLAN, lock, EMPTY_TREE));
  assert.notEqual(environmentId(apt, lock, EMPTY_TREE), environmentId(PLAN, lock, EMPTY_TREE));
});

test('what depends on the files of the repository is locked anew for other files, and for no other plan', async () => {
  const one = hub();
  const [python] = PLAN.steps;
  assert.ok(python?.uses === 'python');
  const local: Step = { uses: 'local', because: 'setup.py', inputs: ['setup.py'], path: '.', editable: false, extras: [] };
  const run: Step = { uses: 'run', because: 'postBuild', inputs: ['postBuild'], path: 'postBuild' };
  const steps: readonly (readonly [Step, locks: number])[] = [
    [local, 2],
    [{ ...python, options: ['--find-links=./wheels'] }, 2],
    [{ ...python, options: ['--find-links=https://example.org/wheels'] }, 1],
    [run, 1],
  ];
  for (const [step, locks] of steps) {
    const plan: BuildPlan = { ...PLAN, steps: [step], reads: 'tree' };
    const before = one.made.count;
    for (const id of ['1', '2', '1']) await lockPlan(plan, { ...EMPTY_TREE, id: id.repeat(64) }, one.context);
    assert.equal(one.made.count - before, locks, JSON.stringify(step));
  }
});
