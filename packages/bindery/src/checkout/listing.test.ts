import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseListing, unquoted } from './listing.ts';
import { bytesFromPath, pathFromBytes } from './path-bytes.ts';

test('paths and bytes are turned into each other without loss', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const path = pathFromBytes(Buffer.from(bytes));
      assert.deepEqual(bytesFromPath(path), Buffer.from(bytes));
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(pathFromBytes(Buffer.from(text)), text);
    }),
  );
  assert.equal(pathFromBytes(Buffer.from([0xff, 0x61, 0xc3])), '\udcffa\udcc3');
  assert.equal(pathFromBytes(Buffer.from('\ufffd')), '\ufffd');
});

test('quoted names are read as git writes them', () => {
  assert.equal(unquoted('plain name'), 'plain name');
  assert.equal(unquoted(String.raw`"a\tb\n\"\\\303\244\001"`), 'a\tb\n"\\ä\u0001');
});

test('a listing tells kinds, modes and sizes', () => {
  const id = 'a'.repeat(40);
  const text = [
    `100644 blob ${id}      12\ta b`,
    `100755 blob ${id} 1234567\trun`,
    `120000 blob ${id}       3\tlink`,
    `160000 commit ${id}       -\tsub`,
    '',
  ].join('\n');
  assert.deepEqual(parseListing(text), [
    { path: 'a b', type: 'file', executable: false, size: 12 },
    { path: 'run', type: 'file', executable: true, size: 1_234_567 },
    { path: 'link', type: 'symlink', executable: false, size: 3 },
    { path: 'sub', type: 'submodule', executable: false, size: 0 },
  ]);
});
