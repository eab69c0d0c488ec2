import assert from 'node:assert/strict';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../base/clock.ts';
import { ConfigSchema } from '../../base/config.ts';
import { run } from '../../base/run.ts';
import { sameUser } from '../../base/worker.ts';
import { findUv } from '../../clients/uv.ts';
import type { BuildPlan, UnkeyedLock } from '../../contracts/plan.ts';
import { wheel } from '../../../../../test/fakes/package-files.ts';
import { BASICS, startPackageIndex } from '../../../../../test/fakes/package-index.ts';
import { interpreterFacts, toolUv, TOOLS } from '../../../../../test/tools.ts';
import { condaTool, installConda, type CondaPackage, type CondaTool } from './conda.ts';
import { Interpreters } from './interpreters.ts';
import { channelUrls } from './lock-conda.ts';
import type { SandboxOrder } from './lock-resolve.ts';
import { makeLock, type LockDeps } from './lock.ts';
import { BARE_PLAN, EMPTY_TREE } from '../../../../../test/fakes/bare-plan.ts';

const folder = await mkdtemp(join(tmpdir(), 'conda-'));
const channels = join(folder, 'channels');
const signal = new AbortController().signal;
const log = { info: () => {}, line: () => {} };
const platform = `linux-${process.arch === 'arm64' ? 'aarch64' : '64'}`;
const run1 = { timeoutMs: 60_000, signal };
let tool: CondaTool;

async function bench(indexUrl: string | undefined, channelAlias = `file://${channels}`): Promise<LockDeps & { orders: SandboxOrder[] }> {
  await interpreterFacts();
  const config = ConfigSchema.parse({
    folders: { state: TOOLS, cache: TOOLS },
    python: { uv: await toolUv(), channelAlias, ...(indexUrl === undefined ? {} : { indexUrl }) },
  });
  const variables = process.env;
  const uv = await findUv({ config, worker: sameUser, variables, say: () => {}, signal });
  const orders: SandboxOrder[] = [];
  const interpreters = new Interpreters({ config, worker: sameUser, variables, uv: () => Promise.resolve(uv) });
  const sandboxed = (order: SandboxOrder): ReturnType<typeof run> => {
    orders.push(order);
    return run(order.argv, { ...order });
  };
  return { uv, worker: sameUser, config, clock: systemClock, interpreters, sandboxed, orders };
}

before(async () => {
  tool = await condaTool({ ...(await bench(undefined)), log, signal });
  const packages = [
    { name: 'python', version: '3.11.7', subdir: platform, files: { 'bin/python3.11': '#!/placeholder/bin/sh\n' } },
    { name: 'python', version: '3.10.9', subdir: platform, files: { 'bin/python3.10': '#!/bin/sh\n' } },
    { name: 'pip', version: '24.0', noarch: 'python', depends: ['python'], files: { 'site-packages/pip.py': '' } },
    { name: 'ipykernel', version: '6.0', noarch: 'python', depends: ['python'], files: { 'site-packages/ipykernel.py': '' } },
    {
      name: 'pure',
      version: '1.0',
      noarch: 'python',
      depends: ['python'],
      files: { 'site-packages/pure.py': '' },
      entryPoints: ['pure = pure:main'],
    },
    { name: 'pure', version: '2.0', noarch: 'python', depends: ['python'], timestamp: 1_700_000_000_000 },
    {
      name: 'tiny',
      version: '1.0',
      noarch: 'generic',
      files: { 'bin/tiny': '#!/bin/sh\necho tiny\n', 'bin/.tiny-post-link.sh': `touch ${folder}/owned\n` },
    },
  ];
  const make = async (name: string, some: typeof packages): Promise<void> => {
    await mkdir(join(channels, name), { recursive: true });
    const script = fileURLToPath(new URL('../../../../../test/fakes/conda-channel.py', import.meta.url));
    const made = await run([tool.python, script, join(channels, name)], { env: {}, input: JSON.stringify(some), ...run1 });
    assert.equal(made.code, 0, made.stderr);
  };
  await make('mine', packages);
  await make(
    'bare',
    packages.filter(({ name }) => name !== 'ipykernel'),
  );
});
after(() => rm(folder, { recursive: true, force: true }));

function conda(
  specs: string[],
  more: Partial<BuildPlan> & { channels?: string[]; from?: 'channels' | 'pypi'; pip?: string[] } = {},
): BuildPlan {
  const { channels: from = ['mine'], from: where = 'channels', pip = [], ...plan } = more;
  const common = { because: 'environment.yml', inputs: [] };
  return {
    ...BARE_PLAN,
    ...plan,
    steps: [
      { uses: 'conda', ...common, channels: from, specs, from: where },
      ...(pip.length > 0 ? [{ uses: 'python' as const, ...common, requirements: pip, constraints: [], options: [] }] : []),
    ],
  };
}

const lockOf = (plan: BuildPlan, deps: LockDeps): Promise<UnkeyedLock> => makeLock(plan, EMPTY_TREE, deps, log, signal);
const named = (lock: UnkeyedLock): string[] => (lock.conda ?? []).map(({ name, version }) => `${name}=${version}`);

test('an environment from a channel: Python, kernel and packages, exactly, solved in the sandbox', async () => {
  const deps = await bench(undefined);
  const lock = await lockOf(conda(['tiny', 'pure <2']), deps);
  assert.deepEqual(named(lock), ['ipykernel=6.0', 'pip=24.0', 'pure=1.0', 'python=3.11.7', 'tiny=1.0']);
  assert.deepEqual([lock.packages, lock.fixed, lock.layout], [[], false, 'split']);
  assert.equal(lock.python.version, '3.11.7');
  assert.equal(lock.python.path, '/srv/conda/envs/notebook/bin/python');
  assert.ok(deps.orders.length > 0 && deps.orders.every(({ network }) => network === 'index'));
  const again = await lockOf(conda(['pure <2', 'mine::tiny']), deps);
  assert.equal(again.id, lock.id);
});

test('Python as the repository wants it, and packages as of a date', async () => {
  const deps = await bench(undefined);
  const version = async (plan: BuildPlan): Promise<string> => (await lockOf(plan, deps)).python.version;
  assert.equal(await version(conda(['tiny', 'python =3.10'])), '3.10.9');
  assert.equal(await version(conda(['tiny'], { base: { python: { requires: '==3.10.*', prefer: 'newest', because: 'x' } } })), '3.10.9');
  assert.equal(await version(conda(['tiny'], { base: { python: { requires: '', prefer: '3.10', because: 'x' } } })), '3.10.9');
  const old = await lockOf(conda(['pure'], { asOf: '2020-01-01T00:00:00.000Z' }), deps);
  assert.ok(named(old).includes('pure=1.0'));
  assert.equal(old.fixed, true);
});

test('packages of the Python index come beside it, without a second copy of what conda brings; the kernel too where the channel has none', async () => {
  await using index = await startPackageIndex([
    ...BASICS,
    wheel('extra', '1.0', { requires: ['pure', 'ipykernel'] }),
    wheel('pure', '1.0'),
    wheel('pure', '3.0'),
  ]);
  const deps = await bench(index.url);
  const lock = await lockOf(conda(['pure <2'], { pip: ['extra'], channels: ['bare'] }), deps);
  assert.deepEqual(
    lock.packages.map(({ requirement }) => requirement),
    ['extra==1.0', 'ipykernel==7.0'],
  );
});

test('what cannot be had together, a bad specification, a channel that is not there', async () => {
  const deps = await bench(undefined);
  await assert.rejects(lockOf(conda(['pure >=3']), deps), { code: 'unsatisfiable', message: /No candidates were found for pure >=3/ });
  await assert.rejects(lockOf(conda(['pure >>1']), deps), { code: 'file_invalid', message: /^“pure >>1” is no specification/ });
  const lost = (error: Error & { code: string; hint: string }): boolean => {
    assert.equal(error.code, 'channel_unreachable');
    assert.match(error.hint, /--conda pypi/);
    return true;
  };
  await assert.rejects(lockOf(conda(['pure'], { channels: ['nowhere'] }), deps), (error: Error & { code: string; hint: string }) => {
    assert.match(error.message, /channels\/nowhere could not be read/);
    return lost(error);
  });
  await assert.rejects(lockOf(conda(['pure']), await bench(undefined, 'http://127.0.0.1:9')), lost);
});

test('--conda pypi: what the Python index does not have is left out and listed', async () => {
  await using index = await startPackageIndex([...BASICS, wheel('extra', '1.0')]);
  const deps = await bench(index.url);
  const lock = await lockOf(conda(['extra', 'libgdal==3', 'r-base'], { from: 'pypi' }), deps);
  assert.ok(lock.packages.some(({ requirement }) => requirement === 'extra==1.0'));
  assert.ok(lock.notes.includes('Left out, since the Python index has nothing of that name: libgdal, r-base.'), lock.notes.join('\n'));
  assert.equal(lock.conda, undefined);
});

test('installing: the files know where they will be, no script of a package runs, and a file that is not what was locked is refused', async () => {
  const server = createServer((request, response) => {
    const path = join(channels, request.url ?? '');
    if (existsSync(path)) createReadStream(path).pipe(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => server.close());
  const deps = await bench(undefined, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const lock = await lockOf(conda(['tiny', 'pure <2']), deps);
  const install = async (name: string, packages: readonly CondaPackage[]): Promise<string> => {
    const [prefix, work] = [join(folder, name), join(folder, `${name}-work`)];
    await mkdir(work);
    await installConda(tool, packages, { work: [work, work], prefix, mountedAt: '/srv/conda/envs/notebook' }, deps.uv, (argv, env) =>
      run(argv, { env: { PATH: '/usr/bin:/bin', ...env }, ...run1 }),
    );
    return prefix;
  };
  const prefix = await install('good', lock.conda ?? []);
  assert.match(await readFile(join(prefix, 'bin/pure'), 'utf8'), /^#!\/srv\/conda\/envs\/notebook\/bin\/python3\.11\n/);
  assert.match(await readFile(join(prefix, 'bin/python3.11'), 'utf8'), /^#!\/srv\/conda\/envs\/notebook\/bin\/sh/);
  const tiny = await run([join(prefix, 'bin/tiny')], { env: { PATH: '/usr/bin:/bin' }, ...run1 });
  assert.equal(tiny.stdout, 'tiny\n');
  assert.equal(existsSync(join(folder, 'owned')), false);
  const altered = (lock.conda ?? []).map((one) => (one.name === 'tiny' ? { ...one, sha256: '0'.repeat(64) } : one));
  await assert.rejects(install('bad', altered), { code: 'build_failed', message: /could not be installed/ });
});

test('names of channels lead below the configured address; whole addresses are kept', () => {
  const alias = 'https://mirror.example/conda/';
  assert.deepEqual(channelUrls('conda-forge', alias), ['https://mirror.example/conda/conda-forge']);
  assert.deepEqual(channelUrls('defaults', alias), ['https://mirror.example/conda/main', 'https://mirror.example/conda/r']);
  assert.deepEqual(channelUrls('nodefaults', alias), []);
  assert.deepEqual(channelUrls('https://else.example/x/', alias), ['https://else.example/x']);
});
