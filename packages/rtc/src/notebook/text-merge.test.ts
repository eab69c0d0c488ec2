import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { mergeText } from './merge.ts';
import { editText, mergedText } from './text-merge.ts';

const joined = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
function sharedText(content: string): Y.Text {
  const text = new Y.Doc().getText('source');
  text.insert(0, content);
  return text;
}
/** What was inserted and deleted, in letters. */
function cost(text: Y.Text, edit: () => void): { inserted: number; deleted: number } {
  const sum = { inserted: 0, deleted: 0 };
  text.observe(({ delta }) => {
    for (const each of delta) {
      if (typeof each.insert === 'string') sum.inserted += each.insert.length;
      sum.deleted += each.delete ?? 0;
    }
  });
  edit();
  return sum;
}

describe('two versions of a text (M4)', () => {
  const merges: [what: string, base: string, ours: string, theirs: string, merged: string][] = [
    ['nothing new', 'a\n', 'b\n', 'a\n', 'b\n'],
    ['the same on both sides', 'a\n', 'b\n', 'b\n', 'b\n'],
    ['theirs alone', 'a\n', 'a\n', '', ''],
    ['different lines', joined('a', 'b', 'c'), joined('A', 'b', 'c'), joined('a', 'b', 'C'), joined('A', 'b', 'C')],
    ['lines next to each other', joined('a', 'b'), joined('A', 'b'), joined('a', 'B'), joined('A', 'B')],
    ['lines put in at one place', joined('a', 'z'), joined('a', 'o', 'z'), joined('a', 't', 'z'), joined('a', 'o', 't', 'z')],
    ['lines put in at one place, which ours has already', 'z\n', joined('o', 't', 'z'), joined('t', 'z'), joined('o', 't', 'z')],
    ['lines after a last one without an end', 'a', 'a\no', 'a\nt', 'a\no\nt'],
    ['the same with other ends', 'a', 'a\r\no', 'a\r\nt', 'a\r\no\r\nt'],
    ['a last line that got its end', 'a', 'a\n', 'b\na', 'b\na\n'],
    ['a line changed here and a line put in there', joined('a', 'b'), joined('A', 'b'), joined('a', 'x', 'b'), joined('A', 'x', 'b')],
    ['a change there of what was deleted here', joined('a', 'b', 'c'), joined('a', 'c'), joined('a', 'B', 'c'), joined('a', 'B', 'c')],
    ['a change here of what was deleted there', joined('a', 'b', 'c'), joined('a', 'B', 'c'), joined('a', 'c'), joined('a', 'B', 'c')],
    ['deletions that overlap', joined('a', 'b', 'c', 'd'), joined('a', 'd'), joined('a', 'b'), joined('a')],
    ['both put something into nothing', '', 'o', 't', 'o\nt'],
  ];
  for (const [what, base, ours, theirs, merged] of merges) {
    it(`${what}: both are in it`, () => {
      assert.deepEqual(mergedText(base, ours, theirs), { text: merged, theirs: [] });
      assert.deepEqual(mergedText(base, merged, theirs), { text: merged, theirs: [] }, 'merged again');
    });
  }

  it('both changed one line: ours stays, theirs is told, and the rest of theirs is taken', () => {
    const merged = mergedText(joined('a', 'b', 'c'), joined('a', 'ours', 'c'), joined('a', 'theirs', 'c', 'd'));
    assert.deepEqual(merged, { text: joined('a', 'ours', 'c', 'd'), theirs: ['theirs\n'] });
    const text = sharedText('a\n');
    assert.deepEqual(mergeText(text, 'b\n', 'c\n'), { changed: false, conflicts: [{ place: 'source', theirs: 'c\n' }] });
    assert.equal(text.toJSON(), 'a\n');
  });

  it('of which nobody knows the base: one, if it has all of the other', () => {
    assert.deepEqual(mergedText(undefined, '', 'a\n'), { text: 'a\n', theirs: [] });
    assert.deepEqual(mergedText(undefined, joined('a', 'b'), 'b\n'), { text: joined('a', 'b'), theirs: [] });
    assert.deepEqual(mergedText(undefined, joined('a'), joined('b')), { text: joined('a'), theirs: [joined('b')] });
  });

  const line = fc.constantFrom('', 'x', 'y');
  const end = fc.constantFrom('', '\n');
  const text = fc.tuple(fc.array(line, { maxLength: 6 }), end).map(([lines, last]) => lines.join('\n') + last);

  it('of which one is the base: the other, to the letter', () => {
    fc.assert(
      fc.property(text, text, (base, changed) => {
        assert.deepEqual(mergedText(base, base, changed), { text: changed, theirs: [] });
        assert.deepEqual(mergedText(base, changed, base), { text: changed, theirs: [] });
        assert.deepEqual(mergedText(base, changed, changed), { text: changed, theirs: [] });
      }),
    );
  });

  it('have in one what either put in and what neither took out', () => {
    // Each side takes out some lines and puts in its own, in some places.
    const edits = fc.array(fc.record({ isGone: fc.boolean(), puts: fc.nat({ max: 2 }) }), { minLength: 12, maxLength: 12 });
    const side = (name: string, base: string[], edit: { isGone: boolean; puts: number }[]): string[] =>
      base.flatMap((each, index) => {
        const { isGone, puts } = edit[index] ?? { isGone: false, puts: 0 };
        return [...Array.from({ length: puts }, (_none, count) => `${name}${index}.${count}`), ...(isGone ? [] : [each])];
      });
    fc.assert(
      fc.property(fc.nat({ max: 12 }), edits, edits, end, end, end, (length, mine, other, ...ends) => {
        const lines = Array.from({ length }, (_none, index) => `line ${index}`);
        const [ours, theirs] = [side('o', lines, mine), side('t', lines, other)];
        const [base, left, right] = [lines, ours, theirs].map((each, index) => each.join('\n') + (each.length > 0 ? ends[index] : ''));
        const merged = mergedText(base, left as string, right as string);
        if (merged.theirs.length === 0) assert.equal(mergedText(base, merged.text, right as string).text, merged.text, 'merged again');
        const found = [merged.text, ...merged.theirs].flatMap((each) => each.split('\n'));
        const counts = (name: string): number => found.filter((each) => each === name).length;
        for (const each of [...ours, ...theirs]) {
          const isNeeded = !lines.includes(each) || (ours.includes(each) && theirs.includes(each));
          if (isNeeded) assert.ok(counts(each) > 0, `${each} is gone`);
        }
        for (const each of found) if (each !== '') assert.ok(lines.includes(each) || ours.includes(each) || theirs.includes(each), each);
        assert.equal(new Set(merged.text.split('\n')).size, merged.text.split('\n').length, 'nothing is in it twice');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a shared text becomes another', () => {
  it('by as few letters as it takes, so that cursors stay (M5)', () => {
    const before = joined('import os', 'x = [1, 2, 3]', 'print(x)', 'y = 4');
    const text = sharedText(before);
    const cursor = Y.createRelativePositionFromTypeIndex(text, before.indexOf('3]'));
    const sum = cost(text, () => editText(text, joined('import os, sys', 'x = [1, 20, 3]', 'print(x)', 'z = 4')));
    assert.deepEqual(sum, { inserted: 7, deleted: 1 });
    const place = Y.createAbsolutePositionFromRelativePosition(cursor, text.doc as Y.Doc) as { index: number };
    assert.equal(text.toJSON().slice(place.index, place.index + 2), '3]');
  });

  it('whatever they are', () => {
    const any = fc
      .array(fc.constantFrom('a', 'b', '\n', '\r\n', '\r', '😀', '😃', 'é', ' '), { maxLength: 30 })
      .map((each) => each.join(''));
    fc.assert(
      fc.property(any, any, (before, after) => {
        const text = sharedText(before);
        editText(text, after);
        assert.equal(text.toJSON(), after);
      }),
      { numRuns: 500 },
    );
  });

  it('with what is no text in it gone', () => {
    const text = sharedText('ab');
    text.insertEmbed(1, { image: 1 });
    editText(text, 'abc');
    assert.deepEqual(text.toDelta(), [{ insert: 'abc' }]);
  });

  it('without an update when it is the same', () => {
    const text = sharedText('ab');
    text.doc?.on('update', () => assert.fail('an update'));
    editText(text, 'ab');
  });

  const letters = (count: number, seed: number): string => {
    let state = seed;
    const next = (): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648);
    return Array.from({ length: count }, () => String.fromCodePoint(97 + (next() % 26))).join('');
  };
  const large: [string, string, string][] = [
    [
      'one line of a megabyte with one letter changed',
      `${'x'.repeat(500_000)}a${'y'.repeat(500_000)}`,
      `${'x'.repeat(500_000)}b${'y'.repeat(500_000)}`,
    ],
    ['one line of a megabyte that is another', letters(1_000_000, 1), letters(1_000_000, 2)],
    ['the same letter in other numbers', `b${'a'.repeat(1_000_000)}b`, `c${'a'.repeat(999_000)}c`],
    [
      'a hundred thousand lines that are others',
      letters(300_000, 3).replaceAll(/.../g, '$&\n'),
      letters(300_000, 4).replaceAll(/.../g, '$&\n'),
    ],
  ];
  for (const [what, before, after] of large) {
    it(`however large: ${what}`, () => {
      const text = sharedText(before);
      mergeText(text, before, after);
      assert.equal(text.toJSON(), after);
      assert.equal(mergedText(before, `o\n${before}`, after).text.startsWith('o\n'), true);
    });
  }
});
