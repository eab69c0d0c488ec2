import assert from 'node:assert/strict';
import { it } from 'node:test';
import { TurnPace } from './turn-pace.ts';

const START = 33_000_000;

it('T1 ends turns 8 ms after one another while little is sent', () => {
  const pace = new TurnPace();
  for (let now = START; now < START + 10_000; now += 20) {
    pace.sent(19, now);
    assert.equal(pace.end(now, 1, now + 5), now + 8);
  }
});

it('T1 ends those of all rooms on one beat while much is sent, but for a room that has gathered enough', () => {
  const pace = new TurnPace();
  pace.sent(1000, START);
  assert.equal(pace.end(START - 5000, 1, START + 1), START + 33);
  assert.equal(pace.end(START, 1, START + 30), START + 33);
  assert.equal(pace.end(START + 20, 1, START + 34), START + 66);
  assert.equal(pace.end(START + 20, 2, START + 30), START + 28);
});

it('T1 is on no beat a second after much was sent', () => {
  const pace = new TurnPace();
  for (let now = START; now < START + 60_000; now += 10) pace.sent(1000, now);
  assert.equal(pace.end(START, 1, START + 60_500), START + 60_522);
  assert.equal(pace.end(START, 1, START + 61_000), START + 8);
});
