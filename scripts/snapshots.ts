// Writes the plan of every example to examples/.plans/<name>.snap.json; with --check only compares. Run after a wanted change of the rules.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { planSnapshot } from '../test/plan-snapshot.ts';

const check = process.argv.includes('--check');
const names = readdirSync('examples', { withFileTypes: true }).filter((entry) => entry.isDirectory() && !/^(?:\.|rtc-)/.test(entry.name));
let changed = 0;
mkdirSync('examples/.plans', { recursive: true });
for (const { name } of names) {
  const file = `examples/.plans/${name}.snap.json`;
  const now = await planSnapshot(name);
  let before = '';
  try {
    before = readFileSync(file, 'utf8');
  } catch {
    // A new example has none yet.
  }
  if (now === before) continue;
  changed++;
  console.log(`${check ? 'differs' : 'written'}: ${file}`);
  if (!check) writeFileSync(file, now);
}
process.exit(check && changed > 0 ? 1 : 0);
