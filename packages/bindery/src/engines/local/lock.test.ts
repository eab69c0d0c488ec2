import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { ConfigSchema } from '../../base/config.ts';
import { run } from '../../base/run.ts';
import { sameUser } from '../../base/worker.ts';
import { findUv } from '../../clients/uv.ts';
import type { BuildPlan, Step, UnkeyedLock } from '../../contracts/plan.ts';
import type { Tree } from '../../contracts/source.ts';
import { Interpreters } from './interpreters.ts';
import { makeLock, type LockDeps } from './lock.ts';
import type { SandboxOrder } from './lock-resolve.ts';
import { project, sdist, wheel, type PackageFile } from '../../../../../test/fakes/package-files.ts';
import { interpreterFacts, toolUv } from '../../../../../test/tools.ts';
import { BASICS, startPackageIndex, type FakeIndex, type IndexOptions } from '../../../../../test/fakes/package-index.ts';
import { BARE_PLAN, EMPTY_TREE } from '../../../../../test/fakes/bare-plan.ts';

const folder = await mkdtemp(join(tmpdir(), 'lock-'));
after(() => rm(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;
const [uvPath, facts] = [await toolUv(), await interpreterFacts()];
let number = 0;

interface Bench {
  readonly deps: LockDeps;
  readonly lines: string[];
  readonly orders: SandboxOrder[];
  readonly lock: (plan: Partial<BuildPlan>, tree?: Partial<Tree>) => Promise<UnkeyedLock>;
}

/** A machine whose only index is the given one, with a sandbox that walls nothing off but tells what was asked of it. */
async function bench(index: Pick<FakeIndex, 'url'>, address = index.url): Promise<Bench> {
  const cache = join(folder, String(number++));
  const config = ConfigSchema.parse({ folders: { state: cache, cache }, python: { indexUrl: address, uv: uvPath, managed: false } });
  const variables = { PATH: process.env['PATH'], HOME: process.env['HOME'], UV_HTTP_TIMEOUT: '2' };
  await mkdir(cache, { recursive: true });
  await copyFile(facts, join(cache, 'interpreters.json'));
  const uv = await findUv({ config, worker: sameUser, variables, say: () => {}, signal });
  const [lines, orders]: [string[], SandboxOrder[]] = [[], []];
  const deps: LockDeps = {
    uv,
    worker: sameUser,
    config,
    clock: systemClock,
    interpreters: new Interpreters({ config, worker: sameUser, variables, uv: () => Promise.resolve(uv) }),
    sandboxed: (order) => {
      orders.push(order);
      return run(order.argv, { ...order, env: { ...order.env, ...(uv.index.secret ? { UV_DEFAULT_INDEX: uv.index.url } : {}) } });
    },
  };
  const log = { info: (text: string) => lines.push(text), line: (text: string) => lines.push(text) };
  return { deps, lines, orders, lock: (plan, tree) => makeLock({ ...BARE_PLAN, ...plan }, { ...EMPTY_TREE, ...tree }, deps, log, signal) };
}

function python(...requirements: string[]): { steps: Step[] } {
  return { steps: [{ uses: 'python', because: 'requirements.txt', inputs: [], requirements, constraints: [], options: [] }] };
}

async function index(files: readonly PackageFile[], options: IndexOptions = {}): Promise<FakeIndex> {
  return startPackageIndex([...BASICS, ...files], options);
}

const pins = (lock: UnkeyedLock): string[] => lock.packages.map(({ requirement }) => requirement);

test('wheels of the index: resolved outside the sandbox, with hashes and what every environment has', async () => {
  const one = wheel('one', '1.0', { requires: ['two>=2'] });
  const two = wheel('two', '2.1');
  await using fake = await index([one, wheel('two', '1.0'), two]);
  const { lock, orders } = await bench(fake);
  const made = await lock(python('One'));
  assert.deepEqual(
    made.packages.filter(({ name }) => name === 'one' || name === 'two'),
    [
      { name: 'one', version: '1.0', from: 'wheel', hashes: [`sha256:${one.sha256}`], requirement: 'one==1.0' },
      { name: 'two', version: '2.1', from: 'wheel', hashes: [`sha256:${two.sha256}`], requirement: 'two==2.1' },
    ],
  );
  assert.ok(pins(made).includes('ipykernel==7.0') && pins(made).includes('pip==7.0'));
  assert.equal(made.layout, 'split');
  assert.equal(made.fixed, false);
  assert.equal(orders.length, 0);
});

test("wheels in a folder of the repository: chosen in the sandbox, named as the repository's own, before those of the index", async () => {
  const tree = join(folder, 'with wheels');
  const own = wheel('one', '1.0', { requires: ['two'], code: 'mine = True\n' });
  await mkdir(join(tree, 'my wheels'), { recursive: true });
  await writeFile(join(tree, 'my wheels', own.name), own.bytes);
  const two = wheel('two', '2.1');
  await using fake = await index([wheel('one', '1.0'), two]);
  const { lock, orders } = await bench(fake);
  const [step] = python('one').steps;
  assert.ok(step?.uses === 'python');
  const made = await lock({ steps: [{ ...step, options: ['--find-links=./my wheels'] }] }, { folder: tree });
  assert.deepEqual(
    made.packages.filter(({ name }) => name === 'one' || name === 'two'),
    [
      { name: 'one', version: '1.0', from: 'source', own: true, hashes: [`sha256:${own.sha256}`], requirement: 'one==1.0' },
      { name: 'two', version: '2.1', from: 'wheel', hashes: [`sha256:${two.sha256}`], requirement: 'two==2.1' },
    ],
  );
  assert.ok(made.notes.includes("From the repository's own folders: one 1.0."), made.notes.join('\n'));
  assert.ok(orders.length > 0);
});

test('the same packages give the same id, however they were asked for; exact pins fix the lock', async () => {
  await using fake = await index([wheel('one', '1.0')]);
  const { lock } = await bench(fake);
  const [loose, exact, other] = [await lock(python('one')), await lock(python('one==1.0')), await lock({})];
  assert.equal(loose.id, exact.id);
  assert.notEqual(loose.id, other.id);
  assert.deepEqual([loose.fixed, exact.fixed, other.fixed], [false, true, false]);
});

test('an interpreter for which a package has no wheel is passed over, and the notes say so', async () => {
  await using fake = await index([
    wheel('old', '1.0', { tag: `cp311-cp311-manylinux_2_17_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}` }),
    sdist('old', '1.0'),
  ]);
  const { lock, deps, orders } = await bench(fake);
  const versions = (await deps.interpreters.list(signal)).map(({ version }) => version);
  const wanted = versions.find((version) => version.startsWith('3.11.'));
  assert.ok(wanted, 'this machine has Python 3.11');
  const made = await lock(python('old'));
  assert.equal(made.python.version, wanted);
  if (versions[0] !== wanted)
    assert.ok(made.notes.includes(`Not Python ${versions[0]}: old 1.0 has no wheel for it.`), made.notes.join('\n'));
  assert.equal(orders.length, 0);
});

test('a package that exists as sources alone is built in the sandbox, on a cache of its own, and only that one', async () => {
  const bare = sdist('bare', '1.0', { requires: ['two'] });
  await using fake = await index([bare, wheel('two', '1.0'), sdist('two', '2.0')]);
  const { lock, orders, deps } = await bench(fake);
  const made = await lock(python('bare'));
  assert.deepEqual(
    made.packages.find(({ name }) => name === 'bare'),
    { name: 'bare', version: '1.0', from: 'source', hashes: [`sha256:${bare.sha256}`], requirement: 'bare==1.0' },
  );
  assert.ok(pins(made).includes('two==1.0'), 'a wheel is taken where there is one');
  assert.ok(made.notes.some((note) => note.includes('bare 1.0')));
  assert.ok(orders.length > 0);
  for (const order of orders)
    assert.ok(!order.writable.some((path) => deps.uv.cache.startsWith(path)) && order.env['UV_CACHE_DIR'] !== deps.uv.cache);
});

test('sources alone, deep below a package of which older versions would do without: found and built, not gone around', async () => {
  await using fake = await index([
    wheel('top', '2.0', { requires: ['middle'] }),
    sdist('top', '1.0', { requires: ['no-longer-there'] }),
    wheel('middle', '1.0', { requires: ['bare'] }),
    sdist('bare', '1.0'),
  ]);
  const made = await (await bench(fake)).lock(python('top'));
  assert.deepEqual(
    made.packages.filter(({ name }) => /top|middle|bare/.test(name)).map(({ requirement, from }) => `${requirement} ${from}`),
    ['bare==1.0 source', 'middle==1.0 wheel', 'top==2.0 wheel'],
  );
});

test('versions with wheels for other interpreters alone are built on the oldest one, and nothing else is', async () => {
  const tag = `cp36-cp36m-manylinux_2_17_${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`;
  await using fake = await index([wheel('old', '1.0', { tag }), sdist('old', '1.0'), sdist('two', '2.0'), wheel('two', '1.0')]);
  const { lock, deps } = await bench(fake);
  const made = await lock(python('old==1.0', 'two'));
  assert.equal(made.python.version, (await deps.interpreters.list(signal)).at(-1)?.version);
  assert.deepEqual(
    made.packages.filter(({ name }) => /old|two/.test(name)).map(({ requirement, from }) => `${requirement} ${from}`),
    ['old==1.0 source', 'two==1.0 wheel'],
  );
});

test('wheels for other systems are none for this machine, and pins without wheels are built together', async () => {
  const packages = ['one', 'two', 'three'].map((name) => sdist(name, '1.0'));
  const elsewhere = wheel('one', '1.0', { tag: 'py3-none-win_amd64' });
  await using fake = await index([...packages, elsewhere, wheel('two', '2.0'), sdist('four', '1.0')]);
  const { lock, deps, orders, lines } = await bench(fake);
  const made = await lock(python('one==1.0', 'two==1.0', 'three==1.0', 'four==1.0; sys_platform == "win32"'));
  assert.equal(made.python.version, (await deps.interpreters.list(signal))[0]?.version);
  assert.deepEqual(
    made.packages.filter(({ from }) => from === 'source').map(({ requirement }) => requirement),
    ['one==1.0', 'three==1.0', 'two==1.0'],
  );
  assert.equal(orders.length, 1);
  assert.ok(
    lines.some((line) => line === 'one, three, two: no wheel fits; built to learn what they need.'),
    lines.join('\n'),
  );
});

test('sources that cannot be built: the error shows why', async () => {
  await using fake = await index([sdist('bad', '1.0', { backend: 'raise SystemExit("needs a compiler for Fortran")' })]);
  const { lock } = await bench(fake);
  await assert.rejects(
    lock({ ...python('bad'), base: { python: { requires: '==3.11.*', prefer: 'newest', because: 'x' } } }),
    (error: Error) => {
      assert.match(JSON.stringify(error), /"code":"unsatisfiable"/);
      assert.match(error.message, /bad/);
      assert.match(JSON.stringify(error), /Fortran/);
      return true;
    },
  );
});

test('an unknown package is named', async () => {
  await using fake = await index([]);
  const { lock } = await bench(fake);
  await assert.rejects(lock(python('no-such-thing')), {
    code: 'unsatisfiable',
    message: 'The package index has no package named no-such-thing.',
  });
});

test('requirements that contradict each other: readable, and an old commit is offered its date', async () => {
  await using fake = await index([wheel('one', '1.0', { requires: ['two<2'] }), wheel('two', '1.0'), wheel('two', '2.0')]);
  const { lock } = await bench(fake);
  await assert.rejects(
    lock(python('one', 'two>=2'), { committedAt: '2018-05-04T00:00:00.000Z' }),
    (error: Error & { hint: string; code: string }) => {
      assert.equal(error.code, 'unsatisfiable');
      assert.match(error.message, /all versions of one depend on two<2/);
      assert.doesNotMatch(error.message, /cause:|error:|│|╰/);
      assert.match(error.hint, /--as-of 2018-05-04/);
      return true;
    },
  );
  await assert.rejects(lock(python('two==3'), { committedAt: new Date().toISOString() }), (error: Error & { hint: string }) => {
    assert.doesNotMatch(error.hint, /as-of/);
    return true;
  });
});

test('as of a date: packages as they were, and the lock is fixed', async () => {
  await using fake = await index([
    wheel('one', '1.0', { uploaded: '2017-01-01T00:00:00Z' }),
    wheel('one', '2.0', { uploaded: '2019-01-01T00:00:00Z' }),
  ]);
  const { lock } = await bench(fake);
  const made = await lock({ ...python('one'), asOf: '2018-05-04T00:00:00.000Z' });
  assert.ok(pins(made).includes('one==1.0'));
  assert.equal(made.fixed, true);
  assert.equal(made.asOf, '2018-05-04T00:00:00.000Z');
});

test('as of a date on an index that keeps no upload times: said as it is', async () => {
  await using fake = await index([wheel('one', '1.0')], { format: 'html' });
  const { lock } = await bench(fake);
  await assert.rejects(lock({ ...python('one'), asOf: '2018-05-04T00:00:00.000Z' }), {
    code: 'unsatisfiable',
    message: /does not say when its files were uploaded, so packages as of 2018-05-04 cannot be found/,
  });
});

test('an index with credentials works, and they are in no lock, no line and no sandbox', async () => {
  await using fake = await index([wheel('one', '1.0'), sdist('bare', '1.0')], { credentials: 'jane:s3cr3t-p4ss' });
  const { lock, lines, orders } = await bench(fake, fake.url.replace('http://', 'http://jane:s3cr3t-p4ss@'));
  const made = await lock(python('one'));
  const built = await lock(python('bare'));
  assert.ok(orders.length > 0);
  const seen = JSON.stringify([made, built, lines, orders]);
  assert.doesNotMatch(seen, /s3cr3t/);
  const wrong = await bench(fake, fake.url.replace('http://', 'http://jane:wr0ng-p4ss@'));
  await assert.rejects(wrong.lock(python('one')), (error: Error & { logTail: string; code: string; hint: string }) => {
    assert.equal(error.code, 'index_unreachable');
    assert.match(error.hint, /password/);
    assert.doesNotMatch(error.message + error.logTail, /wr0ng/);
    return true;
  });
});

for (const [what, options] of [
  ['that answers 500', { status: () => 500 }],
  ['that never answers', { silent: true }],
] as const)
  test(`an index ${what} is unreachable`, { timeout: 60_000 }, async () => {
    await using fake = await index([wheel('one', '1.0')], options);
    const { lock, deps } = await bench(fake);
    const ask = deps.uv.run.bind(deps.uv);
    const hasty = {
      ...deps.uv,
      run: (args: readonly string[], order: Parameters<typeof deps.uv.run>[1]) =>
        ask(args, { ...order, env: { ...order.env, UV_HTTP_RETRIES: '0' } }),
    };
    Object.assign(deps, { uv: hasty });
    await assert.rejects(lock(python('one')), { code: 'index_unreachable', retryable: true });
  });

test('the server in the environment: settled by what is locked, with the reason', async () => {
  await using fake = await index([wheel('jupyter-server-proxy', '4.0')]);
  const { lock } = await bench(fake);
  const made = await lock(python('jupyter-server-proxy'));
  assert.equal(made.layout, 'joint');
  assert.match(made.layoutBecause, /jupyter-server-proxy/);
  assert.ok(pins(made).includes('jupyterlab==7.0') && pins(made).includes('jupytext==7.0'));
  const split = await lock({ ...python('jupyter-server-proxy'), layout: 'split', layoutBecause: 'asked for' });
  assert.deepEqual([split.layout, split.layoutBecause], ['split', 'asked for']);
  assert.ok(!pins(split).includes('jupyterlab==7.0'));
});

test('a server that is too old to be started is not: ours is beside the environment, and that is told', async () => {
  const old = wheel('jupyter-client', '5.0');
  const proxy = wheel('jupyter-server-proxy', '1.0', { requires: ['jupyter-client'] });
  const server = wheel('jupyter-server', '8.0', { requires: ['jupyter-client>=6'] });
  const files = [old, wheel('jupyter-client', '7.0'), proxy, server, wheel('notebook', '6.0')];
  await using fake = await startPackageIndex([...files, ...BASICS.filter(({ name }) => !name.startsWith('jupyter_server'))]);
  const { lock } = await bench(fake);
  const made = await lock(python('jupyter-server-proxy', 'jupyter-client==5.0'));
  assert.equal(made.layout, 'split');
  assert.ok(pins(made).includes('jupyter-client==5.0') && !pins(made).includes('jupyterlab==7.0'));
  assert.ok(
    made.notes.some((note) => /jupyter-server-proxy.*no server that can be started here: ours is beside it/.test(note)),
    made.notes.join('\n'),
  );
  const asked = await lock({ ...python('jupyter-client==5.0'), layout: 'joint', layoutBecause: 'postBuild runs “jupyter”' });
  assert.ok(asked.notes.some((note) => /\(postBuild runs “jupyter”\)/.test(note)));
});

test('an old kernel that has wheels is not gone back to where a newer one needs sources', async () => {
  const at = { uploaded: '2018-06-01T00:00:00Z' };
  const kernels = [wheel('ipykernel', '4.0', at), wheel('ipykernel', '4.8', { ...at, requires: ['bare'] })];
  const basics = BASICS.filter(({ name }) => !name.startsWith('ipykernel'));
  await using fake = await startPackageIndex([...basics, ...kernels, sdist('bare', '1.0', at)]);
  const { lock } = await bench(fake);
  assert.ok(pins(await lock({})).includes('ipykernel==4.8'));
  assert.ok(pins(await lock(python('ipykernel==4.0'))).includes('ipykernel==4.0'));
});

test('a lock file of the repository is taken as it is; the kernel comes beside it without moving a pin', async () => {
  const [old, young] = [wheel('one', '1.0'), wheel('one', '2.0')];
  const kernel = wheel('ipykernel', '8.0', { requires: ['one'] });
  await using fake = await index([old, young, kernel]);
  const { lock } = await bench(fake);
  const locked = (hash: string): { steps: Step[] } => ({
    steps: [
      { uses: 'locked-python', because: 'uv.lock', inputs: [], requirements: [`one==1.0 ; python_version >= "3" --hash=sha256:${hash}`] },
    ],
  });
  const made = await lock(locked(old.sha256));
  assert.deepEqual(
    pins(made).filter((pin) => /^(one|ipykernel)=/.test(pin)),
    ['ipykernel==8.0', 'one==1.0'],
  );
  assert.equal(made.fixed, true);
  await assert.rejects(lock(locked('0'.repeat(64))), { code: 'unsatisfiable', message: /one 1\.0 .* are not those/ });
});

test("a further index of the repository's file is asked in the sandbox, and its wheels are named by address", async () => {
  await using fake = await index([wheel('one', '1.0')]);
  await using further = await startPackageIndex([wheel('one', '1.5+local')]);
  const { lock, orders } = await bench(fake);
  const [step] = python('one').steps;
  assert.ok(step?.uses === 'python');
  const made = await lock({ steps: [{ ...step, options: [`--extra-index-url ${further.url}`, '--trusted-host x'] }] });
  assert.ok(
    pins(made).some((pin) => pin.startsWith(`one @ http://127.0.0.1:${further.port}/files/one-1.5`)),
    pins(made).join('\n'),
  );
  assert.ok(orders.length > 0);
  assert.ok(made.notes.includes('The option --trusted-host x is not applied.'));
});

test('a conda file whose pins contradict each other on PyPI: the channels are named as the way', async () => {
  await using fake = await index([wheel('one', '1.0', { requires: ['two>=2'] }), wheel('two', '1.0'), wheel('two', '2.0')]);
  const { lock } = await bench(fake);
  const specs = ['one==1.0', 'two==1.0'];
  const step: Step = { uses: 'conda', because: 'environment.yml', inputs: [], channels: [], specs, from: 'pypi' };
  await assert.rejects(lock({ steps: [step] }), { code: 'unsatisfiable', hint: /without --conda pypi/ });
  const base = { python: { requires: '==3.6.*', prefer: 'newest', because: 'environment.yml says python =3.6' } };
  await assert.rejects(lock({ steps: [step], base }), { code: 'python_not_found', hint: /Without --conda pypi/ });
});

test('a package of the repository: what it needs is in the lock, it itself is not, and its folder is not written to', async () => {
  await using fake = await index([wheel('one', '1.0'), wheel('extra', '1.0'), sdist('bare', '1.0')]);
  const { lock, orders } = await bench(fake);
  const source = join(folder, 'repository');
  await mkdir(join(source, 'sub'), { recursive: true });
  const files = project('mine', '1', { requires: ['one', 'bare'], extras: { x: 'extra' }, backend: 'open("trace", "w").close()' });
  for (const [path, text] of files) await writeFile(join(source, 'sub', path), text);
  await chmod(join(source, 'sub'), 0o555);
  const local: Step = { uses: 'local', because: 'setup.py', inputs: [], path: 'sub', editable: true, extras: ['x'] };
  const made = await lock({ steps: [local], reads: 'tree' }, { folder: source });
  assert.deepEqual(
    pins(made).filter((pin) => /^(one|extra|bare|mine)\b/.test(pin)),
    ['bare==1.0', 'extra==1.0', 'one==1.0'],
  );
  assert.ok(orders.every((order) => !order.writable.includes(source)));
});

test('a package of the repository beside one that touches the server: asked for both layouts, copied once', async () => {
  await using fake = await index([wheel('jupyter-server-proxy', '4.0')]);
  const { lock, orders } = await bench(fake);
  const source = join(folder, 'touching');
  await mkdir(source);
  for (const [path, text] of project('mine', '1', { requires: ['jupyter-server-proxy'] })) await writeFile(join(source, path), text);
  const local: Step = { uses: 'local', because: 'setup.py', inputs: [], path: '.', editable: false, extras: [] };
  assert.equal((await lock({ steps: [local], reads: 'tree' }, { folder: source })).layout, 'joint');
  assert.equal(orders.filter(({ argv }) => argv[0] === 'cp').length, 1);
});

for (const line of [
  '-r /etc/passwd',
  'one\n--index-url http://127.0.0.1:1/',
  'one --config-settings=a=b',
  'one @ https://127.0.0.1/${UV_DEFAULT_INDEX}',
])
  test(`a requirement that is more than one is refused: ${JSON.stringify(line)}`, async () => {
    await using fake = await index([]);
    const { lock, orders } = await bench(fake);
    await assert.rejects(lock(python(line)), { code: 'file_invalid' });
    assert.equal(orders.length + fake.requests.length, 0);
  });

for (const [line, code, message] of [
  [
    'one @ git+http://127.0.0.1:9/one',
    'fetch_failed',
    /leads to http:\/\/127\.0\.0\.1:9\/one, which could not be fetched: .*(?:Failed to connect|refused)/,
  ],
  ['one @ http://127.0.0.1:9/one.zip', 'fetch_failed', /leads to http:\/\/127\.0\.0\.1:9\/one\.zip, which could not be fetched: .*refused/],
  ['./nothing', 'file_invalid', /names a file that the repository does not have: nothing\./],
  ['one @ http://HERE/files/one-1.0-py3-none-any.whl', 'unsatisfiable', /leads to http:\/\/127.*where nothing is \(404 Not Found\)/],
] as const)
  test(`an address of the repository's own that leads nowhere is named: ${line}`, async () => {
    await using fake = await index([]);
    const { lock, orders } = await bench(fake);
    await assert.rejects(lock(python(line.replace('HERE', `127.0.0.1:${fake.port}`))), { code, message });
    assert.ok(orders.length > 0);
  });

test('scratch folders go, also after a failure, and those of hubs that died a day ago', async () => {
  await using fake = await index([]);
  const { lock, deps } = await bench(fake);
  const left = join(deps.config.folders.cache, 'scratch/left/cache');
  await mkdir(left, { recursive: true });
  await utimes(dirname(left), 1, 1);
  await assert.rejects(lock(python('nothing')));
  assert.equal(execFileSync('ls', [join(deps.config.folders.cache, 'scratch')]).toString(), '');
  assert.ok(await readFile(join(deps.config.folders.cache, 'interpreters.json'), 'utf8'));
});
