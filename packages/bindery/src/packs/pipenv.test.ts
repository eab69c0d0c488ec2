import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, saidOf, stepsOf } from '../../../../test/fakes/plan-of.ts';

const PIPFILE = `[packages]
numpy = "*"
pandas = ">=1,<2"
requests = { version = "==2.*", extras = ["socks"], markers = "python_version >= '3.6'" }
win = { version = "*", sys_platform = "== 'win32'" }
repo = { git = "https://tok@github.com/a/repo.git", ref = "v1" }
me = { path = ".", editable = true }
[dev-packages]
cowsay = "==6.1"
[requires]
python_version = "3.9"
`;

test('a Pipfile with development packages, paths and Git', async () => {
  const plan = await planOf({ Pipfile: PIPFILE, 'setup.py': '', 'requirements.txt': 'not read' });
  assert.deepEqual(stepsOf(plan, 'python')[0]?.requirements, [
    'cowsay==6.1',
    'numpy',
    'pandas<2,>=1',
    'repo @ git+https://github.com/a/repo.git@v1',
    'requests[socks]==2.* ; python_version >= "3.6"',
    'win ; sys_platform == "win32"',
  ]);
  assert.deepEqual(
    stepsOf(plan, 'local').map((step) => [step.path, step.editable]),
    [['.', true]],
  );
  assert.equal(plan.base.python.requires, '==3.9.*');
  const asked = await planOf({ Pipfile: PIPFILE }, { python: '3.12' });
  assert.deepEqual(asked.base.python, {
    requires: '==3.12.*',
    prefer: 'newest',
    because: 'it was asked for, in place of Pipfile (==3.9.*)',
  });
  assert.match(saidOf(plan, 'requirements.txt').join(), /^ignored/);
});

test('the lock wins over the Pipfile and keeps hashes; paths are seen from its folder', async () => {
  const lock = {
    _meta: { requires: { python_version: '3.11' }, sources: [{ name: 'x', url: 'https://u:p@index.example/simple', verify_ssl: true }] },
    default: {
      numpy: { hashes: ['sha256:bb', 'sha256:aa'], version: '==1.26.0', markers: "python_version >= '3.9'", index: 'x' },
      me: { path: '..', editable: true },
    },
    develop: { cowsay: { version: '==6.1' } },
  };
  const plan = await planOf({ 'binder/Pipfile': PIPFILE, 'binder/Pipfile.lock': JSON.stringify(lock), 'setup.py': '' });
  const [step] = stepsOf(plan, 'locked-python');
  assert.deepEqual(step?.requirements, ['cowsay==6.1', 'numpy==1.26.0 ; python_version >= "3.9" --hash=sha256:aa --hash=sha256:bb']);
  assert.deepEqual(step?.options, ['--extra-index-url=https://index.example/simple']);
  assert.deepEqual(
    stepsOf(plan, 'local').map((local) => local.path),
    ['.'],
  );
  assert.match(saidOf(plan, 'binder/Pipfile').join(), /^ignored/);
});

test('mistakes are shown where they stand', async () => {
  await assert.rejects(planOf({ Pipfile: '[packages]\nnumpy = "=1"\n' }), {
    code: 'file_invalid',
    message: /Pipfile, line 2, column 1: = is not an operator/,
  });
  await assert.rejects(planOf({ 'Pipfile.lock': '[]' }), { code: 'file_invalid' });
  await assert.rejects(planOf({ Pipfile: '[packages]\nx = { git = "ext::sh -c id" }\n' }), { code: 'file_invalid' });
  await assert.rejects(planOf({ Pipfile: '[packages]\nx = { file = "/etc/passwd" }\n' }), { code: 'file_invalid' });
});
