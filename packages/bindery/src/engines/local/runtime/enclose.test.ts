import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../../../../test/fakes/until.ts';

test('a step ends, with all that it started, when whoever asked for it is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enclose-'));
  const order = join(folder, 'order.json');
  const step = 'setsid sleep 600 & echo $! > one; sleep 600 & echo $! > two; wait';
  const watch = { folders: [], disk: 2 ** 40, memory: null, processes: null };
  const nothing = { overlay: null, groupFiles: [], groups: [], rlimits: {}, watch };
  writeFileSync(
    order,
    JSON.stringify({ argv: ['/bin/sh', '-c', step], env: { PATH: '/usr/bin:/bin' }, cwd: folder, loose: true, ...nothing }),
  );
  const asker = spawn('sh', ['-c', 'python3 -I -S -B "$1" "$2"; true', 'sh', join(import.meta.dirname, 'enclose.py'), order], {
    stdio: 'ignore',
  });
  const pidOf = (name: string): number => (existsSync(join(folder, name)) ? Number(readFileSync(join(folder, name), 'utf8')) : 0);
  await until('the step runs', () => pidOf('one') > 0 && pidOf('two') > 0, { withinMs: 20_000 });
  const gone = once(asker, 'exit');
  asker.kill('SIGKILL');
  await gone;
  const isOver = (name: string): boolean => !existsSync(`/proc/${pidOf(name)}`);
  await until('nothing of it runs', () => isOver('one') && isOver('two'), { withinMs: 20_000 });
  rmSync(folder, { recursive: true });
});
