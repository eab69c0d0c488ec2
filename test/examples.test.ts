import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { planSnapshot } from './plan-snapshot.ts';

const folder = join(import.meta.dirname, '..', 'examples');
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  .map((entry) => entry.name);

for (const name of names) {
  test(`the plan of examples/${name} is the committed one (to renew it: node scripts/snapshots.ts)`, async () => {
    assert.equal(await planSnapshot(name), readFileSync(join(folder, '.plans', `${name}.snap.json`), 'utf8'));
  });
}

test('every committed plan belongs to an example', () => {
  const plans = readdirSync(join(folder, '.plans')).map((file) => file.replace('.snap.json', ''));
  assert.deepEqual(plans.toSorted(), names.toSorted());
});
