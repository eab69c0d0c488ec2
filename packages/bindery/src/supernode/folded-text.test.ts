import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { FoldedText } from './folded-text.ts';

function folded(...pieces: readonly string[]): string {
  const text = new FoldedText();
  let done = '';
  for (const piece of pieces) {
    text.write(piece);
    done += text.take().done;
  }
  text.end();
  return done + text.line;
}

/** A terminal of one colour whose screen has no edge, character by character. */
function terminal(text: string): string {
  const lines: string[][] = [[]];
  let at = 0;
  for (const char of text) {
    const line = lines.at(-1) ?? [];
    if (char === '\n') {
      lines.push([]);
      at = 0;
    } else if (char === '\r') at = 0;
    else if (char === '\b') at = Math.max(0, at - 1);
    else line[at++] = char;
  }
  return lines.map((line) => line.join('')).join('\n');
}

const ESCAPE = '\u001b';
const units = fc.constantFrom(
  'a',
  'b',
  'ü',
  '😀',
  ' ',
  '\n',
  '\r',
  '\b',
  '\r\n',
  'progress',
  `${ESCAPE}[32m`,
  `${ESCAPE}[0m`,
  `${ESCAPE}[K`,
  `${ESCAPE}[2K`,
  ESCAPE,
);
const streams = fc.array(units, { maxLength: 60 }).map((parts) => parts.join(''));
const plain = streams.map((text) => text.replaceAll(new RegExp(`${ESCAPE}(?:\\[\\d*[mK])?`, 'g'), ''));

describe('the text of a stream', () => {
  it('X2.1 is the same however it is cut', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(200), { maxLength: 12 }), (text, places) => {
        const cuts = [0, ...places.filter((place) => place < text.length).toSorted((a, b) => a - b), text.length];
        const pieces = cuts.slice(1).map((end, index) => text.slice(cuts[index], end));
        assert.equal(folded(...pieces), folded(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('X2.2 is what a terminal shows', () => {
    fc.assert(
      fc.property(plain, (text) => assert.equal(folded(text), terminal(text))),
      { numRuns: 2000 },
    );
  });

  it('X2.2 is left as it is where nothing moves', () => {
    const still = streams.map((text) => text.replaceAll(new RegExp(`[\\r\\b]|${ESCAPE}\\[[0-2]?K`, 'g'), ''));
    fc.assert(fc.property(still, (text) => assert.equal(folded(text), text)));
    assert.equal(folded('one\r\ntwo\r\n'), 'one\ntwo\n');
  });

  it('X2.2 keeps colours where they were written, and erases', () => {
    const [red, green, off] = [`${ESCAPE}[31m`, `${ESCAPE}[32m`, `${ESCAPE}[0m`];
    assert.equal(folded(`${red}abcd${off}\r${green}X${off}`), `${green}X${off}${red}bcd${off}`);
    assert.equal(folded(`${red}abc\n`, 'def\rX\n'), `${red}abc\nXef\n`);
    assert.equal(folded(`12345\r${ESCAPE}[2Kab`), 'ab');
    assert.equal(folded(`12345\b\b${ESCAPE}[K!`), '123!');
    assert.equal(folded('e\u0301x\rf'), 'fx');
  });

  it('X2.2 takes a line that is too long to be a bar as it is', () => {
    const long = 'x'.repeat(70_000);
    assert.equal(folded(`${long}\rab\ncd\rX`), `${long}\rab\nXd`);
  });

  it('X2.1 takes a hundred thousand steps of a bar in a moment', () => {
    const text = new FoldedText();
    const begun = performance.now();
    for (let step = 0; step <= 100_000; step++) text.write(`\r${String(step).padStart(6)}/100000 |${'#'.repeat(step / 2000).padEnd(50)}|`);
    assert.equal(text.line, `100000/100000 |${'#'.repeat(50)}|`);
    assert.ok(performance.now() - begun < 10_000);
  });
});
