import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waysRound } from './ways-round.ts';

test('a version of Python that the hint names is offered, and nothing where it names none', () => {
  const hint = 'Launch with --python 3.7 to try it on that one all the same; or install one that fits.';
  assert.deepEqual(waysRound({ code: 'python_not_found', hint }), [['Try it on Python 3.7', { python: '3.7' }]]);
  assert.deepEqual(waysRound({ code: 'python_not_found', hint: 'Install one that fits.' }), []);
  assert.deepEqual(
    waysRound({ code: 'build_failed', hint: '' }).map(([, options]) => options),
    [{ asOf: 'commit' }],
  );
});

test('a failed postBuild can be left out', () => {
  const hint = 'The log’s end shows the reason. --skip-post-build launches without it.';
  assert.deepEqual(waysRound({ code: 'build_failed', hint })[1]?.[1], { skipPostBuild: true });
});
