import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, saidOf, stepsOf } from '../../../../test/fakes/plan-of.ts';

const PACKAGE = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "me"\nrequires-python = ">=3.10"\ndependencies = ["numpy"]\n';
const PROJECT = '[project]\nname = "me"\nrequires-python = ">=3.10"\ndependencies = ["numpy", "Pandas >= 2"]\n';

test('a requirements file brings in what it includes, each line once, constraints apart', async () => {
  const plan = await planOf({
    'requirements.txt': 'numpy\n-r more/all.txt\n-c more/limits.txt\nNumPy\n',
    'more/all.txt': 'pandas\n-r ../requirements.txt\n-r deep.txt',
    'more/deep.txt': 'scipy\n',
    'more/limits.txt': 'scipy<2\n',
  });
  assert.deepEqual(
    stepsOf(plan, 'python').map(({ requirements, constraints, inputs }) => ({ requirements, constraints, inputs })),
    [
      {
        requirements: ['numpy', 'pandas', 'scipy'],
        constraints: ['scipy<2'],
        inputs: ['requirements.txt', 'more/all.txt', 'more/deep.txt', 'more/limits.txt'],
      },
    ],
  );
  assert.deepEqual(plan.reads, ['more/all.txt', 'more/deep.txt', 'more/limits.txt', 'requirements.txt']);
});

test('an included file that is not there is an error at its line; one from the network is reported', async () => {
  await assert.rejects(planOf({ 'requirements.txt': 'numpy\n-r no.txt' }), {
    code: 'file_invalid',
    message: 'requirements.txt, line 2, column 1: the repository has no file no.txt: -r no.txt',
  });
  await assert.rejects(planOf({ 'requirements.txt': '-r ../../etc/passwd' }), { code: 'file_invalid' });
  const plan = await planOf({ 'requirements.txt': '-r https://example.org/r.txt' });
  assert.match(saidOf(plan, 'requirements.txt').join(), /unsupported: line 1/);
});

test('paths are looked for from the repository, then from the file', async () => {
  const files = { 'setup.py': '', 'libs/a/pyproject.toml': PACKAGE, 'wheels/b-1-py3-none-any.whl': 'x' };
  const plan = await planOf({
    ...files,
    'binder/requirements.txt': '-e ..\n./libs/a[x]\n../wheels/b-1-py3-none-any.whl\n--find-links wheels\n',
  });
  assert.deepEqual(
    stepsOf(plan, 'local').map(({ path, editable, extras }) => [path, editable, ...extras]),
    [
      ['.', true],
      ['./libs/a', false, 'x'],
      ['./wheels/b-1-py3-none-any.whl', false],
    ],
  );
  assert.equal(plan.reads, 'tree');
  await assert.rejects(planOf({ 'requirements.txt': '-e .' }), /\. is not a Python package/);
  await assert.rejects(planOf({ 'requirements.txt': './gone' }), /the repository has no \.\/gone/);
  await assert.rejects(planOf({ 'requirements.txt': '-e ../..' }), { code: 'file_invalid' });
});

test('a repository is a package with setup.py, or with both tables of pyproject.toml, and no binder folder', async () => {
  const local = async (files: Record<string, string>): Promise<string[]> => stepsOf(await planOf(files), 'local').map((step) => step.path);
  assert.deepEqual(await local({ 'setup.py': '' }), ['.']);
  assert.deepEqual(await local({ 'pyproject.toml': PACKAGE }), ['.']);
  assert.deepEqual(await local({ 'pyproject.toml': PACKAGE, 'setup.py': '', 'requirements.txt': '-e .\nx' }), ['.']);
  assert.deepEqual(await local({ 'pyproject.toml': PROJECT }), []);
  assert.deepEqual(await local({ 'pyproject.toml': '[build-system]\nrequires = []\n' }), []);
  assert.deepEqual(await local({ 'setup.py': '', 'binder/requirements.txt': 'x' }), []);
});

test('dependencies of a project that is no package are installed, where nothing else says what is needed', async () => {
  assert.deepEqual(stepsOf(await planOf({ 'pyproject.toml': PROJECT }), 'python')[0]?.requirements, ['numpy', 'pandas>=2']);
  assert.deepEqual(stepsOf(await planOf({ 'pyproject.toml': PROJECT, 'requirements.txt': 'x' }), 'python')[0]?.requirements, ['x']);
  assert.deepEqual((await planOf({ 'pyproject.toml': PROJECT }, { epoch: 'repo2docker' })).steps, []);
  const poetry = await planOf({ 'pyproject.toml': '[tool.poetry]\nname = "x"\n' });
  assert.match(saidOf(poetry, 'pyproject.toml').join(), /ignored: .*poetry.*requirements\.txt/);
});

test('the version of Python', async () => {
  const python = async (files: Record<string, string>, options = {}): Promise<string[]> => {
    const { requires, prefer } = (await planOf(files, options)).base.python;
    return [requires, prefer];
  };
  const classic = { epoch: 'repo2docker' as const };
  assert.deepEqual(await python({}), ['', 'newest']);
  assert.deepEqual(await python({}, classic), ['', '3.10']);
  assert.deepEqual(await python({}, { asOf: '2021-06-01' }), ['', '3.9']);
  assert.deepEqual(await python({ 'runtime.txt': 'python-3.8' }), ['==3.8.*', 'newest']);
  assert.deepEqual(await python({ 'runtime.txt': 'python-3.8.10\n' }), ['==3.8.*', 'newest']);
  assert.deepEqual(await python({ 'runtime.txt': 'python-3' }), ['==3.*', 'newest']);
  assert.deepEqual(await python({ 'runtime.txt': 'python-3' }, classic), ['==3.*', '3.10']);
  assert.deepEqual(await python({ 'runtime.txt': 'r-4.2-2023-01-01' }), ['', 'newest']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE }), ['>=3.10', 'newest']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE }, classic), ['>=3.10', '3.10']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE.replace('>=3.10', '>=3.11') }, classic), ['>=3.11', '3.14']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE, 'runtime.txt': 'python-3.12' }), ['==3.12.*,>=3.10', 'newest']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE, '.python-version': '3.12.1\n' }), ['>=3.10', '3.12']);
  assert.deepEqual(await python({ 'pyproject.toml': PACKAGE, '.python-version': '3.9\n' }), ['>=3.10', 'newest']);
  assert.deepEqual(await python({ '.python-version': '3.6.9\n3.7\n' }), ['', '3.6']);
  await assert.rejects(planOf({ 'pyproject.toml': PACKAGE, 'runtime.txt': 'python-3.8' }), { code: 'plan_conflict' });
  await assert.rejects(planOf({ 'runtime.txt': 'python-2.7' }), { code: 'python_not_found' });
  await assert.rejects(planOf({ 'runtime.txt': '3.10' }), { code: 'file_invalid' });
  await assert.rejects(planOf({ 'pyproject.toml': PACKAGE.replace('>=3.10', 'new') }), { message: /line 5, column 20: requires-python/ });
});

test('a version that is asked for stands in place of what the files say, and that is told', async () => {
  const python = '3.12';
  const old = await planOf({ 'runtime.txt': 'python-2.7', 'requirements.txt': 'numpy' }, { python });
  assert.deepEqual(old.base.python, { requires: '==3.12.*', prefer: 'newest', because: 'it was asked for' });
  assert.deepEqual(saidOf(old, 'runtime.txt'), ['ignored: Python 2.7: Python 3.12 was asked for in its place']);
  const conda = await planOf({ 'environment.yml': 'dependencies: [python=3.6, numpy]' }, { python });
  assert.equal(conda.base.python.requires, '==3.12.*');
  assert.deepEqual(
    conda.steps.map((step) => step.uses === 'conda' && step.specs),
    [['numpy']],
  );
  assert.deepEqual(saidOf(conda, 'environment.yml').slice(1), ['ignored: python =3.6: Python 3.12 was asked for in its place']);
  const contradictory = { 'pyproject.toml': PACKAGE, 'runtime.txt': 'python-3.8' };
  assert.equal((await planOf(contradictory, { python })).base.python.requires, '==3.12.*');
});

test('a runtime.txt for R is reported', async () => {
  assert.deepEqual(saidOf(await planOf({ 'runtime.txt': 'r-4.2-2023-01-01' }), 'runtime.txt'), ['unsupported: R is not supported yet']);
  assert.deepEqual(saidOf(await planOf({ 'runtime.txt': '\n' }), 'runtime.txt'), ['ignored: it is empty']);
});

test('files that do not count are said not to', async () => {
  const conda = await planOf({
    'environment.yml': 'dependencies: [numpy]',
    'requirements.txt': 'not !! read',
    'setup.py': '',
    'runtime.txt': 'x',
  });
  for (const file of ['requirements.txt', 'setup.py', 'runtime.txt'])
    assert.match(saidOf(conda, file).join(), /^ignored: beside environment\.yml/);
  const both = await planOf({ 'uv.lock': 'not read', 'requirements.txt': 'x' });
  assert.match(saidOf(both, 'uv.lock').join(), /^ignored/);
});
