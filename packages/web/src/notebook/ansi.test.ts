import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ansiPieces } from './ansi.ts';

test('colours and styles become classes, whatever else a terminal would obey is left out', () => {
  assert.deepEqual(ansiPieces('a\u001b[1;31mb\u001b[39mc\u001b[0md'), [
    { text: 'a', classes: '' },
    { text: 'b', classes: 'ansi-red ansi-bold' },
    { text: 'c', classes: 'ansi-bold' },
    { text: 'd', classes: '' },
  ]);
  assert.deepEqual(ansiPieces('\u001b[38;5;12mx\u001b[38;2;1;2;3my\u001b[48;5;1;4mz'), [
    { text: 'x', classes: 'ansi-blue' },
    { text: 'y', classes: 'ansi-blue' },
    { text: 'z', classes: 'ansi-blue ansi-underline' },
  ]);
  const text = (of: string): string =>
    ansiPieces(of)
      .map((piece) => piece.text)
      .join('');
  assert.equal(text('\u001b]8;;https://evil.example\u0007link\u001b]8;;\u001b\\ \u001b[2Jhere\u0000\u0007\n\tend'), 'link here\n\tend');
  assert.equal(text(`${'\u001b['.repeat(50_000)}m`).includes('\u001b'), false);
});
