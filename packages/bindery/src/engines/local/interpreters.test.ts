import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigSchema } from '../../base/config.ts';
import { sameUser } from '../../base/worker.ts';
import { findUv } from '../../clients/uv.ts';
import type { PythonBase } from '../../contracts/plan.ts';
import { interpreterFacts, toolUv } from '../../../../../test/tools.ts';
import { executables } from './interpreter-search.ts';
import { Interpreters } from './interpreters.ts';

const folder = await mkdtemp(join(tmpdir(), 'interpreters-'));
after(() => rm(folder, { recursive: true, force: true }));
const facts = await interpreterFacts();
const signal = new AbortController().signal;
const log = { info: () => {}, line: () => {} };
let number = 0;

async function machine(python: Record<string, unknown> = { managed: false }, variables: Record<string, string | undefined> = process.env) {
  const cache = join(folder, String(number++));
  await mkdir(cache);
  await copyFile(facts, join(cache, 'interpreters.json'));
  const config = ConfigSchema.parse({ folders: { state: cache, cache }, python });
  const uv = async () =>
    findUv({ config: { ...config, python: { ...config.python, uv: await toolUv() } }, worker: sameUser, variables, say: () => {}, signal });
  return { cache, interpreters: new Interpreters({ config, worker: sameUser, variables, uv }) };
}

/** Something that answers as an interpreter would. */
async function fakePython(path: string, answer: Record<string, unknown>): Promise<void> {
  const whole = {
    implementation: 'cpython',
    release: true,
    prefix: folder,
    platform: 'linux-x86_64',
    soabi: 'x',
    details: 'x',
    missing: [],
    ...answer,
  };
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho asked >> ${path}.asked\necho '${JSON.stringify(whole)}'\n`);
  await chmod(path, 0o755);
}

const base = (requires: string, prefer = 'newest'): PythonBase => ({ requires, prefer, because: 'runtime.txt says so' });

test('real interpreters: newest first, one for each minor version, each with its own prefix', async () => {
  const { interpreters } = await machine();
  const found = await interpreters.list(signal);
  assert.ok(found.length > 0);
  const minors = found.map(({ version }) => Number(version.split('.')[1]));
  assert.deepEqual(
    minors,
    [...new Set(minors)].toSorted((a, b) => b - a),
  );
  for (const { path, prefix, build, version } of found) {
    assert.ok(path.startsWith(`${prefix}/`), `${path} lies in ${prefix}`);
    assert.ok(build.startsWith(`cpython-${version}-`));
    assert.doesNotMatch(path, /shims/);
  }
});

test('shims are passed by, links are followed, a missing folder is no error', async () => {
  const home = join(folder, 'home');
  await fakePython(join(home, '.pyenv/shims/python3'), {});
  await fakePython(join(home, '.pyenv/versions/3.9.1/bin/python3.9'), {});
  await mkdir(join(home, 'venv/bin'), { recursive: true });
  await symlink(join(home, '.pyenv/versions/3.9.1/bin/python3.9'), join(home, 'venv/bin/python3'));
  const found = await executables({ HOME: home, PATH: `${home}/.pyenv/shims:${home}/venv/bin:/nonexistent:relative` }, '/nonexistent');
  assert.ok(found.includes(join(home, '.pyenv/versions/3.9.1/bin/python3.9')));
  assert.ok(found.every((path) => !path.includes('shims') && !path.includes('venv')));
});

test('what is no usable CPython is left out, and is not asked again before it changes', async () => {
  const home = join(folder, 'odd');
  const bin = (name: string): string => join(home, '.pyenv/versions', name, 'bin/python3');
  await fakePython(bin('pypy'), { implementation: 'pypy', version: '3.10.1' });
  await fakePython(bin('old'), { version: '3.6.15' });
  await fakePython(bin('rc'), { version: '3.99.0', release: false });
  await fakePython(bin('bare'), { version: '3.98.0', missing: ['ssl'] });
  await fakePython(bin('strange'), { version: '; rm -rf /' });
  await fakePython(bin('good'), { version: '3.97.1' });
  const { interpreters } = await machine({ managed: false }, { HOME: home, PATH: '' });
  const mine = async (): Promise<string[]> =>
    (await interpreters.list(signal)).filter(({ path }) => path.startsWith(home)).map(({ version }) => version);
  assert.deepEqual(await mine(), ['3.97.1']);
  assert.deepEqual(await mine(), ['3.97.1']);
  assert.equal(await readFile(`${bin('rc')}.asked`, 'utf8'), 'asked\n');
  await fakePython(bin('good'), { version: '3.97.2' });
  await utimes(bin('good'), 1, 1);
  assert.deepEqual(await mine(), ['3.97.2']);
});

test('candidates: all that fit, the preferred one first', async () => {
  const { interpreters } = await machine();
  const [newest, , third] = await interpreters.list(signal);
  assert.ok(newest && third, 'this machine has three interpreters');
  const wanted = third.version.split('.').slice(0, 2).join('.');
  assert.equal((await interpreters.candidates(base('>=3.7'), log, signal)).interpreters[0]?.version, newest.version);
  const preferred = await interpreters.candidates(base('>=3.7', wanted), log, signal);
  assert.deepEqual(
    preferred.interpreters.slice(0, 2).map(({ version }) => version),
    [third.version, newest.version],
  );
  const only = await interpreters.candidates(base(`==${wanted}.*`), log, signal);
  assert.deepEqual(
    only.interpreters.map(({ version }) => version),
    [third.version],
  );
});

test('a preferred one that cannot be had gives way to the nearest, with a note', async () => {
  const { interpreters } = await machine();
  const [newest] = await interpreters.list(signal);
  const { interpreters: candidates, notes } = await interpreters.candidates(base('', '3.96'), log, signal);
  assert.equal(candidates[0]?.version, newest?.version);
  assert.match(notes[0] ?? '', /^Python 3\.96 is preferred \(runtime\.txt says so\) but not on this machine/);
});

test('none that fits: what was wanted, what there is, which one may do and which setting helps', async () => {
  const { interpreters } = await machine();
  const oldest = (await interpreters.list(signal)).at(-1);
  await assert.rejects(interpreters.candidates(base('==2.7.*'), log, signal), (error: Error & { code: string; hint: string }) => {
    assert.equal(error.code, 'python_not_found');
    assert.match(error.message, /needs Python ==2\.7\.\* \(runtime\.txt says so\)\. On this machine: 3\.\d+\.\d+.*python\.managed/);
    assert.match(error.hint, new RegExp(`--python ${oldest?.version.replace(/\.\d+$/, '')} .*python\\.mirror`));
    return true;
  });
});

test('a mirror that has nothing is said', async () => {
  const mirror = join(folder, 'mirror');
  await mkdir(mirror);
  const { interpreters } = await machine({ mirror: `file://${mirror}` });
  await assert.rejects(interpreters.candidates(base('==3.14.*'), log, signal), {
    code: 'python_not_found',
    message: /Python 3\.14\.\d+ could not be fetched \(.+\)/,
  });
});
