import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../base/clock.ts';
import { ConfigSchema } from '../../base/config.ts';
import { makeLog } from '../../base/log.ts';
import { loweredTo, sameUser } from '../../base/worker.ts';
import { findUv } from '../../clients/uv.ts';
import type { BuildPlan, Lock } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import { sdist, wheel } from '../../../../../test/fakes/package-files.ts';
import { BASICS, startPackageIndex } from '../../../../../test/fakes/package-index.ts';
import { interpreterFacts, toolUv, TOOLS } from '../../../../../test/tools.ts';
import { condaTool } from './conda.ts';
import { createLocalEngine } from './engine.ts';
import { Interpreters } from './interpreters.ts';

const folder = await mkdtemp(join(tmpdir(), 'conda-build-'));
after(() => rm(folder, { recursive: true, force: true }));
const signal = AbortSignal.timeout(300_000);
const log = { info: () => {}, line: () => {} };
/** Where programs and interpreters are, and nothing that names a package index. */
const { PATH, HOME, PYENV_ROOT, XDG_DATA_HOME } = process.env;
const variables = { PATH, HOME, PYENV_ROOT, XDG_DATA_HOME };

/** What makes channels and installs from them, as the machine's own index has it. */
async function rattler(): Promise<string> {
  const config = ConfigSchema.parse({ folders: { state: TOOLS, cache: TOOLS }, python: { uv: await toolUv() } });
  const uv = await findUv({ config, worker: sameUser, variables: process.env, say: () => {}, signal });
  const interpreters = new Interpreters({ config, worker: sameUser, variables, uv: () => Promise.resolve(uv) });
  return dirname(dirname((await condaTool({ uv, interpreters, config, worker: sameUser, log, signal })).python));
}

/** A channel whose Python is this machine's, under another prefix. */
async function channel(python: { path: string; version: string }): Promise<string> {
  const name = `bin/python${python.version.split('.').slice(0, 2).join('.')}`;
  const platform = `linux-${process.arch === 'arm64' ? 'aarch64' : '64'}`;
  const packages = [
    {
      name: 'python',
      version: python.version,
      subdir: platform,
      files: { 'pyvenv.cfg': `home = ${dirname(python.path)}\nversion = ${python.version}\n` },
      links: { [name]: python.path, 'bin/python': python.path },
    },
    { name: 'pip', version: '24.0', noarch: 'python', depends: ['python'], files: { 'site-packages/pip.py': '' } },
    { name: 'tiny', version: '1.0', noarch: 'generic', files: { 'bin/tiny': '#!/bin/sh\n', 'bin/.tiny-post-link.sh': 'exit 1\n' } },
  ];
  const script = fileURLToPath(new URL('../../../../../test/fakes/conda-channel.py', import.meta.url));
  execFileSync(python.path, [script, join(folder, 'channels/mine')], { input: JSON.stringify(packages) });
  return `file://${folder}/channels`;
}

test('a conda environment is built in the walls: conda first, wheels and sources beside it, through an index with credentials', () =>
  built('auto', 'layer'));

test('a conda environment is built where no sandbox works, at the place where it stays', () => built('off', 'prefix'));

async function built(sandbox: 'auto' | 'off', where: 'layer' | 'prefix'): Promise<void> {
  await chmod(folder, 0o755);
  const cache = join(folder, sandbox, 'cache');
  await mkdir(join(cache, 'tools'), { recursive: true });
  await copyFile(await interpreterFacts(), join(cache, 'interpreters.json'));
  const tool = await rattler();
  await symlink(tool, join(cache, 'tools', basename(tool)));
  const python = await readlink(join(tool, 'bin/python'));
  const version = execFileSync(python, ['-c', 'import platform; print(platform.python_version())']).toString().trim();
  await using index = await startPackageIndex(
    [...BASICS, wheel('young', '1.0', { requires: ['bare'] }), sdist('bare', '1.0', { code: 'x = 42\n' })],
    {
      credentials: 'jane:s3cr3t-p4ss',
    },
  );
  const config = ConfigSchema.parse({
    folders: { state: join(folder, sandbox, 'state'), cache },
    session: { sandbox },
    python: {
      uv: await toolUv(),
      indexUrl: index.url.replace('//', '//jane:s3cr3t-p4ss@'),
      channelAlias: await channel({ path: python, version }),
    },
  });
  const worker = process.getuid?.() === 0 && sandbox === 'auto' ? loweredTo(0x0b1d_0000) : sameUser;
  const engine = await createLocalEngine({
    config,
    log: makeLog('warn'),
    clock: systemClock,
    worker,
    variables,
    say: () => {},
  });
  try {
    const repository = join(folder, sandbox, 'repository');
    execFileSync('git', ['init', '--quiet', repository]);
    const tree: Tree = {
      id: 'a'.repeat(64),
      committedAt: '2026-01-01T00:00:00.000Z',
      folder: repository,
      read: () => Promise.resolve(undefined),
      async *list() {},
    };
    const common = { because: 'environment.yml', inputs: [] };
    const plan: BuildPlan = {
      version: 1,
      epoch: '2026',
      layout: 'auto',
      layoutBecause: '',
      base: { python: { requires: '', prefer: 'newest', because: 'no file names a version' } },
      steps: [
        { uses: 'conda', ...common, channels: ['mine'], specs: ['tiny'], from: 'channels' },
        { uses: 'python', ...common, requirements: ['young'], constraints: [], options: [] },
      ],
      env: {},
      reads: 'tree',
      findings: [],
    };
    const lines: string[] = [];
    const heard = { info: (text: string) => lines.push(text), line: (text: string) => lines.push(text) };
    const lock: Lock = { ...(await engine.builder.lock(plan, tree, heard, signal)), planId: 'b'.repeat(64) };
    assert.deepEqual(
      lock.packages.map(({ requirement, from }) => `${requirement} ${from}`),
      ['bare==1.0 source', 'ipykernel==7.0 wheel', 'young==1.0 wheel'],
    );
    const { location } = await engine.builder.build({ id: 'c'.repeat(64), plan, lock, tree }, heard, signal);
    const site = join(location, `${where}/lib/python${version.split('.').slice(0, 2).join('.')}/site-packages`);
    assert.equal(await readFile(join(site, 'bare.py'), 'utf8'), 'x = 42\n');
    assert.equal(await readFile(join(site, 'young.py'), 'utf8'), '__version__ = "1.0"\n');
    assert.equal(await readFile(join(location, where, 'bin/tiny'), 'utf8'), '#!/bin/sh\n');
    const trace = execFileSync('sh', ['-c', 'grep -rlE "s3cr3t" "$@" || true', 'sh', location, `${location}/${where}/`]).toString();
    assert.equal(trace + lines.filter((line) => line.includes('s3cr3t')).join(), '');
  } finally {
    await engine.close();
  }
}
