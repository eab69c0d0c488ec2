import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, saidOf, stepsOf } from '../../../../test/fakes/plan-of.ts';

test('every file that some builder would use is reported, and changes nothing', async () => {
  const files = [
    'Dockerfile',
    'install.R',
    'DESCRIPTION',
    'Project.toml',
    'Manifest.toml',
    'REQUIRE',
    'default.nix',
    'poetry.lock',
    'pixi.toml',
    'conda-lock.yml',
    'renv.lock',
    '.devcontainer/devcontainer.json',
    '.dockerignore',
  ];
  const plan = await planOf(Object.fromEntries(files.map((file) => [file, 'anything'])));
  for (const file of files) assert.match(saidOf(plan, file).join(), /^(?:unsupported|ignored): \S/, file);
  assert.deepEqual([plan.steps, plan.reads], [[], []]);
});

test('beside a binder folder nothing else counts, and that is said of each', async () => {
  const root = {
    'requirements.txt': '!',
    'environment.yml': '\t',
    postBuild: 'jupyter lab build',
    'apt.txt': '!',
    start: '',
    Pipfile: '!',
    'setup.py': '',
    Dockerfile: '',
  };
  const plan = await planOf({ ...root, '.binder/requirements.txt': 'numpy' });
  assert.deepEqual(
    plan.steps.map((step) => step.uses),
    ['python'],
  );
  assert.equal(plan.start, undefined);
  for (const file of Object.keys(root))
    assert.deepEqual(saidOf(plan, file), ['ignored: only .binder/ is looked at, for it is there'], file);
});

test('two binder folders contradict each other', async () => {
  await assert.rejects(planOf({ 'binder/a': '', '.binder/b': '' }), {
    code: 'plan_conflict',
    message: /both a binder and a \.binder folder/,
  });
});

test('inline metadata of scripts is reported', async () => {
  const plan = await planOf({ 'a.py': '# /// script\n# dependencies = ["x"]\n# ///\n', 'b.py': 'print()', 'README.md': '' });
  assert.match(saidOf(plan, 'a.py').join(), /^ignored: its inline metadata/);
  assert.deepEqual(saidOf(plan, 'b.py'), []);
});

test('with strict, what is not supported is an error that names it; else it is not', async () => {
  await assert.rejects(planOf({ 'install.R': '' }, { strict: true }), {
    code: 'plan_unsupported',
    message: /install\.R: R is not supported yet/,
  });
  await planOf({ 'poetry.lock': '' }, { strict: true });
});

test('postBuild, start and apt.txt', async () => {
  const plan = await planOf({ postBuild: '#!/bin/sh\npip install x\n', 'apt.txt': '# why\nvim\n\ngit curl=1:2~3 # more\n' });
  assert.deepEqual(
    stepsOf(plan, 'run').map((step) => step.path),
    ['postBuild'],
  );
  assert.deepEqual(stepsOf(plan, 'apt')[0]?.packages, ['curl=1:2~3', 'git', 'vim']);
  assert.deepEqual([plan.layout, plan.reads], ['auto', 'tree']);
  const touching = await planOf({ postBuild: 'jupyter lab build' });
  assert.deepEqual([touching.layout, touching.layoutBecause], ['joint', 'postBuild runs “jupyter lab build”']);
  const started = await planOf({ 'binder/start': 'exec "$@"' });
  assert.deepEqual([started.layout, started.start, started.reads], ['joint', 'binder/start', ['binder/start']]);
  assert.equal((await planOf({ start: '' }, { layout: 'split' })).layout, 'split');
  await assert.rejects(planOf({ 'apt.txt': 'vim\n  git; rm -rf /\n' }), { code: 'file_invalid', message: /apt\.txt, line 2, column 3/ });
});

for (const file of ['postBuild', 'binder/start'])
  test(`${file} with the line ends of Windows is refused with the reason, before anything is built`, async () => {
    const program = '#!/bin/bash\necho "hello"\n';
    assert.deepEqual(saidOf(await planOf({ [file]: program }), file).length, 1);
    await assert.rejects(planOf({ [file]: program.replaceAll('\n', '\r\n') }), {
      code: 'file_invalid',
      message: `${file}, line 1, column 12: its lines end with CR LF, as on Windows: its interpreter would not be found: #!/bin/bash`,
      hint: /dos2unix/,
    });
    assert.match(saidOf(await planOf({ [file]: 'echo hello\r\n' }), file)[0] ?? '', /^used: .* lines end with CR LF/);
  });
