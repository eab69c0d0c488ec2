import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, mock } from 'node:test';
import * as fc from 'fast-check';
import { BinderyError } from '@bindery/wire/errors.ts';
import { CommitPace } from './commit-pace.ts';
import { HEAD, LARGEST, MAGIC, readRecords, record } from './record.ts';
import { RoomLog } from './room-log.ts';

const folder = await mkdtemp(join(tmpdir(), 'room-log-'));
after(() => rm(folder, { recursive: true }));
let count = 0;
const place = (): string => join(folder, `room-${count++}`);
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const lists = (updates: readonly Uint8Array[]): number[][] => updates.map((update) => [...update]);
const isOf = (code: string) => (error: unknown) => error instanceof BinderyError && error.code === code;

/** What is read from the file by somebody who opens it anew. */
async function reopened(file: string): Promise<{ lineage: string; updates: number[][]; tornBytes: number }> {
  const { log, updates, tornBytes } = await RoomLog.open(file);
  await log.close();
  return { lineage: log.lineage, updates: lists(updates), tornBytes };
}

/** The methods that all open files share. */
async function handles(): Promise<{
  datasync: () => Promise<void>;
  sync: () => Promise<void>;
  write: (...args: never[]) => Promise<unknown>;
}> {
  const handle = await open(folder, 'r');
  await handle.close();
  return Object.getPrototypeOf(handle) as never;
}

describe('records', () => {
  it('L1 come back, and end at the first that is none', () => {
    const payload = fc.uint8Array({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 6 }), fc.nat(), fc.uint8Array({ maxLength: 12 }), (payloads, at, junk) => {
        const whole = Buffer.concat([MAGIC, ...payloads.flatMap((each) => record(each))]);
        const read = readRecords(whole, MAGIC.length);
        assert.deepEqual(lists(read.payloads), lists(payloads));
        assert.equal(read.end, whole.length);
        const length = MAGIC.length + (at % (whole.length - MAGIC.length + 1));
        // Something else than what was cut off, which may end in zeros too.
        const other = Buffer.alloc(HEAD + 1, ~(whole[length] ?? 0));
        const part = readRecords(Buffer.concat([whole.subarray(0, length), other]), MAGIC.length);
        assert.deepEqual(lists(part.payloads), lists(payloads).slice(0, part.payloads.length));
        assert.ok(part.end <= length);
        readRecords(Buffer.from(junk), 0);
      }),
    );
  });

  it('L1 of nothing, and of too much, are refused', () => {
    assert.throws(() => record(bytes()), RangeError);
    assert.throws(() => record({ length: LARGEST + 1 } as Uint8Array), RangeError);
    const claims = Buffer.alloc(HEAD + 4);
    claims.writeUInt32LE(LARGEST + 1, 0);
    assert.deepEqual(readRecords(claims, 0), { payloads: [], end: 0 });
  });
});

describe('the log of a room', () => {
  it('L2, L3 keeps what came, in its order, under one lineage', async () => {
    const file = place();
    const { log, updates } = await RoomLog.open(file);
    assert.deepEqual(updates, []);
    await Promise.all([log.append(bytes(1)), log.append(bytes(2, 2))]);
    await log.append(bytes(3));
    assert.equal(log.bytes, (await readFile(file)).length);
    await log.close();
    assert.deepEqual(await reopened(file), { lineage: log.lineage, updates: [[1], [2, 2], [3]], tornBytes: 0 });
    assert.notEqual((await reopened(place())).lineage, log.lineage);
  });

  it('L3 writes all that waits at once, and says nothing before the disk did', async () => {
    const { log } = await RoomLog.open(place());
    const shared = await handles();
    const { datasync } = shared;
    let calls = 0;
    const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const mocked = mock.method(shared, 'datasync', async function wait(this: object) {
      calls += 1;
      asked.resolve();
      await held.promise;
      await datasync.call(this);
    });
    let safe = 0;
    const first = log.append(bytes(0)).then(() => safe++);
    await asked.promise;
    const others = Array.from({ length: 500 }, (_, index) => log.append(bytes(index % 256, 1)).then(() => safe++));
    assert.equal(safe, 0);
    held.resolve();
    await Promise.all([first, ...others]);
    mocked.mock.restore();
    assert.deepEqual([safe, calls], [501, 2]);
    await log.close();
  });

  it('L9 writes what may wait when its time has come, and with what may not at once', async () => {
    const [pace, file] = [new CommitPace(), place()];
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const { log } = await RoomLog.open(file, pace);
      // Others have written so much that everybody waits.
      for (let other = 0; other < 100; other++) pace.wait();
      const before = log.bytes;
      const waits = log.append(bytes(1), true);
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(log.bytes, before);
      assert.equal(log.append(bytes(2)), waits, 'they go in one write');
      await waits;
      const later = log.append(bytes(3), true);
      await new Promise((resolve) => setImmediate(resolve));
      mock.timers.tick(1000);
      await later;
      const last = log.append(bytes(4), true);
      await log.close();
      await last;
    } finally {
      mock.timers.reset();
    }
    assert.deepEqual((await reopened(file)).updates, [[1], [2], [3], [4]]);
  });

  it('L4 is made shorter; what waits goes into the new one', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    for (let value = 0; value < 50; value++) await log.append(bytes(value));
    const before = log.bytes;
    const all = [log.append(bytes(90)), log.compact(() => bytes(7, 7)), log.append(bytes(91)), log.append(bytes(92))];
    await Promise.all(all);
    assert.ok(log.bytes < before);
    await log.append(bytes(93));
    await log.close();
    assert.deepEqual(await reopened(file), { lineage: log.lineage, updates: [[7, 7], [91], [92], [93]], tornBytes: 0 });
    assert.ok(!(await readdir(folder)).some((name) => name.endsWith('.new')));
  });

  it('L4 stays what it was when it could not be made shorter', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    await log.append(bytes(1));
    const failing = [(): Uint8Array => bytes(), (): never => assert.fail('no state')];
    for (const state of failing) await assert.rejects(log.compact(state), isOf('room_not_saved'));
    const mocked = mock.method(await handles(), 'sync', () => Promise.reject(new Error('ENOSPC')));
    await assert.rejects(
      log.compact(() => bytes(2)),
      isOf('room_not_saved'),
    );
    mocked.mock.restore();
    await log.append(bytes(3));
    await log.compact(() => bytes(4));
    await log.close();
    assert.deepEqual((await reopened(file)).updates, [[4]]);
  });

  it('L4 finds its way past what a crash left of a new one', async () => {
    const file = place();
    await writeFile(`${file}.new`, 'half');
    const { lineage } = await reopened(file);
    await writeFile(`${file}.new`, 'half');
    assert.equal((await reopened(file)).lineage, lineage);
  });

  it('L5 loses nothing that was safe, wherever its end was torn off', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    const ends = [log.bytes];
    for (const update of [bytes(1, 2, 3), bytes(4), bytes(5, 6)]) {
      await log.append(update);
      ends.push(log.bytes);
    }
    await log.close();
    const whole = await readFile(file);
    for (let length = ends[0] ?? 0; length <= whole.length; length++) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(20), Buffer.from('garbage behind the end')]) {
        await writeFile(file, Buffer.concat([whole.subarray(0, length), tail]));
        const safe = ends.filter((end) => end <= length).length - 1;
        const found = await reopened(file);
        assert.deepEqual(found.updates, [[1, 2, 3], [4], [5, 6]].slice(0, safe));
        assert.equal(found.tornBytes, length + tail.length - (ends[safe] ?? 0));
        if (found.tornBytes > 0) assert.equal((await readFile(`${file}.torn`)).length, found.tornBytes);
        assert.equal((await reopened(file)).tornBytes, 0);
      }
    }
    await writeFile(file, whole.subarray(0, whole.length - 1));
    const again = await RoomLog.open(file);
    await again.log.append(bytes(9));
    await again.log.close();
    assert.deepEqual((await reopened(file)).updates, [[1, 2, 3], [4], [9]]);
  });

  it('L5 takes no record whose bytes have changed', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    const start = log.bytes;
    await log.append(bytes(1, 2, 3));
    await log.close();
    const whole = await readFile(file);
    for (let at = start; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(file, changed);
      assert.deepEqual((await reopened(file)).updates, [], `byte ${at}`);
    }
  });

  it('L6 refuses what is no log, and leaves it alone', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    await log.close();
    const whole = await readFile(file);
    for (const content of [
      Buffer.alloc(0),
      Buffer.from('some text of somebody'),
      whole.subarray(0, 12),
      Buffer.concat([Buffer.from('X'), whole.subarray(1)]),
    ]) {
      await writeFile(file, content);
      await assert.rejects(RoomLog.open(file), isOf('room_damaged'));
      assert.deepEqual(await readFile(file), Buffer.from(content));
    }
  });

  for (const method of ['write', 'datasync'] as const) {
    it(`L7 takes nothing more after a failed ${method}, and keeps what was safe`, async () => {
      const file = place();
      const { log } = await RoomLog.open(file);
      await log.append(bytes(1));
      const mocked = mock.method(await handles(), method, () => Promise.reject(new Error('ENOSPC: no space left on device')));
      const attempts = [log.append(bytes(2)), log.append(bytes(3)), log.compact(() => bytes(4))];
      for (const result of await Promise.allSettled(attempts))
        assert.ok(result.status === 'rejected' && isOf('room_not_saved')(result.reason));
      mocked.mock.restore();
      await assert.rejects(log.append(bytes(5)), /no space left/);
      await log.close();
      assert.deepEqual((await reopened(file)).updates[0], [1]);
    });
  }

  it('L1, L8 refuses an update of nothing, and more than may wait', async () => {
    const { log } = await RoomLog.open(place());
    await assert.rejects(log.append(bytes()), isOf('room_not_saved'));
    const large = new Uint8Array(40 * 1024 * 1024);
    const [first, second] = [log.append(large), log.append(large)];
    await assert.rejects(second, isOf('room_not_saved'));
    await first;
    await log.append(bytes(1));
    await log.close();
    await assert.rejects(log.append(bytes(2)), /closed/);
  });

  it('writes what it took before it is closed', async () => {
    const file = place();
    const { log } = await RoomLog.open(file);
    const taken = log.append(bytes(1));
    await log.close();
    await taken;
    assert.deepEqual((await reopened(file)).updates, [[1]]);
  });
});
