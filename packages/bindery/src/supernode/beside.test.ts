import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../../../../test/fakes/until.ts';
import { makeLog } from '../base/log.ts';
import { Beside } from './beside.ts';

const folder = await mkdtemp(join(tmpdir(), 'beside-'));
after(() => rm(folder, { recursive: true }));
const session = { id: 'one', url: 'http://localhost/s/one/', socketPath: join(folder, 'nobody.sock'), token: '' };

const children = (): number[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
/** Whether a process has this file open. */
const hasOpen = (pid: number, file: string): boolean =>
  readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === file;
    } catch {
      // Closed meanwhile.
      return false;
    }
  });

test('D8 the next one begins when the one before has ended', async () => {
  const options = { folder, log: makeLog('silent') };
  const [first, second] = [new Beside(options), new Beside(options)];
  await first.put(session);
  const order: string[] = [];
  const known = new Set(children());
  const beginning = second.put(session).then(() => order.push('the second begins'));
  await until('the second waits', () => children().some((pid) => !known.has(pid) && hasOpen(pid, join(folder, 'documents.lock'))));
  await first.close().then(() => order.push('the first has ended'));
  await beginning;
  assert.deepEqual(order, ['the first has ended', 'the second begins']);
  await second.close();
});
