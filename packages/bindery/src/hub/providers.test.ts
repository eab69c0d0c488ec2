import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { ConfigSchema } from '../base/config.ts';
import { Turns } from '../base/turns.ts';
import { sameUser } from '../base/worker.ts';
import { makeProviders } from './providers.ts';

test('every provider of the folder is offered, under the name of its file', () => {
  const files = readdirSync(new URL('../providers/', import.meta.url)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const providers = makeProviders({ config: ConfigSchema.parse({}), clock: systemClock, worker: sameUser, turns: new Turns() });
  assert.deepEqual([...providers.keys()].toSorted(), files.map((name) => name.replace('.ts', '')).toSorted());
});
