import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskUse } from './disk.ts';
import { descendants, memoryAtMost, parseStatus, processTable, proportionalBytes } from './processes.ts';
import { rlimits } from './rlimits.ts';
import { bytes, judge } from './watchdog.ts';

const LIMITS = { memory: 2 ** 30, processes: 100, disk: 10 * 2 ** 30 };

test('a sandbox within its limits goes on, one above them is ended with a sentence that says what for', () => {
  assert.equal(judge({ memory: 2 ** 30, processes: 100, disk: 10 * 2 ** 30 }, LIMITS), undefined);
  assert.equal(judge({}, LIMITS), undefined);
  assert.deepEqual(judge({ memory: 1.5 * 2 ** 30 }, LIMITS), {
    reason: 'memory',
    message: 'It used 1.5 GiB of memory; 1 GiB are allowed.',
  });
  assert.deepEqual(judge({ processes: 500 }, LIMITS), {
    reason: 'processes',
    message: 'It ran 500 processes and threads; 100 are allowed.',
  });
  assert.deepEqual(judge({ disk: 11 * 2 ** 30 }, LIMITS), { reason: 'disk', message: 'It filled 11 GiB of disk; 10 GiB are allowed.' });
});

test('sizes are written for people', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 2 ** 20 * 250, 2 ** 50].map(bytes), [
    '0 bytes',
    '1023 bytes',
    '1 KiB',
    '1.5 KiB',
    '250 MiB',
    '1024 TiB',
  ]);
});

test('a process status is parsed; a name made to look like a field changes nothing', () => {
  const text = 'Name:\tx) PPid: 9\nUmask:\t0022\nPPid:\t17\nRssAnon:\t  2048 kB\nRssFile:\t 9 kB\nRssShmem:\t 4 kB\nThreads:\t3\n';
  assert.deepEqual(parseStatus(text), { parent: 17, anonymousBytes: 2 * 2 ** 20, sharedBytes: 4096, threads: 3 });
});

test('everything below a process belongs to it, and a loop of parents does not hang', () => {
  const info = (parent: number) => ({ parent, anonymousBytes: 10, sharedBytes: parent, threads: 1 });
  const table = new Map([
    [1, info(0)],
    [2, info(1)],
    [3, info(2)],
    [4, info(2)],
    [5, info(1)],
    [6, info(7)],
    [7, info(6)],
  ]);
  assert.deepEqual(new Set(descendants(table, 2)), new Set([2, 3, 4]));
  assert.deepEqual(new Set(descendants(table, 6)), new Set([6, 7]));
  assert.deepEqual(descendants(table, 99), []);
  assert.equal(memoryAtMost(table, [2, 3, 4]), 32);
});

test('memory that is shared after a fork is not counted twice', async () => {
  const code =
    'import os, sys\nb = bytearray(b"x" * 40 * 2**20)\nfor _ in range(2):\n  if os.fork() == 0: break\nprint("r", flush=True); sys.stdin.read()';
  const child = spawn('python3', ['-I', '-S', '-c', code], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  let ready = 0;
  for await (const data of child.stdout) if ((ready += (data as Buffer).toString().split('r').length - 1) >= 3) break;
  const table = await processTable();
  const pids = descendants(table, child.pid ?? 0);
  assert.equal(pids.length, 3);
  assert.ok(memoryAtMost(table, pids) > 120 * 2 ** 20);
  const real = await proportionalBytes(pids);
  assert.ok(real > 40 * 2 ** 20 && real < 80 * 2 ** 20, `${real} bytes`);
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');
});

test('disk is counted by blocks, each file once, no link followed, and not further than needed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'disk-'));
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/file'), Buffer.alloc(2 ** 20, 1));
  linkSync(join(folder, 'a/b/file'), join(folder, 'again'));
  symlinkSync('/usr', join(folder, 'usr'));
  const { bytes: sum, complete } = await diskUse([folder, join(folder, 'missing')]);
  assert.ok(complete && sum >= 2 ** 20 && sum < 1.2 * 2 ** 20, `${sum} bytes`);
  for (let index = 0; index < 20; index++) writeFileSync(join(folder, `f${index}`), Buffer.alloc(65536, 1));
  assert.equal((await diskUse([folder], 200_000)).complete, false);
  assert.equal((await diskUse([folder], Infinity, 5)).complete, false);
  rmSync(folder, { recursive: true });
});

test('rlimits stand in for what no control group bounds', () => {
  const bounds = { memory: 100, cpus: 1, processes: 7, disk: 1000 };
  const names = (memory: boolean, processes: boolean, ownUser: boolean) =>
    rlimits(bounds, { memory, cpus: true, processes }, ownUser).map(({ name }) => name);
  assert.deepEqual(names(true, true, true), ['CORE', 'NOFILE', 'FSIZE']);
  assert.deepEqual(names(false, false, true), ['CORE', 'NOFILE', 'FSIZE', 'DATA', 'NPROC']);
  assert.deepEqual(names(false, false, false), ['CORE', 'NOFILE', 'FSIZE', 'DATA']);
});
