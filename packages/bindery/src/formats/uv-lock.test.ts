import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuTime } from '../../../../test/fakes/cpu-time.ts';
import { readUvLock } from './uv-lock.ts';

const PYPI = 'source = { registry = "https://pypi.org/simple" }';

function lockOf(...packages: string[]): string {
  return `version = 1\nrequires-python = ">= 3.10"\n${packages.map((each) => `[[package]]\n${each}\n`).join('')}`;
}

const ROOT = 'name = "me"\nversion = "1"\nsource = { virtual = "." }\n';

test('markers along every way to a package are joined', () => {
  const { requirements } = readUvLock(
    'uv.lock',
    lockOf(
      `${ROOT}dependencies = [{ name = "a" }, { name = "b", marker = "os_name == 'nt'" }]`,
      `name = "a"\nversion = "1.0"\n${PYPI}\ndependencies = [{ name = "c", marker = "python_version < '3.12'" }, { name = "d", marker = "os_name == 'nt'" }]`,
      `name = "b"\nversion = "1.0"\n${PYPI}\ndependencies = [{ name = "c", marker = "sys_platform == 'win32'" }, { name = "a" }]`,
      `name = "c"\nversion = "1.0"\n${PYPI}\ndependencies = [{ name = "b" }]`,
      `name = "d"\nversion = "1.0"\n${PYPI}`,
      `name = "unneeded"\nversion = "1.0"\n${PYPI}`,
    ),
    [],
  );
  assert.deepEqual(requirements, [
    'a==1.0',
    'b==1.0 ; os_name == "nt" or python_version < "3.12"',
    'c==1.0 ; os_name == "nt" and sys_platform == "win32" or python_version < "3.12"',
    'd==1.0 ; os_name == "nt"',
  ]);
});

test('what holds in every case needs no marker', () => {
  const { requirements } = readUvLock(
    'uv.lock',
    lockOf(
      `${ROOT}dependencies = [{ name = "a", version = "1", marker = "python_version < '3.11'" }, { name = "a", version = "2", marker = "python_version >= '3.11' and python_version < '3.13'" }, { name = "a", version = "3", marker = "python_version >= '3.13'" }]`,
      ...['1', '2', '3'].map(
        (version) =>
          `name = "a"\nversion = "${version}"\n${PYPI}\ndependencies = [{ name = "b" }, { name = "w", marker = "os_name == 'nt'" }]`,
      ),
      `name = "b"\nversion = "1"\n${PYPI}`,
      `name = "w"\nversion = "1"\n${PYPI}`,
    ),
    [],
  );
  assert.deepEqual(requirements.slice(3), ['b==1', 'w==1 ; os_name == "nt"']);
});

test('forks keep their versions apart; extras and groups bring their packages; extras that exclude each other count as not chosen', () => {
  const lock = readUvLock(
    'uv.lock',
    lockOf(
      `${ROOT}dependencies = [{ name = "n", version = "1.0", marker = "python_version < '3.11'" }, { name = "n", version = "2.0", marker = "python_version >= '3.11'" }, { name = "e", extra = ["x"] }, { name = "gpu", marker = "extra == 'extra-2-me-gpu'" }]\n[package.dev-dependencies]\ndev = [{ name = "t" }]\ndocs = [{ name = "s" }]\n[package.metadata]\nrequires-dist = [{ name = "N" }]`,
      `name = "n"\nversion = "1.0"\n${PYPI}`,
      `name = "n"\nversion = "2.0"\n${PYPI}`,
      `name = "e"\nversion = "1.0"\n${PYPI}\n[package.optional-dependencies]\nx = [{ name = "ex" }]\ny = [{ name = "ey" }]`,
      `name = "ex"\nversion = "1.0"\n${PYPI}`,
      `name = "ey"\nversion = "1.0"\n${PYPI}`,
      `name = "gpu"\nversion = "1.0"\n${PYPI}`,
      `name = "t"\nversion = "1.0"\n${PYPI}`,
      `name = "s"\nversion = "1.0"\n${PYPI}`,
    ),
    ['dev'],
  );
  assert.deepEqual(lock.requirements, [
    'e==1.0',
    'ex==1.0',
    'n==1.0 ; python_version < "3.11"',
    'n==2.0 ; python_version >= "3.11"',
    't==1.0',
  ]);
  assert.equal(lock.requiresPython, '>=3.10');
  assert.ok(lock.direct.has('n'));
});

test('Git, archives, other indexes and packages of the workspace', () => {
  const lock = readUvLock(
    'uv.lock',
    lockOf(
      'name = "me"\nversion = "1"\nsource = { editable = "." }\ndependencies = [{ name = "g" }, { name = "u" }, { name = "i" }, { name = "w" }]',
      'name = "g"\nversion = "1"\nsource = { git = "https://tok@example.org/g?subdirectory=p&rev=main#0123abc" }',
      'name = "u"\nversion = "1"\nsource = { url = "https://example.org/u.whl" }\nwheels = [{ url = "https://example.org/u.whl", hash = "sha256:aa" }]',
      'name = "i"\nversion = "1+cpu"\nsource = { registry = "https://me:secret@torch.example/cpu" }\nsdist = { url = "x", hash = "sha256:cc" }\nwheels = [{ url = "y", hash = "sha256:bb" }]',
      'name = "w"\nversion = "1"\nsource = { directory = "libs/w" }',
    ),
    [],
  );
  assert.deepEqual(lock.requirements, [
    'g @ git+https://example.org/g@0123abc#subdirectory=p',
    'i==1+cpu --hash=sha256:bb --hash=sha256:cc',
    'u @ https://example.org/u.whl --hash=sha256:aa',
  ]);
  assert.deepEqual(lock.indexes, ['https://torch.example/cpu']);
  assert.deepEqual(lock.locals, [
    { path: '.', editable: true },
    { path: 'libs/w', editable: false },
  ]);
});

test('a lock that is not understood is said to be so', () => {
  for (const text of [
    '',
    'version = 2',
    'version = 1\nrequires-python = "soon"',
    'version = 1\n[[package]]\nversion = "1"',
    lockOf(`${ROOT}dependencies = [{ name = "a", marker = "nonsense" }]`),
  ])
    assert.throws(() => readUvLock('uv.lock', text, []), { code: 'file_invalid' }, text);
});

test('a knot of packages that all need each other is walked in time', () => {
  const names = Array.from({ length: 150 }, (_, index) => `p${index}`);
  const all = names.map((name, index) => `{ name = "${name}", marker = "platform_release == '${index % 12}'" }`).join(', ');
  const since = cpuTime();
  readUvLock(
    'uv.lock',
    lockOf(`${ROOT}dependencies = [${all}]`, ...names.map((name) => `name = "${name}"\nversion = "1"\n${PYPI}\ndependencies = [${all}]`)),
    [],
  );
  assert.ok(cpuTime() - since < 10_000, `${cpuTime() - since} ms`);
});
