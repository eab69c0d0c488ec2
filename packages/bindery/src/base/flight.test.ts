import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';
import { Flight, type FlightCall } from './flight.ts';
import { Turns } from './turns.ts';

const call = (signal = new AbortController().signal, tell: (event: string) => void = () => {}): FlightCall<string> => ({ signal, tell });

test('I1: work under one key is done once, and told to all from its beginning', async () => {
  const flight = new Flight<number, string>(systemClock);
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  const work = async ({ tell }: FlightCall<string>): Promise<number> => {
    tell('begun');
    await gate.promise;
    tell('done');
    return (runs += 1);
  };
  const heard: string[][] = [[], []];
  const first = flight.do(
    'a',
    call(undefined, (event) => heard[0]?.push(event)),
    work,
  );
  await Promise.resolve();
  const second = flight.do(
    'a',
    call(undefined, (event) => heard[1]?.push(event)),
    work,
  );
  gate.resolve();
  assert.deepEqual(await Promise.all([first, second]), [1, 1]);
  assert.deepEqual(heard, [
    ['begun', 'done'],
    ['begun', 'done'],
  ]);
  assert.equal(await flight.do('a', call(), work), 2);
});

test('the work ends when the last caller leaves, not before', async () => {
  const flight = new Flight<void, string>(systemClock);
  let seen: AbortSignal | undefined;
  const work = ({ signal }: FlightCall<string>): Promise<void> =>
    new Promise((_resolve, reject) => {
      seen = signal;
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  const [one, two] = [new AbortController(), new AbortController()];
  const first = assert.rejects(flight.do('a', call(one.signal), work), { message: 'one' });
  const second = assert.rejects(flight.do('a', call(two.signal), work), { message: 'two' });
  one.abort(new Error('one'));
  await first;
  assert.equal(seen?.aborted, false);
  two.abort(new Error('two'));
  await second;
  assert.equal(seen?.aborted, true);
  await assert.rejects(flight.do('a', call(one.signal), work), { message: 'one' });
});

test('work of one key takes turns; a failure or a leaver holds nobody up', async () => {
  const turns = new Turns();
  const never = new AbortController();
  const order: string[] = [];
  let busy = 0;
  const work = (name: string) => async (): Promise<string> => {
    busy += 1;
    assert.equal(busy, 1);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(name);
    busy -= 1;
    if (name === 'b') throw new Error('b fails');
    return name;
  };
  const signal = new AbortController().signal;
  const running = [
    turns.take('k', signal, work('a')),
    turns.take('k', signal, work('b')),
    turns.take('k', never.signal, work('c')),
    turns.take('k', signal, work('d')),
  ];
  never.abort(new Error('left'));
  const outcomes = await Promise.allSettled(running);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(order, ['a', 'b', 'd']);
});
