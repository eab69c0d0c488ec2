import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { makeLog } from '../base/log.ts';
import { Culler, judge, type CullFacts, type CullLimits, type CullParts } from './cull.ts';

const MINUTE = 60_000;
const limits: CullLimits = { idleMs: 30 * MINUTE, maxAgeMs: 360 * MINUTE, warningMs: 5 * MINUTE, graceMs: 10_000 };

interface World {
  now: number;
  activeAt: number;
  busyKernels: number;
  serverBusy: number | undefined;
  asked: number;
  ended: string[];
  stopFails: boolean;
}

function world(change: Partial<CullParts> = {}): { culler: Culler; world: World } {
  const world: World = { now: 0, activeAt: 0, busyKernels: 0, serverBusy: 0, asked: 0, ended: [], stopFails: false };
  const culler = new Culler({
    clock: { now: () => world.now, monotonic: () => world.now },
    log: makeLog('silent'),
    limits,
    sessions: () => (world.ended.length > 0 ? [] : [{ id: 'a', startedAt: 0 }]),
    activity: () => world,
    busyKernels: () => {
      world.asked++;
      return Promise.resolve(world.serverBusy);
    },
    touch: () => (world.activeAt = world.now),
    stop: (id, reason, graceMs) => {
      if (world.stopFails) return Promise.reject(new Error('no'));
      world.ended.push(`${id} ${reason} ${graceMs}`);
      return Promise.resolve();
    },
    ...change,
  });
  return { culler, world };
}

test('an idle session ends after the idle time, with its reason, and not before', async () => {
  const { culler, world: w } = world();
  await culler.look();
  w.now = 30 * MINUTE - 1;
  await culler.look();
  assert.deepEqual(w.ended, []);
  w.now = 30 * MINUTE;
  await culler.look();
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('the warning begins in time, and one keep-alive gives the whole idle time again', async () => {
  const { culler, world: w } = world();
  await culler.look();
  w.now = 25 * MINUTE - 1;
  assert.equal(culler.view({ id: 'a', startedAt: 0 }).warn, false);
  w.now = 25 * MINUTE;
  assert.equal(culler.view({ id: 'a', startedAt: 0 }).warn, true);
  const verdict = culler.keepAlive({ id: 'a', startedAt: 0 });
  assert.deepEqual(verdict, { endsAt: 55 * MINUTE, because: 'idle', warn: false, end: false, activeAt: 25 * MINUTE });
});

test('a busy kernel keeps a session up to the maximum age, not longer', async () => {
  const { culler, world: w } = world();
  w.busyKernels = 1;
  w.now = 300 * MINUTE;
  await culler.look();
  assert.equal(culler.view({ id: 'a', startedAt: 0 }).warn, false);
  w.now = 355 * MINUTE;
  const { warn, because, endsAt } = culler.view({ id: 'a', startedAt: 0 });
  assert.deepEqual({ warn, because, endsAt }, { warn: true, because: 'age', endsAt: 360 * MINUTE });
  culler.keepAlive({ id: 'a', startedAt: 0 });
  w.now = 360 * MINUTE;
  await culler.look();
  assert.deepEqual(w.ended, ['a age 10000']);
});

test('a kernel that works with no browser connected counts: the server is asked before the end', async () => {
  const { culler, world: w } = world();
  await culler.look();
  assert.equal(w.asked, 0, 'not asked as long as the end is far');
  w.serverBusy = 1;
  w.now = 26 * MINUTE;
  await culler.look();
  assert.equal(culler.view({ id: 'a', startedAt: 0 }).endsAt, 56 * MINUTE);
  w.serverBusy = 0;
  w.now = 56 * MINUTE;
  await culler.look();
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('a server that does not answer is not taken for idle at once, nor kept for ever', async () => {
  const { culler, world: w } = world();
  await culler.look();
  w.serverBusy = undefined;
  w.now = 40 * MINUTE;
  await culler.look();
  await culler.look();
  assert.deepEqual(w.ended, []);
  await culler.look();
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('a session adopted long after its last activity gets its warning first', async () => {
  const { culler, world: w } = world();
  w.now = 100 * MINUTE;
  await culler.look();
  assert.deepEqual(w.ended, []);
  assert.equal(culler.view({ id: 'a', startedAt: 0 }).warn, true);
  w.now = 105 * MINUTE;
  await culler.look();
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('a stop that fails is tried again', async () => {
  const { culler, world: w } = world();
  await culler.look();
  w.now = 30 * MINUTE;
  w.stopFails = true;
  await culler.look();
  w.stopFails = false;
  await culler.look();
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('two looks at once are one', async () => {
  const { culler, world: w } = world();
  w.now = 0;
  await culler.look();
  w.now = 31 * MINUTE;
  await Promise.all([culler.look(), culler.look()]);
  assert.deepEqual(w.ended, ['a idle 10000']);
});

test('for any facts: the end is never later than the maximum age, always announced, and never before the idle time is over', () => {
  const instant = fc.integer({ min: 0, max: 1000 * MINUTE });
  fc.assert(
    fc.property(instant, instant, instant, fc.boolean(), instant, (startedAt, activeAt, seenAt, busy, now) => {
      const facts: CullFacts = { startedAt, activeAt, seenAt, busy };
      const verdict = judge(facts, limits, now);
      assert.ok(verdict.endsAt <= startedAt + limits.maxAgeMs);
      assert.ok(!verdict.end || verdict.warn);
      if (verdict.end && verdict.because === 'idle')
        assert.ok(!busy && now - activeAt >= limits.idleMs && now - seenAt >= limits.warningMs);
      if (verdict.end && verdict.because === 'age') assert.ok(now - startedAt >= limits.maxAgeMs);
    }),
  );
});
