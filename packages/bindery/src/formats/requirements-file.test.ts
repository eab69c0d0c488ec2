import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuTime } from '../../../../test/fakes/cpu-time.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { parseRequirementsFile } from './requirements-file.ts';

function requirements(text: string): string[] {
  return parseRequirementsFile('requirements.txt', text).flatMap((entry) => (entry.kind === 'requirement' ? [entry.text] : []));
}

function problem(text: string): BinderyError {
  try {
    parseRequirementsFile('requirements.txt', text);
  } catch (error) {
    if (error instanceof BinderyError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

test('requirements are written in one way, whatever they looked like', () => {
  for (const [written, ours] of [
    ['NumPy', 'numpy'],
    ['ruamel.yaml_clib', 'ruamel-yaml-clib'],
    ['pandas >= 1.0 , < 2', 'pandas<2,>=1.0'],
    ['pandas (>=1.0,<2)', 'pandas<2,>=1.0'],
    ['requests[Socks, security] == 2.*', 'requests[security,socks]==2.*'],
    ['a~=1.4.2', 'a~=1.4.2'],
    ['a===weird+thing', 'a===weird+thing'],
    ['a==1!2.0.post1.dev3+local.1', 'a==1!2.0.post1.dev3+local.1'],
    ["a; python_version<'3.8'", 'a ; python_version < "3.8"'],
    ["a ;(os_name=='nt' or sys_platform == \"win32\")and extra=='x'", 'a ; extra == "x" and (os_name == "nt" or sys_platform == "win32")'],
    ['a ; "linux" in sys_platform', 'a ; "linux" in sys_platform'],
    ['a # a remark', 'a'],
    ['a@https://example.org/a.zip', 'a @ https://example.org/a.zip'],
    ['a @ git+https://example.org/a.git@v1', 'a @ git+https://example.org/a.git@v1'],
    ['git+https://example.org/a.git@v1#egg=My_A[x]&subdirectory=sub', 'my-a[x] @ git+https://example.org/a.git@v1#subdirectory=sub'],
    ['git+https://example.org/a.git#egg=a-dev', 'git+https://example.org/a.git'],
    ['https://example.org/my_a-1.0-py3-none-any.whl', 'my-a @ https://example.org/my_a-1.0-py3-none-any.whl'],
    ['https://example.org/a.tar.gz ; python_version<"3"', 'https://example.org/a.tar.gz ; python_version < "3"'],
    ['a==1 --hash=sha256:BB --hash sha256:aa', 'a==1 --hash=sha256:aa --hash=sha256:bb'],
  ] as const)
    assert.deepEqual(requirements(written), [ours], written);
});

test('continued lines are one, also across remarks and at the end of the file', () => {
  assert.deepEqual(requirements('a==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nb \\\n'), [
    'a==1 --hash=sha256:aa --hash=sha256:bb',
    'b',
  ]);
  assert.deepEqual(requirements('a>=1\\\n# a remark ends it\nb\n# b \\\nc'), ['a>=1', 'b', 'c']);
});

test('options that say where packages come from are kept, each as one word; others are noted', () => {
  const entries = parseRequirementsFile(
    'requirements.txt',
    '-i https://a.example/simple\n--extra-index-url=https://b.example\n-fhttps://c.example/\n--pre\n--no-binary :all:\n--trusted-host x\n-c other.txt\n-rmore.txt\n--requirement "with blank.txt"\n',
  );
  assert.deepEqual(
    entries.map((entry) => {
      if (entry.kind === 'option') return `${entry.name} ${entry.value}`.trim();
      if (entry.kind === 'note') return entry.why;
      return entry.kind === 'include' || entry.kind === 'constraint' ? `${entry.kind} ${entry.path}` : entry.kind;
    }),
    [
      '--index-url https://a.example/simple',
      '--extra-index-url https://b.example',
      '--find-links https://c.example/',
      '--pre',
      '--no-binary :all:',
      '--trusted-host is not applied',
      'constraint other.txt',
      'include more.txt',
      'include with blank.txt',
    ],
  );
});

test('credentials never leave the line they stand in, and that is said', () => {
  const text =
    '--index-url https://me:hunter2@a.example/simple\nb @ git+https://hunter2@b.example/b.git\ngit+https://me:hunter2@c.example/c.git\nd @ git+ssh://git:hunter2@d.example/d\n';
  const entries = parseRequirementsFile('requirements.txt', text);
  assert.doesNotMatch(JSON.stringify(entries), /hunter2/);
  assert.equal(entries.filter((entry) => entry.kind === 'note').length, 4);
  assert.match(JSON.stringify(entries), /git\+ssh:\/\/git@d\.example/);
});

test('what GitHub gives by https alone is asked for so', () => {
  assert.deepEqual(requirements('-e git+git://github.com/a/b#egg=b'), ['b @ git+https://github.com/a/b']);
  assert.deepEqual(requirements('git+git@github.com:a/b.git'), ['git+https://github.com/a/b.git']);
  assert.deepEqual(requirements('git+ssh://git@example.org/a/b.git'), ['git+ssh://git@example.org/a/b.git']);
});

test('paths of the repository are local packages', () => {
  const locals = parseRequirementsFile(
    'requirements.txt',
    '.\n-e .[test]\n./sub/pkg[A, b]\n-e "dir with blank/p"\nwheels/x-1-py3-none-any.whl\n../up ; os_name == "nt"',
  );
  assert.deepEqual(
    locals.map((entry) => (entry.kind === 'local' ? [entry.path, entry.editable, ...entry.extras] : entry.kind)),
    [
      ['.', false],
      ['.', true, 'test'],
      ['./sub/pkg', false, 'a', 'b'],
      ['dir with blank/p', true],
      ['wheels/x-1-py3-none-any.whl', false],
      ['../up', false],
    ],
  );
});

test('an error names line and column, shows the line, and says what to write', () => {
  const error = problem('# first\nnumpy\n  pandas=1.0\n');
  assert.equal(error.code, 'file_invalid');
  assert.equal(error.message, 'requirements.txt, line 3, column 9: = is not an operator: pandas=1.0');
  assert.equal(error.hint, 'Write == to ask for an exact version.');
  assert.equal(error.logTail, '1 | # first\n2 | numpy\n3 |   pandas=1.0\n  |         ^ = is not an operator');
  assert.match(problem('a \\\n  ; python_versio < "3"').message, /line 2, column 5/);
  for (const [text, what] of [
    ['numpy 1.20', /== between name and version/],
    ['numpy @ file:///tmp/build/work', /name==version/],
    ['svn+https://example.org/a', /https:\/\//],
    ['a @ https://h/${TOKEN}/a.zip', /value itself/],
  ] as const)
    assert.match(problem(text).hint, what, text);
  for (const text of [
    'a[',
    'a[b',
    'a>',
    'a>=',
    'a==1.*.*',
    'a>=1.*',
    'a==x',
    'a;',
    'a; b',
    'a; os_name',
    'a; os_name == nt',
    'a; (os_name == "x"',
    '=1',
    '!',
    '-r',
    '--index-url',
    '-',
    '-Z x',
    'a @',
    'a==1,,2',
    'a(>=1',
  ])
    assert.equal(problem(text).code, 'file_invalid', text);
});

test('long and repetitive lines take no time', () => {
  const since = cpuTime();
  for (const text of [
    `a${' '.repeat(1e6)}b`,
    ' #a'.repeat(3e5),
    'a\\\n'.repeat(3e5),
    `a --x ${`"'`.repeat(3e5)}`,
    `a ; ${'('.repeat(1e5)}`,
    `./${'['.repeat(1e5)}`,
  ])
    try {
      parseRequirementsFile('requirements.txt', text);
    } catch (error) {
      assert.ok(error instanceof BinderyError);
    }
  assert.ok(cpuTime() - since < 3000);
});
