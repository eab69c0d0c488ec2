// Everything a reviewer would otherwise have to look for: format, lint with types, types, unused code, arrows, generated files.
import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const steps: [string, string[]][] = [
  ['format', ['oxfmt', '--check', '.']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings']],
  ['types', ['tsc', '-p', '.']],
  ['unused code', ['knip', '--no-progress']],
  ['arrows', ['node', 'scripts/arrows.ts']],
  ['generated files', ['node', 'scripts/reference.ts', '--check']],
];

let failed = 0;
for (const [name, argv] of steps) {
  const since = performance.now();
  const [command = '', ...args] = argv;
  const result = spawnSync(command === 'node' ? process.execPath : `node_modules/.bin/${command}`, args, { encoding: 'utf8' });
  const ok = result.status === 0;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - since) / 1000).toFixed(1)} s)`);
  if (!ok) {
    failed++;
    console.log(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  }
}
process.exit(failed ? 1 : 0);
