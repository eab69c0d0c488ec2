import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sameUser } from '../../base/worker.ts';
import { writeKernelSpecs } from './kernel-specs.ts';

const folder = await mkdtemp(join(tmpdir(), 'kernel-specs-'));
after(() => rm(folder, { recursive: true, force: true }));

async function argvAfter(name: string, files: Readonly<Record<string, string>>): Promise<string[]> {
  const prefix = join(folder, name);
  const site = join(prefix, 'lib/python3.7/site-packages');
  for (const [path, text] of Object.entries({ 'lib/python3.7/site-packages/x.py': '', ...files })) {
    await mkdir(join(prefix, path, '..'), { recursive: true });
    await writeFile(join(folder, 'stored'), text);
    await link(join(folder, 'stored'), join(prefix, path));
    await rm(join(folder, 'stored'));
  }
  await writeKernelSpecs({ prefix, site, mountedAt: '/srv/env' }, sameUser);
  const text = await readFile(join(prefix, 'share/jupyter/kernels/python3/kernel.json'), 'utf8');
  return (JSON.parse(text) as { argv: string[] }).argv;
}

test("a kernel's spec names the environment's interpreter, also where the package brings none", async () => {
  const spec = JSON.stringify({ argv: ['python3', '-m', 'ipykernel_launcher', '-f', '{connection_file}'] });
  const rest = ['-f', '{connection_file}'];
  const own = ['/srv/env/bin/python', '-m', 'ipykernel_launcher', ...rest];
  assert.deepEqual(await argvAfter('new', { 'share/jupyter/kernels/python3/kernel.json': spec }), own);
  assert.deepEqual(await argvAfter('old', { 'lib/python3.7/site-packages/ipykernel_launcher.py': '' }), own);
  assert.deepEqual(await argvAfter('older', {}), ['/srv/env/bin/python', '-m', 'ipykernel', ...rest]);
});

test('the spec of a kernel in another language stays as it is', async () => {
  const spec = JSON.stringify({ argv: ['R', '--slave'] });
  await argvAfter('r', { 'share/jupyter/kernels/ir/kernel.json': spec });
  assert.equal(await readFile(join(folder, 'r/share/jupyter/kernels/ir/kernel.json'), 'utf8'), spec);
});
