import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import * as fc from 'fast-check';
import { NewsOrder } from './news-order.ts';

/** What two ways with gaps and interruptions bring, in an order in which it may come. */
const courses = fc.record({
  count: fc.integer({ min: 1, max: 60 }),
  /** Messages that the sure way leaves out, as a server does that limits its rate. */
  limited: fc.uniqueArray(fc.integer({ min: 0, max: 59 })),
  /** Where the quick way was interrupted, and how many it lost there. */
  holes: fc.array(fc.tuple(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 9 })), { maxLength: 4 }),
  quickFirst: fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }),
});

function follow({ count, limited, holes, quickFirst }: typeof courses extends fc.Arbitrary<infer T> ? T : never): {
  passed: number[];
  sure: number[];
} {
  const passed: number[] = [];
  const order = new NewsOrder<number>((message) => passed.push(message));
  const sure = Array.from({ length: count }, (_, number) => number).filter((number) => !limited.includes(number));
  const lost = (number: number): boolean => holes.some(([from, length]) => number >= from && number < from + length);
  const quick = Array.from({ length: count }, (_, number) => number).filter((number) => !lost(number));
  const isHole = (number: number): boolean => number > 0 && (lost(number - 1) || holes.some(([from]) => from === number));
  let [atSure, atQuick] = [0, 0];
  for (let step = 0; atSure < sure.length || atQuick < quick.length; step++) {
    const next = quick[atQuick];
    if (next !== undefined && (quickFirst[step % 200] || atSure === sure.length)) {
      if (isHole(next)) order.interrupted();
      order.quick(String(next), next, 100);
      atQuick += 1;
    } else {
      const number = sure[atSure++];
      if (number !== undefined) order.sure(String(number), number);
    }
  }
  order.interrupted();
  return { passed, sure };
}

describe('news on two ways', () => {
  it('X1.7 are passed on once, all that came on the sure way, each in its place', () => {
    fc.assert(
      fc.property(courses, (course) => {
        const { passed, sure } = follow(course);
        assert.deepEqual(passed, [...new Set(passed)], 'once');
        assert.deepEqual(
          sure.filter((number) => !passed.includes(number)),
          [],
          'all',
        );
        const common = passed.filter((number) => sure.includes(number));
        assert.deepEqual(
          common,
          common.toSorted((a, b) => a - b),
          'in their place',
        );
      }),
      { numRuns: 2000 },
    );
  });

  it('X1.7 come sooner from the first that has come on both', () => {
    const passed: number[] = [];
    const order = new NewsOrder<number>((message) => passed.push(message));
    for (const number of [1, 2, 3]) order.quick(String(number), number, 100);
    assert.deepEqual(passed, []);
    order.sure('1', 1);
    assert.deepEqual(passed, [1, 2, 3]);
    order.quick('4', 4, 100);
    assert.deepEqual(passed, [1, 2, 3, 4]);
  });

  it('X1.7 come sooner also when the sure way was the first until then', () => {
    const passed: number[] = [];
    const order = new NewsOrder<number>((message) => passed.push(message));
    for (const number of [1, 2, 3]) order.sure(String(number), number);
    for (const number of [1, 2, 3, 4]) order.quick(String(number), number, 100);
    assert.deepEqual(passed, [1, 2, 3, 4]);
  });

  it('X1.7 X1.8 are passed on when they came on the quick way only', () => {
    const passed: number[] = [];
    const order = new NewsOrder<number>((message) => passed.push(message));
    for (const number of [1, 2, 3, 4]) order.quick(String(number), number, 100);
    order.sure('3', 3);
    assert.deepEqual(passed, [1, 2, 3, 4]);
    order.interrupted();
    for (const number of [4, 7]) order.sure(String(number), number);
    for (const number of [5, 6, 7, 8]) order.quick(String(number), number, 100);
    assert.deepEqual(passed, [1, 2, 3, 4, 7, 5, 6, 8]);
  });

  it('X1.7 are passed on late when the quick way loses them without a word', () => {
    mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
    try {
      const passed: number[] = [];
      const order = new NewsOrder<number>((message) => passed.push(message));
      for (const number of [1, 2, 4]) order.quick(String(number), number, 100);
      for (const number of [1, 2, 3]) order.sure(String(number), number);
      assert.deepEqual(passed, [1, 2, 4]);
      order.sure('4', 4);
      assert.deepEqual(passed, [1, 2, 4, 3]);
      order.sure('5', 5);
      assert.deepEqual(passed, [1, 2, 4, 3]);
      mock.timers.tick(500);
      mock.timers.tick(1);
      assert.deepEqual(passed, [1, 2, 4, 3, 5]);
      order.quick('5', 5, 100);
      assert.deepEqual(passed, [1, 2, 4, 3, 5]);
    } finally {
      mock.timers.reset();
    }
  });

  it('X1.7 do not fill the memory when the sure way stands still', () => {
    const passed: number[] = [];
    const order = new NewsOrder<number>((message) => passed.push(message));
    order.quick('0', 0, 100);
    order.sure('0', 0);
    for (let number = 1; number <= 30_000; number++) order.quick(String(number), number, 1000);
    assert.equal(passed.length, 10_001);
    for (let number = 1; number <= 30_000; number++) order.sure(String(number), number);
    assert.deepEqual(
      passed,
      Array.from({ length: 30_001 }, (_, number) => number),
    );
  });
});
