import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkOf, RateLimit } from './rate-limit.ts';

test('counts for each address within an hour, and tells what is left', () => {
  let now = 0;
  const limit = new RateLimit(2, () => now);
  assert.deepEqual(limit.take('10.0.0.1'), { allowed: true, limit: 2, remaining: 1, resetSeconds: 3600 });
  assert.equal(limit.take('10.0.0.1').allowed, true);
  assert.equal(limit.take('10.0.0.1').allowed, false);
  assert.equal(limit.take('10.0.0.2').allowed, true);
  now = 1_800_000;
  assert.deepEqual(limit.take('10.0.0.1'), { allowed: false, limit: 2, remaining: 0, resetSeconds: 1800 });
  now = 3_600_001;
  assert.equal(limit.take('10.0.0.1').remaining, 1);
});

test('addresses of one IPv6 network count together, however they are written', () => {
  for (const address of ['2001:db8:1:2::a', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2:ffff::'])
    assert.equal(networkOf(address), '2001:db8:1:2');
  assert.equal(networkOf('2001:db8::1'), '2001:db8:0:0');
  assert.equal(networkOf('::1'), '0:0:0:0');
  assert.equal(networkOf('::ffff:10.0.0.1'), '10.0.0.1');
});

test('remembers a bounded number of addresses', () => {
  const limit = new RateLimit(1, () => 0);
  limit.take('first');
  for (let index = 0; index < 10_000; index++) limit.take(`10.0.${index >> 8}.${index & 255}`);
  assert.equal(limit.take('first').allowed, true);
});
