import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf, saidOf, stepsOf } from '../../../../test/fakes/plan-of.ts';

const FILE = `name: anything
channels: [bioconda, nodefaults]
dependencies:
  - python=3.9
  - numpy >=1.20
  - conda-forge::pandas
  - pip
  - pip:
      - Humanize>=4
      - -r more.txt
      - -e ./lib
variables:
  ANSWER: 42
prefix: /home/me/conda
`;
const AROUND = { 'more.txt': 'cowsay\n', 'lib/setup.py': '' };

test('channels, packages, the pip section and variables', async () => {
  const plan = await planOf({ ...AROUND, 'environment.yml': FILE });
  assert.deepEqual(
    plan.steps.map((step) => ({ ...step, because: undefined })),
    [
      {
        uses: 'conda',
        because: undefined,
        inputs: ['environment.yml'],
        channels: ['bioconda'],
        specs: ['conda-forge::pandas', 'numpy >=1.20', 'pip', 'python =3.9'],
        from: 'channels',
      },
      {
        uses: 'python',
        because: undefined,
        inputs: ['environment.yml', 'more.txt'],
        requirements: ['cowsay', 'humanize>=4'],
        constraints: [],
        options: [],
      },
      { uses: 'local', because: undefined, inputs: ['environment.yml', 'more.txt'], path: './lib', editable: true, extras: [] },
    ],
  );
  assert.deepEqual(plan.env, { ANSWER: '42' });
  assert.equal(plan.base.python.requires, '==3.9.*');
  assert.equal(plan.reads, 'tree');
});

test('conda-forge comes last where a file does not forbid it', async () => {
  const channels = async (text: string): Promise<readonly string[] | undefined> =>
    stepsOf(await planOf({ 'environment.yml': `${text}\ndependencies: [numpy]` }), 'conda')[0]?.channels;
  assert.deepEqual(await channels(''), ['conda-forge']);
  assert.deepEqual(await channels('channels: [defaults]'), ['defaults', 'conda-forge']);
  assert.deepEqual(await channels('channels: [conda-forge, pytorch]'), ['conda-forge', 'pytorch']);
  assert.deepEqual(await channels('channels: [pytorch, nodefaults]'), ['pytorch']);
  assert.deepEqual(await channels('channels: ["https://me:secret@conda.example/t/tk-123/chan"]'), [
    'https://conda.example/chan',
    'conda-forge',
  ]);
});

test('packages of R bring their kernel along', async () => {
  const specs = async (list: string): Promise<readonly string[] | undefined> =>
    stepsOf(await planOf({ 'environment.yml': `dependencies: [${list}]` }), 'conda')[0]?.specs;
  assert.deepEqual(await specs('r-ggplot2'), ['r-ggplot2', 'r-irkernel']);
  assert.deepEqual(await specs('r-base, r-irkernel=1'), ['r-base', 'r-irkernel =1']);
  assert.deepEqual(await specs('numpy'), ['numpy']);
});

test('--conda pypi takes only what PyPI has for the same thing, and lists the rest', async () => {
  const text = 'dependencies: [python=3.11, numpy=1.26, pytorch, r-base, ffmpeg, graphviz, "scipy=1.10|1.11", pip, pip: [cowsay]]';
  const plan = await planOf({ 'environment.yaml': text }, { conda: 'pypi' });
  const [step] = stepsOf(plan, 'conda');
  assert.deepEqual([step?.from, step?.specs, step?.channels], ['pypi', ['numpy==1.26.*', 'scipy', 'torch'], []]);
  const said = saidOf(plan, 'environment.yaml').join('\n');
  assert.match(said, /unsupported: not on PyPI: ffmpeg, graphviz, r-base/);
  assert.match(said, /pytorch comes from PyPI as torch/);
  assert.match(said, /1\.10\|1\.11 of scipy/);
  assert.deepEqual(plan.base.python.requires, '==3.11.*');
});

test('the version of Python is read from every kind of specification', async () => {
  const python = async (spec: string, options = {}): Promise<string[]> => {
    const { requires, prefer } = (await planOf({ 'environment.yml': `dependencies: ["${spec}"]` }, options)).base.python;
    return [requires, prefer];
  };
  assert.deepEqual(await python('python=3.9.7=hb7a2778_1_cpython'), ['==3.9.*', 'newest']);
  assert.deepEqual(await python('python=3.9.12'), ['==3.9.*', 'newest']);
  assert.deepEqual(await python('python>=3.9,<3.12'), ['<3.12,>=3.9', 'newest']);
  assert.deepEqual(await python('python 3.8|3.9'), ['', '3.9']);
  assert.deepEqual(await python('python'), ['', 'newest']);
  assert.deepEqual(await python('python', { epoch: 'repo2docker' }), ['', '3.10']);
  assert.deepEqual(await python('python=3'), ['==3.*', 'newest']);
});

test('a requirements file counts where the pip section includes it', async () => {
  const plan = await planOf({ 'environment.yml': 'dependencies: [pip: [-r requirements.txt]]', 'requirements.txt': 'numpy' });
  assert.deepEqual(saidOf(plan, 'requirements.txt'), ['used: the pip section of environment.yml includes it']);
});

test('.yml before .yaml; an empty file is an empty environment', async () => {
  const plan = await planOf({ 'environment.yml': '', 'environment.yaml': 'dependencies: [x]' });
  assert.deepEqual(plan.steps, []);
  assert.match(saidOf(plan, 'environment.yaml').join(), /^ignored: environment\.yml is there too/);
});

test('mistakes are shown where they stand', async () => {
  for (const [text, message] of [
    ['dependencies:\n  - numpy: 1.20\n', /line 2, column 5: only pip can have a list of its own, not numpy: - numpy: 1\.20/],
    ['dependencies: numpy', /line 1, column 15: dependencies must be a list/],
    ['dependencies:\n  - pip:\n      - ok\n      - numpy=1\n', /line 4, column 14: = is not an operator: - numpy=1/],
    ['dependencies:\n  - pip: [ok, "numpy=1"]\n', /= is not an operator/],
    ['dependencies:\n  - 3.9\n', /line 2, column 5: a package was expected: - 3\.9/],
    ['channels:\n  - file:///etc\n', /line 2, column 5: this is not a channel/],
    ['channels:\n  - ../../up\n', /this is not a channel/],
    ['- numpy\n', /a mapping/],
    ['variables:\n  A B: 1\n', /not a name for a variable/],
    ['{% if x %}', /environment\.yml, line 1, column/],
  ] as const)
    await assert.rejects(planOf({ 'environment.yml': text }), { code: 'file_invalid', message }, text);
});
