import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as assertProperty, asyncProperty, integer, record } from 'fast-check';
import { Admission, type AdmissionOptions } from './admission.ts';

const ROOM: AdmissionOptions = {
  concurrent: 3,
  waiting: 100,
  maximum: 1000,
  freeMemory: 0,
  free: () => 0,
  sessions: () => 0,
};

test('never more at once than allowed, in the order in which they came, none forgotten, whoever leaves', async () => {
  const visit = record({ turns: integer({ min: 0, max: 4 }), leavesAt: integer({ min: -1, max: 3 }) });
  await assertProperty(
    asyncProperty(array(visit, { maxLength: 30 }), integer({ min: 1, max: 4 }), async (visits, concurrent) => {
      const admission = new Admission({ ...ROOM, concurrent });
      const entered: number[] = [];
      let inside = 0;
      const run = async ({ turns, leavesAt }: { turns: number; leavesAt: number }, index: number): Promise<void> => {
        const controller = new AbortController();
        if (leavesAt >= 0) void pause(leavesAt).then(() => controller.abort(new Error('gone')));
        try {
          const leave = await admission.enter(controller.signal, () => {});
          entered.push(index);
          assert.ok(++inside <= concurrent);
          await pause(turns);
          inside--;
          leave();
          leave();
        } catch (error) {
          assert.equal((error as Error).message, 'gone');
        }
      };
      await Promise.all(visits.map(run));
      assert.deepEqual(
        entered,
        entered.toSorted((a, b) => a - b),
      );
      assert.deepEqual([admission.running, admission.waiting], [0, 0]);
      const must = visits.flatMap(({ leavesAt }, index) => (leavesAt < 0 ? [index] : []));
      assert.ok(must.every((index) => entered.includes(index)));
    }),
    { numRuns: 100 },
  );
});

test('who waits hears each new place in the line', async () => {
  const admission = new Admission({ ...ROOM, concurrent: 1 });
  const { signal } = new AbortController();
  const leave = await admission.enter(signal, () => assert.fail('there is room'));
  const places: number[][] = [[], [], []];
  const controllers = places.map(() => new AbortController());
  const waiting = places.map((heard, index) => admission.enter(controllers[index]?.signal ?? signal, (place) => heard.push(place)));
  controllers[1]?.abort(new Error('gone'));
  await assert.rejects(waiting[1] ?? Promise.resolve(), { message: 'gone' });
  leave();
  const next = await waiting[0];
  assert.deepEqual(places, [[1], [2], [3, 2, 1]]);
  next?.();
  (await waiting[2])?.();
});

test('a line that is full refuses; sessions and those about to start count, and so does their memory', async () => {
  const { signal } = new AbortController();
  const full = new Admission({ ...ROOM, concurrent: 1, waiting: 0 });
  await full.enter(signal, () => {});
  await assert.rejects(
    full.enter(signal, () => {}),
    { code: 'no_capacity' },
  );
  let sessions = 3;
  const few = new Admission({ ...ROOM, maximum: 4, sessions: () => sessions });
  await few.enter(signal, () => {});
  const second = few.enter(signal, () => {});
  assert.equal(few.waiting, 1);
  sessions = 0;
  few.look();
  await second;
  const MB = 2 ** 20;
  const tight = new Admission({ ...ROOM, freeMemory: 512 * MB, free: () => 700 * MB });
  await tight.enter(signal, () => {});
  await tight.enter(signal, () => {});
  const gone = new AbortController();
  const third = tight.enter(gone.signal, () => {});
  assert.equal(tight.waiting, 1);
  gone.abort(new Error('gone'));
  await assert.rejects(third);
});

async function pause(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
