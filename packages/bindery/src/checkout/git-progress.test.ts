import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitProgress } from './git-progress.ts';

test('percentages pass once a second, ends and sentences always, our own refs never', () => {
  let time = 0;
  const told: string[] = [];
  const hear = gitProgress({ now: () => time, monotonic: () => time }, (line) => told.push(line));
  for (let percent = 0; percent <= 100; percent++) {
    time += 50;
    hear(`Receiving objects: ${String(percent).padStart(3)}% (${percent}/100), 1.2 MiB | 3 MiB/s`);
  }
  hear('Receiving objects: 100% (100/100), 9 MiB, done.   ');
  hear('From https://example.org/a/b');
  hear(' * [new ref]         0123 -> refs/bindery/0123');
  hear('remote: hello');
  hear('');
  assert.equal(told.filter((line) => /%/.test(line)).length, 7);
  assert.deepEqual(told.slice(-2), ['Receiving objects: 100% (100/100), 9 MiB, done.', 'remote: hello']);
});
