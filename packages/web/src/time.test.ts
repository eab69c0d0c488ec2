import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ago, bytes, clock, duration, left, plural } from './time.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const before = (ms: number): string => new Date(NOW - ms).toISOString();

describe('times in words', () => {
  it('says measured times with as much precision as matters', () => {
    const said = [0, 12, 99.6, 100, 3440, 9949, 9950, 48_000, 59_600, 125_000, 3_599_000, 4_020_000].map(duration);
    assert.deepEqual(said, [
      '0 ms',
      '12 ms',
      '0.1 s',
      '0.1 s',
      '3.4 s',
      '9.9 s',
      '10 s',
      '48 s',
      '1 min 00 s',
      '2 min 05 s',
      '59 min 59 s',
      '1 h 07 min',
    ]);
  });

  it('ticks in whole seconds and never below zero', () => {
    assert.deepEqual([-5000, 0, 999, 9_999, 10_000, 61_500].map(clock), ['0 s', '0 s', '0 s', '9 s', '10 s', '1 min 01 s']);
  });

  it('says how long ago something was', () => {
    assert.equal(ago(before(-60_000), NOW), 'just now');
    assert.equal(ago(before(44_000), NOW), 'just now');
    assert.equal(ago(before(50_000), NOW), '1 minute ago');
    assert.equal(ago(before(59 * 60_000), NOW), '59 minutes ago');
    assert.equal(ago(before(2 * 3_600_000), NOW), '2 hours ago');
    assert.equal(ago(before(30 * 3_600_000), NOW), 'yesterday');
    assert.equal(ago('nonsense', NOW), 'at an unknown time');
  });

  it('says how long is left, never promising more than there is', () => {
    assert.equal(left(before(5000), NOW), 'less than a minute');
    assert.equal(left(before(-59_000), NOW), 'less than a minute');
    assert.equal(left(before(-119_000), NOW), '1 minute');
    assert.equal(left(before(-89 * 60_000), NOW), '89 minutes');
    assert.equal(left(before(-6 * 3_600_000), NOW), '6 hours');
  });

  it('says bytes and counts', () => {
    assert.deepEqual([0, 999, 1000, 52_000, 3.2e9].map(bytes), ['0 B', '999 B', '1.0 kB', '51 kB', '3.0 GB']);
    assert.deepEqual([plural(0, 'line'), plural(1, 'line'), plural(2, 'line')], ['0 lines', '1 line', '2 lines']);
  });
});
