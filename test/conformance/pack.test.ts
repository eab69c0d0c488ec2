// What every pack keeps to, whoever wrote it: contracts/pack.ts.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cpuTime } from '../fakes/cpu-time.ts';
import * as fc from 'fast-check';
import type { Entry } from '../../packages/bindery/src/contracts/source.ts';
import type { PackOptions } from '../../packages/bindery/src/contracts/pack.ts';
import { packs } from '../../packages/bindery/src/hub/packs.ts';
import { RecordingTree, openFiles } from '../../packages/bindery/src/plan/plan-tree.ts';
import { makePlan } from '../../packages/bindery/src/plan/plan.ts';
import { BinderyError } from '../../packages/wire/src/errors.ts';
import { folderTree, treeOf } from '../fakes/folder-tree.ts';
import { quiet } from '../fakes/plan-of.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLES = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  .map((entry) => entry.name);
const OPTIONS: readonly PackOptions[] = [
  { conda: 'channels', epoch: '2026' },
  { conda: 'pypi', epoch: 'repo2docker' },
];
/** The only failures that a file's content may cause. */
const ALLOWED = new Set(['file_invalid', 'plan_conflict', 'python_not_found']);

test('the list of packs is what is on disk', () => {
  const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const files = readdirSync(join(ROOT, 'packages/bindery/src/packs')).filter((file) => !file.includes('.test.'));
  assert.deepEqual(packs.map((pack) => `${kebab(pack.id)}.ts`).toSorted(), files.toSorted());
  assert.equal(new Set(packs.map((pack) => pack.id)).size, packs.length);
});

for (const pack of packs) {
  test(`${pack.id}: the same tree gives the same part, whose every file is one of the tree and every input was read`, async () => {
    for (const name of EXAMPLES)
      for (const options of OPTIONS) {
        const files = await openFiles(folderTree(join(ROOT, 'examples', name)));
        const [first, second] = [new RecordingTree(files), new RecordingTree(files)];
        if (pack.detect(first).length === 0) continue;
        const part = await pack.plan(first, options);
        assert.deepEqual(part, await pack.plan(second, options), name);
        assert.deepEqual(part, JSON.parse(JSON.stringify(part)), `${name}: pure data`);
        for (const finding of part.findings) {
          assert.ok(first.has(finding.file), `${name}: ${finding.file}`);
          assert.equal(finding.pack, pack.id);
        }
        for (const step of part.steps) {
          assert.notEqual(step.because, '');
          for (const input of step.inputs) assert.ok(first.reads.has(input) || input === 'setup.py', `${name}: ${input} was not read`);
        }
      }
  });

  test(`${pack.id}: a tree without its files is none of its business`, async () => {
    const view = new RecordingTree(await openFiles(treeOf({ 'README.md': 'hello', 'src/requirements.txt': 'x', 'data/postBuild': '' })));
    assert.deepEqual(pack.detect(view), []);
    assert.equal(view.reads.size, 0);
  });
}

const NAMES = [
  'requirements.txt',
  'environment.yml',
  'environment.yaml',
  'runtime.txt',
  'pyproject.toml',
  'setup.py',
  'uv.lock',
  '.python-version',
];
const MORE = ['Pipfile', 'Pipfile.lock', 'postBuild', 'start', 'apt.txt', 'Dockerfile', 'a.py', 'binder', 'more.txt', 'lib/setup.py'];
/** Bits of every format, so that chance gets past the first line. */
const BITS = [
  '\n',
  '\n  ',
  ' ',
  '- ',
  ': ',
  '= ',
  '"',
  "'",
  '[',
  ']',
  '{',
  '}',
  '#',
  '\\\n',
  ';',
  '@',
  '..',
  '/',
  '\t',
  '\r\n',
  '\0',
  '\ufeff',
  '&a',
  '*a',
  '<<: *a',
  '!!js',

  'numpy',
  'pip',
  'python',
  '==1.0',
  '>=',
  '-r more.txt',
  '-e .',
  '-c more.txt',
  '-i https://u:p@h/',
  'git+https://h/r#egg=x',
  '--hash=sha256:aa',
  './lib',

  'dependencies:',
  'channels:',
  'variables:',
  '[project]',
  'name = "x"',
  'requires-python = ',
  '[[package]]',
  'version = 1',
  'source = { virtual = "." }',

  '{ name = "x", marker = "os_name == \'nt\'" }',
  '{"default": {"a": ',
  '"_meta": ',
  '[packages]',
  'python-3.9',
  '#!/bin/sh',
  'jupyter lab build',
  '__proto__',
  'constructor',
];

function content(): fc.Arbitrary<string | Uint8Array> {
  const bits = fc.array(fc.oneof(fc.constantFrom(...BITS), fc.string({ maxLength: 5 })), { maxLength: 25 }).map((parts) => parts.join(''));
  return fc.oneof({ weight: 5, arbitrary: bits }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) });
}

test('whatever the files hold, a plan or an error for people comes out of them', async () => {
  const files = fc.dictionary(
    fc.oneof(
      fc.constantFrom(...NAMES, ...MORE),
      fc.constantFrom(...NAMES, ...MORE).map((name) => `binder/${name}`),
    ),
    content(),
    { maxKeys: 5, noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(
      files,
      fc.constantFrom(undefined, 'pypi' as const),
      fc.constantFrom(undefined, 'repo2docker' as const),
      async (tree, conda, epoch) => {
        const options = { ...(conda ? { conda } : {}), ...(epoch ? { epoch } : {}) };
        try {
          const plan = await makePlan(treeOf(tree), options, quiet);
          const text = JSON.stringify(plan);
          assert.deepEqual(JSON.parse(text), plan);
          assert.equal(text.includes('u:p@'), false, 'credentials');
        } catch (error) {
          assert.ok(error instanceof BinderyError && ALLOWED.has(error.code), String(error instanceof Error ? error.stack : error));
          assert.equal(`${error.message}${error.logTail}`.includes('u:p@'), false, 'credentials');
          // oxlint-disable-next-line no-control-regex
          assert.doesNotMatch(error.message, /[\0-\u001f]/);
        }
      },
    ),
    { numRuns: 1500, seed: 20261121 },
  );
});

test('a link that leads out of the repository is reported, not followed and no error', async () => {
  for (const name of [
    'requirements.txt',
    'environment.yml',
    'runtime.txt',
    'pyproject.toml',
    'uv.lock',
    'Pipfile',
    'Pipfile.lock',
    'postBuild',
    'start',
    'apt.txt',
  ]) {
    const tree = treeOf({ [name]: '' });
    const outside = {
      ...tree,
      read: () => Promise.resolve(undefined),
      async *list(): AsyncGenerator<Entry> {
        yield { path: name, type: 'symlink', executable: false, size: 20 };
      },
    };
    const plan = await makePlan(outside, {}, quiet);
    assert.deepEqual([plan.steps, plan.start], [[], undefined], name);
    assert.match(
      plan.findings.map(({ file, effect, why }) => `${file} ${effect}: ${why}`).join(),
      /ignored: it leads out of the repository/,
      name,
    );
  }
});

test('an environment file above 10 MB is refused, whatever its kind; a large file of another name is not read', async () => {
  const large = Buffer.alloc(10 * 2 ** 20 + 1, 'a\n');
  for (const name of ['requirements.txt', 'environment.yml', 'pyproject.toml', 'uv.lock', 'Pipfile', 'apt.txt', 'postBuild'])
    await assert.rejects(makePlan(treeOf({ [name]: large }), {}, quiet), { code: 'file_invalid', message: /10\.0 MB/ }, name);
  await makePlan(treeOf({ 'a.py': large, 'data.csv': large }), {}, quiet);
});

test('a hundred thousand files are planned in time', async () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`data/${index % 100}/deep/er/${index}.csv`, '']));
  const tree = treeOf({ ...many, 'requirements.txt': 'numpy' });
  const since = cpuTime();
  await makePlan(tree, {}, quiet);
  assert.ok(cpuTime() - since < 3000, `${cpuTime() - since} ms`);
});
