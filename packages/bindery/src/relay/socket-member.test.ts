import assert from 'node:assert/strict';
import { it } from 'node:test';
import { OWN } from './dialect.ts';
import { socketMember } from './socket-member.ts';

it('B1 messages that wait count by what they take, however small they are', () => {
  const gone: (() => void)[] = [];
  let [bufferedAmount, drained] = [0, 0];
  const socket = {
    get bufferedAmount() {
      return bufferedAmount;
    },
    send(frame: Uint8Array, done: () => void) {
      bufferedAmount += frame.length;
      gone.push(() => {
        bufferedAmount -= frame.length;
        done();
      });
    },
    close: () => undefined,
  };
  const member = socketMember(socket as never, { role: 'edit', user: {}, dialect: OWN }, () => (drained += 1));
  for (let count = 0; count < 10_000; count++) member.send(new Uint8Array(1));
  assert.ok(member.waiting() > 4 * 1024 * 1024, `${member.waiting()} bytes`);
  for (const end of gone) end();
  assert.deepEqual([member.waiting(), drained], [0, 10_000]);
});
