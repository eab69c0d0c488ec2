import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Kernel } from '../fakes/kernel.ts';
import { wheel } from '../fakes/package-files.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';

const example = (name: string): string => `file://${fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))}`;

/** The packages' own extensions of JupyterLab, as its page names them. */
async function extensions({ url, token }: { url: string; token: string }): Promise<string[]> {
  const page = await (await fetch(`${url}lab?token=${token}`, { headers: { accept: '*/*' } })).text();
  const config = /<script id="jupyter-config-data" type="application\/json">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '{}';
  return ((JSON.parse(config) as { federated_extensions?: { name: string }[] }).federated_extensions ?? []).map(({ name }) => name);
}

describe('the examples, as sessions', () => {
  let home: RealHub;
  before(async () => void (home = await realHub()));
  after(() => home[Symbol.asyncDispose]());
  const run = async (name: string, code: string): Promise<{ output: string; url: string; token: string }> => {
    const ready = await home.ready(example(name));
    using kernel = await Kernel.start(ready);
    return { ...ready, output: await kernel.execute(code) };
  };

  for (const major of [7, 8])
    it(`ipywidgets ${major}: the kernel has it, JupyterLab has its front end`, { timeout: 300_000 }, async () => {
      const session = await run(`widgets${major}`, 'import ipywidgets; print(ipywidgets.__version__.split(".")[0])');
      assert.equal(session.output, String(major));
      assert.ok((await extensions(session)).includes('@jupyter-widgets/jupyterlab-manager'));
    });

  it('jupyter-server-proxy: the server has it, in one environment with the kernel', { timeout: 300_000 }, async () => {
    const session = await run('server-proxy', 'import sys, jupyterlab, jupyter_server_proxy; print(sys.prefix)');
    assert.equal(session.output, '/srv/conda/envs/notebook');
    assert.equal((await fetch(`${session.url}server-proxy/servers-info?token=${session.token}`)).status, 200);
  });

  it('jupytext: a Markdown file opens as a notebook', { timeout: 300_000 }, async () => {
    const { url, token } = await home.ready(example('jupytext'));
    const response = await fetch(`${url}api/contents/index.md?type=notebook&token=${token}`);
    const model = (await response.json()) as { type: string; content: { cells: { cell_type: string }[] } };
    assert.equal(model.type, 'notebook');
    assert.ok(model.content.cells.some(({ cell_type: type }) => type === 'code'));
  });

  it('wheels that lie in the repository: installed from there', { timeout: 300_000 }, async () => {
    using folder = new TemporaryFolder();
    const repository = new Repository(`${folder.path}/repository`);
    const own = wheel('bindery-own', '1.6', { requires: ['iniconfig'], code: 'where = "the repository"\n' });
    repository.commit({ 'requirements.txt': '--find-links wheels\nbindery-own\n', [`wheels/${own.name}`]: own.bytes });
    using kernel = await Kernel.start(await home.ready(repository.url, { ref: 'main' }));
    assert.equal(await kernel.execute('import bindery_own, iniconfig; print(bindery_own.where)'), 'the repository');
  });

  it('start: what it exports is there, in kernels too', { timeout: 300_000 }, async () => {
    const { output } = await run('start', 'import os; print(os.environ.get("STARTED_BY"))');
    assert.equal(output, 'the start script');
  });

  it('postBuild: what it made is in the session, and Git says so', { timeout: 300_000 }, async () => {
    const { output } = await run('post-build', 'print(open("sum-of-primes.txt").read().strip())\n!git status --porcelain');
    assert.match(output, /^5736396\s+\?\? sum-of-primes\.txt$/);
  });

  it('postBuild and start that are not executable: run all the same, and Git sees no change of them', { timeout: 300_000 }, async () => {
    using folder = new TemporaryFolder();
    chmodSync(folder.path, 0o755);
    const repo = new Repository(join(folder.path, 'r'));
    const start = '#!/usr/bin/env bash\nSTARTED=$((6 * 7)) exec "$@"\n';
    repo.commit({ postBuild: 'echo made > made.txt\n', start });
    using kernel = await Kernel.start(await home.ready(`file://${repo.path}`));
    assert.equal(await kernel.execute('!git status --porcelain; echo $STARTED'), '?? made.txt\r\n42');
  });

  it('a package of the repository, built in the sandbox', { timeout: 300_000 }, async () => {
    const { output } = await run('setup-py', 'import waves; print(waves.__file__)');
    assert.match(output, /^\/(?:srv\/conda\/envs\/notebook|home\/jovyan)\//);
  });

  it('locks of uv and Pipenv', { timeout: 300_000 }, async () => {
    assert.equal((await run('uv-lock', 'print(1 + 1)')).output, '2');
    assert.equal((await run('pipenv', 'print(1 + 1)')).output, '2');
  });
});
