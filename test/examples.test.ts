import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { planSnapshot } from './plan-snapshot.ts';

const folder = join(import.meta.dirname, '..', 'examples');
const names = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !/^(?:\.|rtc-)/.test(entry.name))
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

test('bindery plan --json says the same', () => {
  const home = mkdtempSync(join(tmpdir(), 'bindery-plan-'));
  const env = { PATH: process.env['PATH'], HOME: home };
  const main = join(folder, '..', 'packages/bindery/src/main.ts');
  const result = spawnSync(process.execPath, [main, 'plan', '--json', join(folder, 'apt')], { env, encoding: 'utf8', timeout: 60_000 });
  rmSync(home, { recursive: true, force: true });
  assert.equal(result.status, 0, result.stderr);
  const said = JSON.parse(result.stdout) as { planId: string; plan: unknown };
  const committed = JSON.parse(readFileSync(join(folder, '.plans', 'apt.snap.json'), 'utf8')) as unknown;
  assert.deepEqual({ planId: said.planId, plan: said.plan }, committed);
});
