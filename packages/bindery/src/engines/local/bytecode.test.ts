import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigSchema } from '../../base/config.ts';
import { run } from '../../base/run.ts';
import { sameUser } from '../../base/worker.ts';
import { Interpreters } from './interpreters.ts';
import { interpreterFacts } from '../../../../../test/tools.ts';

const folder = await mkdtemp(join(tmpdir(), 'bytecode-'));
after(() => rm(folder, { recursive: true, force: true }));
const script = join(import.meta.dirname, 'runtime/bytecode.py');

test('every interpreter of this machine compiles an environment, and goes past what it cannot read', async () => {
  await copyFile(await interpreterFacts(), join(folder, 'interpreters.json'));
  const config = ConfigSchema.parse({ folders: { state: folder, cache: folder } });
  const uv = (): Promise<never> => Promise.reject(new Error('nothing is fetched'));
  const all = await new Interpreters({ config, worker: sameUser, variables: process.env, uv }).list(new AbortController().signal);
  assert.ok(all.length > 0);
  for (const { path, version } of all) {
    const site = join(folder, version);
    await mkdir(join(site, 'one-1.0.dist-info'), { recursive: true });
    await writeFile(join(site, 'one.py'), 'x = 1\n');
    await writeFile(join(site, 'two.py'), 'print "two"\n');
    await writeFile(join(site, 'one-1.0.dist-info/RECORD'), 'one.py,,\ntwo.py,,\n');
    await writeFile(join(site, 'order.json'), JSON.stringify({ site, store: join(folder, `store-${version}`), keys: { one: 'a' } }));
    const result = await run([path, '-I', '-S', '-B', script, join(site, 'order.json')], { env: {}, timeoutMs: 60_000 });
    assert.equal(result.code, 0, `${version}: ${result.stderr}`);
    const tag = `cpython-${version.split('.').slice(0, 2).join('')}`;
    assert.deepEqual(await readdir(join(site, '__pycache__')), [`one.${tag}.pyc`]);
    assert.deepEqual(await readdir(join(folder, `store-${version}/a/__pycache__`)), [`one.${tag}.pyc`]);
  }
});
