import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import type { Builder, BuildOrder, Environment } from '../contracts/engine.ts';
import { Builds } from './builds.ts';

const ORDER = { id: 'e'.repeat(64) } as BuildOrder;
const BUILT = { id: ORDER.id } as Environment;

/** Builds on a clock that stands still until it is set, and what each of them comes to. */
function scene(...outcomes: (ErrorCode | 'built')[]): {
  clock: { ms: number };
  begun: () => number;
  join: (retry?: boolean) => Promise<{ end: string; told: string[] }>;
} {
  const clock = { ms: 0 };
  let begun = 0;
  const builder = {
    build: async (_: BuildOrder, log: { line: (text: string) => void }) => {
      const outcome = outcomes[begun++] ?? 'built';
      log.line(`build ${begun}`);
      if (outcome !== 'built') throw new BinderyError(outcome, `build ${begun} failed`);
      return BUILT;
    },
  } as unknown as Builder;
  const builds = new Builds({ now: () => clock.ms, monotonic: () => clock.ms }, 2);
  return {
    clock,
    begun: () => begun,
    join: async (retry) => {
      const told: string[] = [];
      const log = { info: (text: string) => void told.push(text), line: (text: string) => void told.push(text) };
      const watcher = { log, begins: () => {}, waiting: () => {} };
      const end = await builds.join(ORDER, builder, watcher, new AbortController().signal, retry).then(
        () => 'built',
        (error: Error) => error.message,
      );
      return { end, told };
    },
  };
}

test('a build that failed by the repository is not repeated for a while, and says when it failed', async () => {
  const { clock, join, begun } = scene('build_failed', 'built');
  assert.deepEqual(await join(), { end: 'build 1 failed', told: ['build 1'] });
  clock.ms = 12_000;
  const again = await join();
  assert.equal(again.end, 'build 1 failed');
  assert.deepEqual(again.told, ['This build failed 12 s ago; what follows is its log. Try again to build it anew.', 'build 1']);
  assert.equal(begun(), 1);
  clock.ms = 31_000;
  assert.equal((await join()).end, 'built');
});

test('who asks again gets a new build at once; many who ask at the same time get one', async () => {
  const { join, begun } = scene('build_failed', 'built');
  await join();
  const all = await Promise.all([join(true), join(true), join(false)]);
  assert.deepEqual(
    all.map(({ end }) => end),
    ['built', 'built', 'built'],
  );
  assert.equal(begun(), 2);
});

test('a hiccup outside is not remembered', async () => {
  const { join, begun } = scene('index_unreachable', 'built');
  await join();
  assert.equal((await join()).end, 'built');
  assert.equal(begun(), 2);
});
