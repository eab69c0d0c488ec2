import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMatchSpec, parseMatchSpec, pep440Of } from './match-spec.ts';

test('every spelling of a match specification is understood', () => {
  for (const [written, ours, pep440] of [
    ['numpy', 'numpy', ''],
    ['NumPy', 'numpy', ''],
    ['numpy=1.20', 'numpy =1.20', '==1.20.*'],
    ['numpy = 1.20', 'numpy =1.20', '==1.20.*'],
    ['numpy==1.20.3', 'numpy ==1.20.3', '==1.20.3'],
    ['numpy 1.20.3', 'numpy 1.20.3', '==1.20.3'],
    ['numpy 1.20.*', 'numpy 1.20.*', '==1.20.*'],
    ['numpy=1.20.*', 'numpy =1.20.*', '==1.20.*'],
    ['numpy>=1.20,<2', 'numpy >=1.20,<2', '<2,>=1.20'],
    ['numpy >= 1.20 , < 2', 'numpy >=1.20,<2', '<2,>=1.20'],
    ['numpy>=1.20.*', 'numpy >=1.20.*', '>=1.20'],
    ['numpy!=1.21', 'numpy !=1.21', '!=1.21'],
    ['numpy~=1.20', 'numpy ~=1.20', '~=1.20'],
    ['numpy=1.8.1=py27_0', 'numpy ==1.8.1 py27_0', '==1.8.1'],
    ['numpy 1.8.1 py27_0', 'numpy 1.8.1 py27_0', '==1.8.1'],
    ['numpy=1.8|1.9', 'numpy =1.8|1.9', undefined],
    ['conda-forge::numpy>=1', 'conda-forge::numpy >=1', '>=1'],
    ['numpy[version=">=1,<2", build=py*]', 'numpy >=1,<2 py*', '<2,>=1'],
    ['python=3', 'python =3', '==3.*'],
    ['ipyvolume=0.6.0a8', 'ipyvolume =0.6.0a8', '==0.6.0a8'],
    ['tzdata=2022a', 'tzdata =2022a', undefined],
    ['numpy *', 'numpy *', ''],
    ['numpy  # why', 'numpy', ''],
  ] as const) {
    const spec = parseMatchSpec(written);
    assert.ok(spec, written);
    assert.equal(formatMatchSpec(spec).replace(/ \*$/, written.endsWith('*') ? ' *' : ''), ours, written);
    assert.equal(pep440Of(spec.version), pep440, written);
  }
});

test('what is no match specification is refused', () => {
  for (const text of ['', '-e .', '--help', '$(x)', 'a b c d', 'a;rm', 'a\nb', 'a`b`', '::a', 'a'.repeat(1000), 'a >=1; b', '<1'])
    assert.equal(parseMatchSpec(text), undefined, text);
});
