import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuTime } from '../../../../test/fakes/cpu-time.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { decodeText, invalidFile } from './text.ts';
import { parseToml } from './toml.ts';
import { parseYaml } from './yaml.ts';
import { parseJson } from './json.ts';

test('text is read whatever it was saved as', () => {
  const utf16 = Buffer.from('numpy\r\n', 'utf16le');
  for (const bytes of [
    Buffer.from('numpy\n'),
    Buffer.from('\ufeffnumpy\r\n'),
    Buffer.from('numpy\r'),
    Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    utf16,
    Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]),
  ])
    assert.equal(decodeText(bytes), 'numpy\n');
  assert.equal(decodeText(Buffer.from([0x23, 0x20, 0xe9])), '# é');
  assert.equal(decodeText(Buffer.alloc(0)), '');
});

function problem(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof BinderyError, String(error));
    assert.equal(error.code, 'file_invalid');
    return error.message;
  }
  throw new Error('accepted');
}

test('YAML, TOML and JSON errors name line and column', () => {
  assert.equal(
    problem(() => parseYaml('e.yml', 'a:\n\t- b\n')),
    'e.yml, line 2, column 1: tabs cannot indent YAML: - b',
  );
  assert.match(
    problem(() => parseYaml('e.yml', 'a: 1\nb: [1, 2\nc: 3\n')),
    /^e\.yml, line 3, column \d+: /,
  );
  assert.equal(
    problem(() => parseYaml('e.yml', 'a: 1\nb: 2\na: 3\n')),
    'e.yml, line 3, column 1: this key is there twice: a: 3',
  );
  assert.match(
    problem(() => parseToml('p.toml', '[project]\nname = x\n')),
    /^p\.toml, line 2, column 8: .*: name = x$/,
  );
  assert.match(
    problem(() => parseJson('p.lock', '{\n  "a": 1,\n  oops\n}')),
    /^p\.lock, line 3, column 3: this is not JSON: oops$/,
  );
  assert.match(
    problem(() => parseJson('p.lock', '{"a": ')),
    /line 1, column 7: the JSON text is not complete/,
  );
});

test('bombs are refused in time', () => {
  const since = cpuTime();
  const laughs = `a0: &a0 [x]\n${Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(10)}]`).join('\n')}\n`;
  assert.match(
    problem(() => parseYaml('e.yml', laughs)),
    /aliases too often/,
  );
  problem(() => parseYaml('e.yml', '['.repeat(1e5)));
  problem(() => parseYaml('e.yml', 'a: b\n'.repeat(1e6)));
  problem(() => parseToml('p.toml', `a=${'['.repeat(1e5)}`));
  assert.ok(cpuTime() - since < 5000);
});

test('what a terminal would act on is not shown', () => {
  const error = invalidFile({ file: 'f', line: 1, column: 1 }, `\u001b]0;owned\u0007${'x'.repeat(500)}`, 'bad');
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(`${error.message}${error.logTail}`, /[\u0000-\u0009\u000b-\u001f\u007f]/);
  assert.ok(error.message.length < 300);
});
