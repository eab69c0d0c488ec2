import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CommitPace } from './commit-pace.ts';

it('L9 lets few go at once, and makes many wait, none of them for long', () => {
  const pace = new CommitPace();
  const start = 1_000_030;
  assert.deepEqual(
    Array.from({ length: 10 }, () => pace.wait(start)),
    Array.from({ length: 10 }, () => 0),
  );
  const waits = Array.from({ length: 1000 }, () => pace.wait(start));
  assert.equal(Math.max(...waits), 970);
  assert.ok(waits.every((wait) => wait > 0 && (start + wait) % 100 === 0));
  assert.equal(pace.wait(start + 1500), 0);
  // One after the other, each when the last is safe: at once, as long as they leave each other time.
  for (let at = start + 2000; at < start + 4000; at += 50) assert.equal(pace.wait(at), 0);
});
