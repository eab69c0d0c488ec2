import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyIn } from './secrets.ts';
import { readRecord, StateLock } from './state-lock.ts';

test('a hub that was killed leaves no lock: while it lives the folder is its own, a moment later it is free', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lock-'));
  const program = `
    const { StateLock } = await import(${JSON.stringify(import.meta.resolve('./state-lock.ts'))});
    const lock = await StateLock.take(${JSON.stringify(folder)}, 'hub');
    await lock.announce('http://localhost:1234', new Date().toISOString(), '1');
    console.log('taken');
    setInterval(() => lock, 1000);`;
  const other = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(other.stdout, 'data');
  await assert.rejects(StateLock.take(folder, 'hub'), { code: 'hub_locked', message: /http:\/\/localhost:1234 \(process \d+\)/ });
  assert.equal((await readRecord(folder, 'hub'))?.pid, other.pid);
  other.kill('SIGKILL');
  await once(other, 'exit');
  assert.equal(await readRecord(folder, 'hub'), undefined);
  const lock = await StateLock.take(folder, 'hub');
  await lock.release();
  await rm(folder, { recursive: true });
});

test('of many hubs that start at once on one folder, one gets it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lock-'));
  const taken = await Promise.allSettled(Array.from({ length: 10 }, () => StateLock.take(folder, 'hub')));
  const locks = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  assert.equal(locks.length, 1);
  for (const result of taken) if (result.status === 'rejected') assert.equal((result.reason as { code: string }).code, 'hub_locked');
  await locks[0]?.release();
  await rm(folder, { recursive: true });
});

test("the hub key is made once, is the owner's alone, and is not guessed where the file is broken", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'key-'));
  const path = join(folder, 'hub.key');
  const key = await keyIn(path);
  assert.match(key, /^[\w-]{32}$/);
  await chmod(path, 0o644);
  assert.equal(await keyIn(path), key);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(await readFile(path, 'utf8'), `${key}\n`);
  await writeFile(path, 'let me in\n');
  await assert.rejects(keyIn(path), { code: 'config_invalid' });
  await writeFile(path, '');
  assert.match(await keyIn(path), /^[\w-]{32}$/, 'a start that was cut off');
  await rm(folder, { recursive: true });
});
