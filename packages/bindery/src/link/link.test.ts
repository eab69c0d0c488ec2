import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Source } from '../contracts/source.ts';
import { pageToOpen, readLink } from './link.ts';

const source: Source = { provider: 'gh', slug: 'a/b', url: 'https://github.com/a/b', ref: 'f'.repeat(40) };

test('options go before what the text says', () => {
  const link = readLink('https://github.com/a/b/tree/main/x', { ref: 'v2', path: 'y z.ipynb', asOf: '2024-01-31' });
  assert.deepEqual(link, {
    provider: 'gh',
    spec: 'a/b/v2',
    open: { kind: 'url', path: 'lab/tree/y%20z.ipynb' },
    asOf: '2024-01-31T23:59:59.999Z',
  });
  assert.deepEqual(readLink('a/b', { urlpath: '/rstudio', path: 'x' }).open, { kind: 'url', path: 'rstudio' });
  assert.deepEqual(readLink('a/b/main', {}).spec, 'a/b/main');
});

test('an option is checked like the text', () => {
  for (const options of [{ ref: '--upload-pack=x' }, { path: '../../etc' }, { urlpath: '//evil.example' }, { asOf: 'soon' }])
    assert.throws(() => readLink('a/b', options), { code: 'link_invalid' });
});

test('the page to open is settled once it is known where the ref ends', () => {
  const link = readLink('https://github.com/a/b/tree/feature/x/docs', {});
  assert.equal(pageToOpen(link, source), 'lab/tree/x/docs');
  assert.equal(pageToOpen(link, { ...source, open: { kind: 'url', path: 'lab/tree/docs' } }), 'lab/tree/docs');
  assert.equal(pageToOpen(readLink('a/b', {}), source), '');
});
