import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, saidOf, stepsOf } from '../../../../test/fakes/plan-of.ts';

test('postBuild is run at the end, by a plan that depends on every file, unless it is to be left out', async () => {
  const files = { 'binder/requirements.txt': 'numpy', 'binder/postBuild': '#!/bin/sh\njupyter lab build\n' };
  const plan = await planOf(files);
  assert.deepEqual(
    stepsOf(plan, 'run').map(({ path }) => path),
    ['binder/postBuild'],
  );
  assert.deepEqual([plan.reads, plan.layout], ['tree', 'joint']);
  const without = await planOf(files, { skipPostBuild: true });
  assert.deepEqual(stepsOf(without, 'run'), []);
  assert.deepEqual([without.reads, without.layout], [['binder/requirements.txt'], 'auto']);
  assert.deepEqual(saidOf(without, 'binder/postBuild'), ['ignored: left out, as was asked for']);
});
