import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import type { JsonObject } from '../json.ts';
import { heaviestRise } from './cell-order.ts';
import { literalsFor, mergeNotebook, type MergeOutcome } from './merge.ts';
import { parseNotebook, writeNotebook } from './nbformat.ts';
import type { Cell, Notebook } from './notebook.ts';
import { cellsOf, fillNotebook, metaOf, readNotebook, sharedCell } from './shared-notebook.ts';

function code(id: string, source: string, more: Partial<Cell> = {}): Cell {
  return { id, type: 'code', source, metadata: {}, outputs: [], executionCount: null, extra: {}, ...more };
}
function notebook(cells: readonly Cell[], more: Partial<Notebook> = {}): Notebook {
  return { minor: 5, metadata: {}, cells, extra: {}, ...more };
}
const stream = (text: string): JsonObject => ({ output_type: 'stream', name: 'stdout', text });
const display = (text: string): JsonObject => ({ output_type: 'display_data', data: { 'text/plain': text }, metadata: {} });
function filled(content: Notebook): Y.Doc {
  const doc = new Y.Doc();
  fillNotebook(doc, content);
  return doc;
}
/** Merges, and looks at what is always so: one update if any, told rightly; one replica more says the same; nothing is left to merge. */
function merge(doc: Y.Doc, base: Notebook | undefined, theirs: Notebook): MergeOutcome {
  const replica = new Y.Doc();
  Y.applyUpdate(replica, Y.encodeStateAsUpdate(doc));
  const updates: Uint8Array[] = [];
  const keep = (update: Uint8Array): number => updates.push(update);
  doc.on('update', keep);
  const outcome = mergeNotebook(doc, base, theirs);
  assert.equal(updates.length, outcome.changed ? 1 : 0);
  for (const update of updates) Y.applyUpdate(replica, update);
  assert.deepEqual(readNotebook(replica), readNotebook(doc));
  const ids = cellsOf(doc)
    .toArray()
    .map((cell) => (cell as Y.Map<unknown>).get('id'));
  if (outcome.changed) assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  assert.equal(mergeNotebook(doc, theirs, theirs).changed, false, 'M1');
  assert.equal(mergeNotebook(doc, base, theirs).changed, false, 'merged again');
  doc.off('update', keep);
  return outcome;
}
/** What the document says after ours and theirs changed it. */
function merged(base: Notebook | undefined, ours: Notebook, theirs: Notebook): { cells: string[]; notebook: Notebook } & MergeOutcome {
  const doc = filled(ours);
  const outcome = merge(doc, base, theirs);
  const result = readNotebook(doc);
  return { ...outcome, notebook: result, cells: result.cells.map((cell) => cell.source) };
}
const sources = (cells: readonly string[]): Notebook => notebook(cells.map((source) => code(source.toLowerCase(), source)));

describe('a notebook that changed on disk alone (M1 to M3, M5)', () => {
  const base = notebook([
    code('a', 'x = 1\ny = 2', {
      outputs: [stream('1\n'), display('2')],
      executionCount: 1,
      metadata: { tags: ['t'], deep: { k: 1, l: 2 } },
    }),
    { ...code('m', '![a](attachment:a.png)'), type: 'markdown', attachments: { 'a.png': { 'image/png': 'QQ==' } } },
    code('b', 'z = 3'),
  ]);

  it('is left alone when it says what it said: a touch is no edit', () => {
    const doc = filled(base);
    doc.on('update', () => assert.fail('an update'));
    assert.deepEqual(mergeNotebook(doc, base, structuredClone(base)).changed, false);
    assert.deepEqual(mergeNotebook(doc, notebook([]), base).changed, false);
  });

  it('becomes what the file says, and cells, texts and outputs that did not change stay the same ones', () => {
    const doc = filled(base);
    const before = cellsOf(doc).toArray() as Y.Map<unknown>[];
    const [first, markdown] = before as [Y.Map<unknown>, Y.Map<unknown>];
    const [source, output] = [first.get('source'), (first.get('outputs') as Y.Array<unknown>).get(0)];
    const theirs = notebook(
      [
        code('new', 'import os'),
        code('a', 'x = 1\ny = 20', {
          outputs: [stream('1\n2\n'), display('3')],
          executionCount: 2,
          metadata: { deep: { k: 1, l: 3, m: 4 } },
        }),
        { ...(base.cells[1] as Cell), attachments: { 'b.png': { 'image/png': 'QQ==' } }, extra: { beside: 1 } },
      ],
      { minor: 6, metadata: { kernelspec: { name: 'python3' } }, extra: { more: [1] } },
    );
    const outcome = merge(doc, base, theirs);
    assert.deepEqual(readNotebook(doc), theirs);
    assert.deepEqual(outcome.conflicts, []);
    assert.deepEqual(cellsOf(doc).toArray().slice(1), [first, markdown]);
    assert.equal(first.get('source'), source);
    assert.equal((first.get('outputs') as Y.Array<unknown>).get(0), output);
  });

  it('has cells moved by moving few of them, and none that somebody works on', () => {
    const list = sources(['A', 'B', 'C', 'D', 'E']);
    const doc = filled(list);
    const [a, , c, d, e] = cellsOf(doc).toArray();
    merge(doc, list, sources(['B', 'A', 'C', 'D', 'E']));
    assert.deepEqual(cellsOf(doc).toArray().slice(2), [c, d, e]);
    assert.deepEqual(
      readNotebook(doc).cells.map((cell) => cell.source),
      ['B', 'A', 'C', 'D', 'E'],
    );
    // Now E, which runs, goes to the front: all others move.
    const running = cellsOf(doc).get(4) as Y.Map<unknown>;
    running.set('execution_state', 'running');
    merge(doc, sources(['B', 'A', 'C', 'D', 'E']), sources(['E', 'B', 'A', 'C', 'D']));
    assert.equal(cellsOf(doc).get(0), running);
    assert.notEqual(cellsOf(doc).get(2), a);
  });

  it('may make a cell one of another type', () => {
    const { notebook: result } = merged(base, base, notebook([{ ...code('a', '# x = 1'), type: 'markdown' }, ...base.cells.slice(1)]));
    assert.deepEqual([result.cells[0]?.type, result.cells[0]?.outputs, result.cells[0]?.id], ['markdown', [], 'a']);
  });

  it('is taken as it is by a document that has nothing', () => {
    const doc = new Y.Doc();
    assert.equal(mergeNotebook(doc, undefined, base).changed, true);
    assert.deepEqual(readNotebook(doc), base);
  });
});

describe('a notebook without ids, or with other ones (M2)', () => {
  const old = (list: readonly string[]): string =>
    JSON.stringify({
      nbformat: 4,
      nbformat_minor: 4,
      metadata: {},
      cells: list.map((source) => ({ cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null })),
    });
  const read = (list: readonly string[]): Notebook => parseNotebook(old(list)).notebook;

  it('is left alone when it says what it said', () => {
    const base = read(['a', '', 'a', '', 'b']);
    const doc = filled(base);
    doc.on('update', () => assert.fail('an update'));
    assert.equal(mergeNotebook(doc, base, read(['a', '', 'a', '', 'b'])).changed, false);
    assert.equal(mergeNotebook(doc, read(['a', '', 'a', '', 'b']), read(['a', '', 'a', '', 'b'])).changed, false);
  });

  it('has its cells found by what they say, also where they were moved or changed a little', () => {
    const base = read(['import numpy as np', 'x = np.ones(3)', 'print(x)', 'y = 1']);
    const doc = filled(base);
    const [numpy, ones, print] = cellsOf(doc).toArray();
    const changed = ['import numpy as np', 'x = np.ones(30)', 'y = 1', 'print(x)', 'something else'];
    merge(doc, base, read(changed));
    assert.deepEqual(
      readNotebook(doc).cells.map((cell) => cell.source),
      changed,
    );
    assert.deepEqual(cellsOf(doc).toArray().slice(0, 2), [numpy, ones]);
    assert.equal(readNotebook(doc).cells[3]?.id, base.cells[2]?.id);
    assert.ok(print);
  });

  it('is merged with what others changed meanwhile', () => {
    const base = read(['a = 1\nb = 2\nc = 3', 'd = 4']);
    const doc = filled(base);
    ((cellsOf(doc).get(0) as Y.Map<unknown>).get('source') as Y.Text).insert(0, 'ours\n');
    merge(doc, base, read(['a = 1\nb = 2\nc = 30', 'new', 'd = 4']));
    assert.deepEqual(
      readNotebook(doc).cells.map((cell) => cell.source),
      ['ours\na = 1\nb = 2\nc = 30', 'new', 'd = 4'],
    );
  });

  it('keeps its floats, though its cells have the ids of the document', () => {
    const before = old(['a']).replace('"metadata":{}', '"metadata":{"x":1.0}');
    const doc = filled(parseNotebook(before).notebook);
    const base = parseNotebook(before).notebook;
    const after = parseNotebook(old(['a', 'b']).replace('"metadata":{},"outputs"', '"metadata":{"x":2.0},"outputs"'));
    mergeNotebook(doc, base, after.notebook);
    const merged = readNotebook(doc);
    assert.match(writeNotebook(merged, literalsFor(after, merged)), /"x": 2\.0/);
  });

  it('whose ids were all made anew stays what it was', () => {
    const base = notebook([code('a', 'x = 1'), code('b', 'y = 2')]);
    const again = notebook([code('c', 'x = 1'), code('d', 'y = 22')]);
    const { notebook: result, changed } = merged(base, base, again);
    assert.deepEqual(
      result.cells.map((cell) => [cell.id, cell.source]),
      [
        ['a', 'x = 1'],
        ['b', 'y = 22'],
      ],
    );
    assert.equal(changed, true);
  });
});

describe('a notebook that was changed here and on disk (M4, M6 to M9)', () => {
  const base = notebook([code('a', 'one\ntwo\nthree'), code('b', 'b'), code('c', 'c')], { metadata: { k: { x: 1, y: 1 }, gone: 1 } });
  const [a, b, c] = base.cells as [Cell, Cell, Cell];

  it('takes both: different cells, different lines of one, cells put in at one place', () => {
    const ours = notebook([code('a', 'ONE\ntwo\nthree'), b, code('o', 'ours'), c]);
    const theirs = notebook([code('a', 'one\ntwo\nTHREE'), b, code('t', 'theirs'), code('c', 'C')]);
    const result = merged(base, ours, theirs);
    assert.deepEqual(result.cells, ['ONE\ntwo\nTHREE', 'b', 'ours', 'theirs', 'C']);
    assert.deepEqual(result.conflicts, []);
  });

  it('keeps theirs in a cell below ours, where both changed the same lines', () => {
    const ours = notebook([code('a', 'ours\ntwo\nthree'), b, c]);
    const theirs = notebook([code('a', 'theirs\ntwo\nTHREE', { metadata: { tags: [] } }), b, c]);
    const { cells, notebook: result, conflicts } = merged(base, ours, theirs);
    assert.deepEqual(cells, ['ours\ntwo\nTHREE', 'theirs\ntwo\nTHREE', 'b', 'c']);
    assert.deepEqual(result.cells[1]?.metadata, { tags: [], bindery: { conflict: 'disk' } });
    assert.deepEqual(conflicts, [{ place: 'source', cell: 'a', copy: result.cells[1]?.id }]);
  });

  it('keeps a cell that one took out and the other changed; one that was only run again goes', () => {
    assert.deepEqual(merged(base, notebook([b, c]), notebook([code('a', 'A'), b, c])).cells, ['A', 'b', 'c']);
    assert.deepEqual(merged(base, notebook([code('a', 'A'), b, c]), notebook([b, c])).cells, ['A', 'b', 'c']);
    assert.deepEqual(merged(base, notebook([b, c]), base).cells, ['b', 'c']);
    const run = notebook([{ ...a, outputs: [stream('1')], executionCount: 1 }, b, c]);
    assert.deepEqual(merged(base, run, notebook([b, c])).cells, ['b', 'c']);
  });

  it('moves what either moved; where both did, ours counts', () => {
    const list = sources(['A', 'B', 'C', 'D']);
    assert.deepEqual(merged(list, sources(['A', 'B', 'O', 'C', 'D']), sources(['D', 'A', 'T', 'B', 'C'])).cells, [
      'D',
      'A',
      'T',
      'B',
      'O',
      'C',
    ]);
    assert.deepEqual(merged(list, sources(['D', 'A', 'B', 'C']), sources(['A', 'B', 'C', 'D', 'T'])).cells, ['D', 'T', 'A', 'B', 'C']);
    assert.deepEqual(merged(list, sources(['B', 'A', 'C', 'D']), sources(['A', 'B', 'D', 'C'])).cells, ['B', 'A', 'C', 'D']);
  });

  it('merges metadata by key, and tells what of theirs it did not take', () => {
    const before = notebook(base.cells, { metadata: { ...base.metadata, constructor: 1 } });
    const ours = notebook(base.cells, { metadata: { k: { x: 2, y: 1 }, gone: 1, ours: 1, constructor: 1 }, extra: { e: 1 } });
    const theirs = notebook(base.cells, { metadata: { k: { x: 3, y: 3 }, theirs: 1 }, extra: { e: 2, f: 3 } });
    const { notebook: result, conflicts } = merged(before, ours, theirs);
    assert.deepEqual(result.metadata, { k: { x: 2, y: 3 }, ours: 1, theirs: 1 });
    assert.deepEqual(result.extra, { e: 1, f: 3 });
    assert.deepEqual(conflicts, [
      { place: 'metadata/k/x', theirs: 3 },
      { place: 'e', theirs: 2 },
    ]);
  });

  it('keeps the trust of this machine, which no file has', () => {
    const doc = filled(notebook([{ ...a, metadata: { trusted: true } }, b, c]));
    merge(doc, notebook([{ ...a, metadata: { trusted: true } }, b, c]), notebook([a, b, code('c', 'C')]));
    assert.deepEqual(readNotebook(doc).cells[0]?.metadata, { trusted: true });
  });

  it('keeps the outputs of ours where both ran a cell, together with their count', () => {
    const ran = (text: string, count: number): Notebook => notebook([{ ...a, outputs: [stream(text)], executionCount: count }, b, c]);
    const { notebook: result, conflicts } = merged(base, ran('ours', 3), ran('theirs', 2));
    assert.deepEqual([result.cells[0]?.outputs, result.cells[0]?.executionCount, conflicts], [[stream('ours')], 3, []]);
  });

  it('of which nobody knows the base: keeps what either has', () => {
    const ours = notebook([code('a', 'same'), code('x', 'only ours'), code('d', 'ours')], { metadata: { k: 1, o: 1 } });
    const theirs = notebook([code('a', 'same'), code('y', 'only theirs'), code('d', 'theirs')], { metadata: { k: 2, t: 1 } });
    const { cells, notebook: result, conflicts } = merged(undefined, ours, theirs);
    assert.deepEqual(cells, ['same', 'only ours', 'only theirs', 'ours', 'theirs']);
    assert.deepEqual(result.metadata, { k: 1, o: 1, t: 1 });
    assert.deepEqual(
      conflicts.map((conflict) => conflict.place),
      ['metadata/k', 'source'],
    );
  });

  it('gives no cell the id of another', () => {
    const doc = filled(notebook([a, b]));
    cellsOf(doc).push([sharedCell(code('a', 'twice')), 'no cell']);
    merge(doc, notebook([a, b]), notebook([a, code('b', 'B'), code('a-2', 'theirs')]));
    const { cells } = readNotebook(doc);
    assert.equal(new Set(cells.map((cell) => cell.id)).size, cells.length);
    assert.deepEqual(new Set(cells.map((cell) => cell.source)), new Set([a.source, 'B', 'twice', 'theirs']));
  });

  it('mends what others made of a document, where it touches it', () => {
    const doc = filled(base);
    const cell = cellsOf(doc).get(0) as Y.Map<unknown>;
    cell.set('source', 'plain');
    cell.set('metadata', 1);
    cell.set('outputs', {});
    metaOf(doc).set('metadata', 'none');
    const theirs = notebook([code('a', 'plain', { metadata: { x: 1 }, outputs: [display('1')] }), b, c], { metadata: { k: 1 } });
    merge(doc, notebook([code('a', 'plain'), b, c]), theirs);
    assert.deepEqual(readNotebook(doc), theirs);
  });
});

describe('whatever both did (M9)', () => {
  type Edit = {
    readonly kind: 'line' | 'cut' | 'cell' | 'out' | 'move' | 'run' | 'type' | 'tag';
    readonly at: number;
    readonly to: number;
  };
  const edit: fc.Arbitrary<Edit> = fc.record({
    kind: fc.constantFrom('line', 'cut', 'cell', 'out', 'move', 'run', 'type', 'tag'),
    at: fc.nat({ max: 20 }),
    to: fc.nat({ max: 20 }),
  });
  const start = notebook(Array.from({ length: 5 }, (_none, index) => code(`c${index}`, `c${index}.0\nc${index}.1\nc${index}.2`)));

  /** A version of a notebook in which every line that was put in is unlike all others. */
  function edited(before: Notebook, edits: readonly Edit[], name: string): Notebook {
    const cells = [...before.cells];
    for (const [count, { kind, at, to }] of edits.entries()) {
      const index = at % Math.max(1, cells.length);
      const cell = cells[index];
      if (kind === 'cell') cells.splice(at % (cells.length + 1), 0, code(`${name}-cell-${count}`, `${name}${count}`));
      if (!cell) continue;
      const lines = cell.source.split('\n');
      if (kind === 'line') lines.splice(to % (lines.length + 1), 0, `${name}${count}`);
      if (kind === 'cut') lines.splice(to % lines.length, 1);
      if (kind === 'line' || kind === 'cut') cells[index] = { ...cell, source: lines.join('\n') };
      if (kind === 'out') cells.splice(index, 1);
      if (kind === 'move') cells.splice(to % cells.length, 0, ...cells.splice(index, 1));
      if (kind === 'run' && cell.type === 'code') cells[index] = { ...cell, outputs: [stream(`${name}${count}`)], executionCount: count };
      if (kind === 'type' && cell.type === 'code') cells[index] = { ...cell, type: 'raw', outputs: [], executionCount: null };
      if (kind === 'tag') cells[index] = { ...cell, metadata: { ...cell.metadata, [`${name}${to % 3}`]: count } };
    }
    return notebook(cells);
  }
  const edits = fc.array(edit, { maxLength: 10 });
  const linesOf = ({ cells }: Notebook): string[] => cells.flatMap((cell) => cell.source.split('\n')).filter((line) => line !== '');

  it('loses no line that one put in, nor one that neither took out', () => {
    fc.assert(
      fc.property(edits, edits, fc.boolean(), (mine, other, isKnown) => {
        const [ours, theirs] = [edited(start, mine, 'o'), edited(start, other, 't')];
        const { notebook: result, conflicts } = merged(isKnown ? start : undefined, ours, theirs);
        const [found, all] = [new Set(linesOf(result)), new Set(linesOf(start))];
        const isInBoth = (line: string): boolean => linesOf(ours).includes(line) && linesOf(theirs).includes(line);
        for (const line of [...linesOf(ours), ...linesOf(theirs)]) {
          if (!isKnown || !all.has(line) || isInBoth(line)) assert.ok(found.has(line), `${line} is gone`);
        }
        const ids = new Set(result.cells.map((cell) => cell.id));
        for (const cell of [...ours.cells, ...theirs.cells])
          if (!cell.id.startsWith('c') && cell.source !== '') assert.ok(ids.has(cell.id), cell.id);
        const copies = new Set(conflicts.map((conflict) => conflict.copy));
        const lines = linesOf(notebook(result.cells.filter((cell) => !copies.has(cell.id))));
        assert.equal(new Set(lines).size, lines.length, 'nothing is in it twice');
      }),
      { numRuns: 400 },
    );
  });

  it('nor does it where the file has no ids, each time that it is read', () => {
    let read = 0;
    const anew = (file: Notebook): Notebook =>
      notebook(
        file.cells.map((each) => ({ ...each, id: `read-${read++}` })),
        { minor: 4 },
      );
    fc.assert(
      fc.property(edits, edits, (mine, other) => {
        const [ours, theirs] = [edited(start, mine, 'o'), edited(start, other, 't')];
        const doc = filled({ ...ours, minor: 4 });
        mergeNotebook(doc, anew(start), anew(theirs));
        const result = readNotebook(doc);
        const found = new Set(linesOf(result));
        const isInBoth = (line: string): boolean => linesOf(ours).includes(line) && linesOf(theirs).includes(line);
        for (const line of [...linesOf(ours), ...linesOf(theirs)]) {
          if (!linesOf(start).includes(line) || isInBoth(line)) assert.ok(found.has(line), `${line} is gone`);
        }
        assert.equal(mergeNotebook(doc, anew(theirs), anew(theirs)).changed, false);
        assert.deepEqual(readNotebook(doc), result);
      }),
      { numRuns: 300 },
    );
  });

  it('is to the letter what the one said who alone did something', () => {
    fc.assert(
      fc.property(edits, (changes) => {
        const changed = edited(start, changes, 'x');
        const fresh = (cell: Cell): Cell => ({ ...cell, id: '' });
        assert.deepEqual(merged(start, start, changed).notebook.cells.map(fresh), changed.cells.map(fresh));
        assert.deepEqual(merged(start, changed, start).changed, false);
        assert.deepEqual(merged(start, changed, changed).changed, false);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps what another writes at the same time, in a cell that stays', () => {
    const calm = edits.map((list) => list.filter(({ kind }) => kind !== 'out' && kind !== 'move' && kind !== 'type'));
    fc.assert(
      fc.property(calm, calm, fc.nat({ max: 4 }), fc.nat({ max: 8 }), (mine, other, at, to) => {
        const ours = edited(start, mine, 'o');
        const [doc, remote] = [filled(ours), new Y.Doc()];
        Y.applyUpdate(remote, Y.encodeStateAsUpdate(doc));
        const cells = cellsOf(remote).toArray() as Y.Map<unknown>[];
        const source = cells.find((cell) => cell.get('id') === `c${at}`)?.get('source') as Y.Text;
        source.insert(Math.min(to, source.length), '[late]');
        mergeNotebook(doc, start, edited(start, other, 't'));
        for (const [from, into] of [
          [doc, remote],
          [remote, doc],
        ] as const)
          Y.applyUpdate(into, Y.encodeStateAsUpdate(from));
        assert.deepEqual(readNotebook(remote), readNotebook(doc));
        assert.equal(linesOf(readNotebook(doc)).filter((line) => line.includes('[late]')).length, 1);
      }),
      { numRuns: 200 },
    );
  });

  it('is done with large notebooks too', () => {
    const large = notebook(Array.from({ length: 2000 }, (_none, index) => code(`c${index}`, `x = ${index}\n`.repeat(20))));
    const reversed = notebook(large.cells.toReversed().map((cell) => ({ ...cell, id: `new-${cell.id}` })));
    assert.equal(merged(large, large, reversed).cells[0], reversed.cells[0]?.source);
  });
});

it('the heaviest of all rises is found', () => {
  const numbers = fc.uniqueArray(fc.nat({ max: 50 }), { maxLength: 9 });
  fc.assert(
    fc.property(numbers, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 51, maxLength: 51 }), (list, weights) => {
      const weight = (number: number): number => weights[number] as number;
      const sum = (each: Iterable<number>): number => [...each].reduce((total, number) => total + weight(number), 0);
      const rise = heaviestRise(list, weight);
      const inOrder = list.filter((number) => rise.has(number));
      assert.deepEqual(
        inOrder,
        [...inOrder].sort((a, b) => a - b),
      );
      let best = 0;
      for (let choice = 0; choice < 2 ** list.length; choice++) {
        const chosen = list.filter((_number, index) => (choice >> index) % 2 === 1);
        if (chosen.every((number, index) => index === 0 || number > (chosen[index - 1] as number))) best = Math.max(best, sum(chosen));
      }
      assert.equal(sum(rise), best);
    }),
    { numRuns: 100 },
  );
});
