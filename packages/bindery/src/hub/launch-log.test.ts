import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { array, assert as assertProperty, asyncProperty, nat } from 'fast-check';
import { pino } from 'pino';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { randomId } from '@bindery/wire/ids.ts';
import { systemClock } from '../base/clock.ts';
import type { Progress } from '../contracts/context.ts';
import { follow } from './event-stream.ts';
import { LaunchLog, withoutCredentials } from './launch-log.ts';
import { LaunchStore } from './launch-store.ts';

const line = (message: string): Progress => ({ phase: 'building', kind: 'log', message });
const FAILED = { phase: 'failed', during: 'building', code: 'build_failed', message: 'No.', hint: '', retryable: false } as const;

async function collect(log: LaunchLog, after: number, signal = new AbortController().signal): Promise<LaunchEvent[]> {
  const events: LaunchEvent[] = [];
  for await (const batch of follow(log, after, signal)) events.push(...batch);
  return events;
}

test('entries are numbered from 0 without gaps, and nothing comes after the final one', () => {
  const log = new LaunchLog(systemClock);
  log.add(line('a'));
  assert.equal(log.end(FAILED), true);
  assert.equal(log.end({ ...FAILED, code: 'other' }), false);
  log.add(line('late'));
  assert.deepEqual(
    log.events.map(({ seq, message }) => [seq, message]),
    [
      [0, 'a'],
      [1, 'No.'],
    ],
  );
});

test('a build that prints without end fills no memory: further lines are counted, what matters still comes', () => {
  const log = new LaunchLog(systemClock);
  for (let index = 0; index < 30_000; index++) log.add(line(`line ${index}`));
  log.add({ phase: 'building', kind: 'info', message: 'still here' });
  log.end(FAILED);
  assert.equal(log.events.length, 20_000 + 3);
  assert.equal(log.events.at(-3)?.message, 'still here');
  assert.equal(log.events.at(-2)?.message, '10000 more lines were not kept.');
});

test('credentials in addresses are not kept', () => {
  assert.equal(withoutCredentials('from https://user:pa:ss@host/x and git@host:y'), 'from https://host/x and git@host:y');
  const log = new LaunchLog(systemClock);
  log.add(line('Looking in indexes: https://me:secret@pypi.example/simple'));
  assert.ok(!JSON.stringify(log.events).includes('secret'));
});

test('watchers that are cut anywhere and come back see every entry once, whatever the timing', async () => {
  await assertProperty(
    asyncProperty(array(nat(5), { maxLength: 40 }), array(nat(40), { maxLength: 6 }), async (bursts, cuts) => {
      const log = new LaunchLog(systemClock);
      const writing = (async () => {
        for (const burst of bursts) {
          for (let index = 0; index < burst; index++) log.add(line(`${burst}/${index}`));
          await new Promise((resolve) => setImmediate(resolve));
        }
        log.end(FAILED);
      })();
      const seen: LaunchEvent[] = [];
      for (const cut of [...cuts, Infinity]) {
        const gone = new AbortController();
        for await (const batch of follow(log, seen.at(-1)?.seq ?? -1, gone.signal)) {
          // The connection breaks in the middle of what was sent: the client has only a part of it.
          const got = batch.slice(0, cut);
          seen.push(...got);
          if (got.length < batch.length) gone.abort();
          if (gone.signal.aborted) break;
        }
      }
      await writing;
      assert.deepEqual(seen, log.events);
    }),
    { numRuns: 60 },
  );
});

test('many watchers of one log, one of whom leaves, cost no listener once they are done', async () => {
  const log = new LaunchLog(systemClock);
  const gone = new AbortController();
  const leaver = collect(log, -1, gone.signal);
  const watchers = Array.from({ length: 50 }, () => collect(log, -1));
  log.add(line('a'));
  gone.abort();
  assert.ok((await leaver).length <= 1);
  log.end(FAILED);
  for (const events of await Promise.all(watchers)) assert.deepEqual(events, log.events);
});

test('a stored launch is read back; one cut by a crash keeps what is whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'launches-'));
  const store = new LaunchStore(folder, pino({ level: 'silent' }));
  await store.open();
  const log = new LaunchLog(systemClock);
  const header = {
    id: randomId(),
    link: { provider: 'gh', spec: 'u/r/HEAD', open: { kind: 'default' } },
    createdAt: '2026-01-01T00:00:00.000Z',
    keyHash: 'x',
  } as const;
  store.record(header, log);
  for (let index = 0; index < 10; index++) log.add(line(`line ${index}`));
  log.end(FAILED);
  await store.settled();
  assert.deepEqual(await store.read(header.id), { header, events: log.events });
  const path = join(folder, `${header.id}.ndjson`);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await truncate(path, (await readFile(path)).length - 10);
  assert.deepEqual((await store.read(header.id))?.events, log.events.slice(0, -1));
  assert.equal(await store.read('../hub'), undefined);
  await rm(folder, { recursive: true });
});
