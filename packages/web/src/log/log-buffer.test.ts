import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LogBuffer, logLines, plainText } from './log-buffer.ts';
import { paletteColours } from './palette.ts';

describe('the log', () => {
  it('leaves control sequences out of plain text', () => {
    assert.equal(plainText('\u001b[1;32m+ numpy\u001b[0m 2.3\u0007'), '+ numpy 2.3');
    assert.equal(plainText('\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\b\u001b]8;;\u001b\\'), 'ab');
    assert.equal(plainText('10 %\r50 %\r100 %\r'), '100 %');
    assert.equal(plainText('tab\tand émoji 📦'), 'tab\tand émoji 📦');
  });

  it('is bounded in lines and in their length, and says what it left out', () => {
    const log = new LogBuffer();
    log.add(['x'.repeat(20_000)]);
    assert.ok(log.text().length < 9000 && log.text().endsWith('…'));
    for (let i = 0; i < 30; i++) log.add(Array.from({ length: 1000 }, (_, line) => `${i}.${line}`));
    const lines = log.text().split('\n');
    assert.ok(lines.length <= 22_001, `${lines.length} lines`);
    assert.match(lines[0] ?? '', /^\(\d+ earlier lines are not shown\)$/);
    assert.equal(lines.at(-1), '29.999');
    assert.equal(log.count.value, 30_001);
  });

  it('gives a follower what there is, then what comes, until it leaves', () => {
    const log = new LogBuffer();
    const seen: string[] = [];
    log.add(['a']);
    const leave = log.follow((lines) => seen.push(...lines));
    log.add(['b', '\u001b[0m ']);
    leave();
    log.add(['c']);
    assert.deepEqual(seen, ['a', 'b', '\u001b[0m ']);
    assert.equal(log.lastLine.value, 'c');
  });

  it('shows the last line that says something', () => {
    const log = new LogBuffer();
    log.add(['\u001b[32mdone\u001b[0m', '', '\u001b[0m']);
    assert.equal(log.lastLine.value, 'done');
  });

  it('splits what a stage says into lines', () => {
    const event = { phase: 'building', kind: 'log', message: 'one\ntwo\n', seq: 0, at: '2026-03-01T12:00:00.000Z' } as const;
    assert.deepEqual(logLines(event), ['one', 'two']);
  });

  it('turns direct colours into those of the palette', () => {
    assert.equal(paletteColours('\u001b[1;38;2;255;0;0mred'), '\u001b[1;38;5;196mred');
    assert.equal(paletteColours('\u001b[48:2::0:0:255m'), '\u001b[48;5;21m');
    assert.equal(paletteColours('\u001b[38;5;9m 38;2;1;1;1'), '\u001b[38;5;9m 38;2;1;1;1');
  });
});
