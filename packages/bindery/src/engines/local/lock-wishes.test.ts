import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, constantFrom, property, string } from 'fast-check';
import { planOf } from '../../../../../test/fakes/plan-of.ts';
import { isDirect, nameOf, wishesOf } from './lock-wishes.ts';

const PLAIN = [
  'six',
  'Six==1.0',
  'a.b_c-d[x, y] >=1,<2 ; python_version < "3.8"',
  'numpy (>=1.2)',
  'numpy~=1.4.2',
  'one!=1.*',
  'one===1.0+local',
  'one>=1.0, # why',
  `one==1 --hash=sha256:${'a'.repeat(64)} --hash=sha256:${'b'.repeat(64)}`,
];
const DIRECT = [
  'one @ https://else.example/one.whl',
  'one@git+https://else.example/one',
  'git+ssh://git@else.example/one.git#egg=one',
  'https://else.example/one-1.0.tar.gz',
  'one @ file:///etc/passwd',
  'one @ ./one',
  './one',
  '/etc/one',
  '../one[x]',
  '.',
  'one-1.0-py3-none-any.whl',
  'one-1.0.tar.gz',
  'one.zip[extra]',
  'one/two',
  '~/one',
  'C:\\one',
];

for (const line of PLAIN) test(`of an index: ${line}`, () => assert.equal(isDirect(line), false));
for (const line of DIRECT) test(`of elsewhere: ${line}`, () => assert.equal(isDirect(line), true));

test('nothing with a slash, a backslash or a scheme before its marker passes for a package of an index', () => {
  const text = string({ unit: constantFrom(...'ab1.-_[]()<>=!~@:/\\ '.split('')) });
  check(
    property(text, constantFrom('/', '\\', '://', '@ a'), text, (before, odd, rest) => {
      assert.equal(isDirect(before + odd + rest), true);
    }),
  );
});

test('a hostile line takes no time', () => {
  const since = performance.now();
  for (const part of [' ', ', ', '>=', 'a ', '[a,', '--hash=x ', ';']) isDirect(`one ${part.repeat(32_768 / part.length)}!`);
  assert.ok(performance.now() - since < 2000);
});

test('names are normalised; bare addresses have none', () => {
  assert.equal(nameOf('Foo_Bar.baz[x]>=1'), 'foo-bar-baz');
  assert.equal(nameOf('one@ https://x'), 'one');
  assert.equal(nameOf('git+https://x'), undefined);
  assert.equal(nameOf('./one'), undefined);
});

test('further indexes of a lock file of the repository count as those of a requirements file do', async () => {
  const source = (url: string): string => `source = { registry = "${url}" }`;
  const lock = `version = 1
[[package]]
name = "me"
source = { virtual = "." }
dependencies = [{ name = "torch" }]
[[package]]
name = "torch"
version = "2.0+cpu"
${source('https://torch.example/cpu')}
`;
  const wishes = wishesOf(await planOf({ 'uv.lock': lock }));
  assert.deepEqual(wishes.options.extra, ['https://torch.example/cpu']);
  assert.deepEqual(wishes.locked, ['torch==2.0+cpu']);
});
