import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { identityOf, isAlive, ownIdentity, toldByPs } from './process-identity.ts';

test('a process is told from a later one of its pid, and an ended one from a running one', async () => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const known = identityOf(child.pid ?? 0) ?? assert.fail('it runs');
  assert.ok(isAlive(known));
  assert.ok(!isAlive({ ...known, startTime: known.startTime - 1 }));
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  assert.ok(!isAlive(known));
});

test('ps tells it where there is no /proc: the start in seconds since the epoch', () => {
  const told = toldByPs(process.pid) ?? assert.fail('we run');
  assert.equal(told.pid, ownIdentity().pid);
  assert.ok(Math.abs(told.startTime - (Date.now() / 1000 - process.uptime())) < 5, String(told.startTime));
  assert.equal(toldByPs(2 ** 22 + 1), undefined);
});
