import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { keepLateEdits } from './late-edits.ts';
import { mergeNotebook } from './merge.ts';
import type { Cell, Notebook } from './notebook.ts';
import { cellsOf, fillNotebook, readNotebook } from './shared-notebook.ts';

function notebook(...sources: string[]): Notebook {
  const cells = sources.map((source): Cell => {
    return { id: source.slice(0, 1), type: 'code', source, metadata: {}, outputs: [], executionCount: null, extra: {} };
  });
  return { minor: 5, metadata: {}, cells, extra: {} };
}

/** A server that keeps late edits, and others who have the same. */
function started(content: Notebook, others: number): { server: Y.Doc; docs: Y.Doc[]; end: () => void } {
  const server = new Y.Doc();
  fillNotebook(server, content);
  const docs = Array.from({ length: others }, () => new Y.Doc());
  for (const doc of docs) Y.applyUpdate(doc, Y.encodeStateAsUpdate(server));
  return { server, docs, end: keepLateEdits(server) };
}
/** A server that begins anew with what another one had, collecting garbage as the relay does (its rule O3). */
function again(before: Y.Doc): { server: Y.Doc; end: () => void } {
  const server = new Y.Doc({ gc: false });
  Y.applyUpdate(server, Y.encodeStateAsUpdate(before));
  const end = keepLateEdits(server);
  server.gc = true;
  Y.tryGc(Y.createDeleteSetFromStructStore(server.store), server.store, server.gcFilter);
  return { server, end };
}
function sync(server: Y.Doc, ...docs: Y.Doc[]): void {
  for (const doc of docs) Y.applyUpdate(server, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server)));
  for (const doc of docs) Y.applyUpdate(doc, Y.encodeStateAsUpdate(server, Y.encodeStateVector(doc)));
}
function sourceOf(doc: Y.Doc, id: string): Y.Text {
  return (cellsOf(doc).toArray() as Y.Map<unknown>[]).find((cell) => cell.get('id') === id)?.get('source') as Y.Text;
}
/** As JupyterLab moves: out, and a copy in. */
function move(doc: Y.Doc, from: number, to: number): void {
  const cells = cellsOf(doc);
  doc.transact(() => {
    const copy = (cells.get(from) as Y.Map<unknown>).clone();
    cells.delete(from);
    cells.insert(to, [copy]);
  });
}
const said = (doc: Y.Doc): string[] => readNotebook(doc).cells.map((cell) => cell.source);

describe('what is written into a cell while it is moved (M6)', () => {
  it('by a merge with the file: is in the cell, at its place', () => {
    const base = notebook('a: one two', 'b', 'c');
    const { server, docs, end } = started(base, 1);
    const [writer] = docs as [Y.Doc];
    sourceOf(writer, 'a').insert(6, ' and a half');
    sourceOf(writer, 'a').insert(sourceOf(writer, 'a').length, ' three');
    sourceOf(writer, 'a').insert(0, '# ');
    mergeNotebook(server, base, notebook('b', 'c', 'a: one two'));
    sync(server, writer);
    for (const doc of [server, writer]) assert.deepEqual(said(doc), ['b', 'c', '# a: one and a half two three']);
    end();
  });

  it('by somebody, by several, and in a cell that is moved again', () => {
    const { server, docs, end } = started(notebook('a12', 'b', 'c'), 4);
    const [mover, again, one, two] = docs as [Y.Doc, Y.Doc, Y.Doc, Y.Doc];
    sourceOf(one, 'a').insert(2, 'x');
    sourceOf(one, 'a').insert(3, 'y');
    sourceOf(two, 'a').insert(3, 'z');
    move(mover, 0, 2);
    sync(server, mover);
    sync(server, again);
    move(again, 2, 0);
    sync(server, one);
    sync(server, again);
    sync(server, two, one, mover, again);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc), ['a1xy2z', 'b', 'c']);
    end();
  });

  it('a cell that two moved at the same time stands there once, with what is written into either copy', () => {
    const { server, docs, end } = started(notebook('a12', 'b', 'c'), 2);
    const [one, two] = docs as [Y.Doc, Y.Doc];
    move(one, 0, 2);
    move(two, 0, 1);
    sync(server, one);
    for (const doc of docs) Y.applyUpdate(server, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server)));
    // They have not heard yet which copy stays.
    sourceOf(one, 'a').insert(3, 'x');
    sourceOf(two, 'a').insert(1, 'y');
    sync(server, one, two);
    sync(server, one, two);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc), ['b', 'c', 'ay12x']);
    // Nor twice, where one of them had not heard yet of what somebody wrote.
    sourceOf(one, 'c').insert(1, 'X');
    sync(server, one);
    move(one, 1, 0);
    move(two, 1, 2);
    sync(server, one);
    sync(server, two);
    sourceOf(two, 'c').insert(0, 'Y');
    sync(server, two, one);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc), ['YcX', 'b', 'ay12x']);
    move(one, 0, 1);
    sync(server, one, two);
    // Of two that say different things both stay.
    move(one, 0, 2);
    sourceOf(two, 'b').insert(1, '!');
    move(two, 0, 1);
    sync(server, one);
    sourceOf(server, 'b').insert(1, '?');
    sync(server, two);
    sync(server, one, two);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc).toSorted(), ['YcX', 'ay12x', 'b!', 'b?']);
    end();
  });

  it('is kept of the last moves, and what was kept of earlier ones is gone', () => {
    const { server, docs, end } = started(notebook('a unmistakable', 'b'), 2);
    const [mover, writer] = docs as [Y.Doc, Y.Doc];
    sourceOf(writer, 'a').insert(1, 'x');
    move(mover, 0, 1);
    sync(server, mover);
    const timesSaid = (): number => Buffer.from(Y.encodeStateAsUpdate(server)).toString('latin1').split('unmistakable').length - 1;
    assert.equal(timesSaid(), 2);
    for (let times = 0; times < 100; times++) move(server, 0, 0);
    assert.equal(timesSaid(), 1);
    sync(server, writer, mover);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc), ['b', 'a unmistakable']);
    end();
  });

  it('M10 is kept by a server that began anew, from what is in the document', () => {
    const { docs, ...first } = started(notebook('a12', 'b', 'c'), 3);
    let { server, end } = first;
    const [mover, one, two] = docs as [Y.Doc, Y.Doc, Y.Doc];
    sourceOf(one, 'a').insert(2, 'x');
    sourceOf(two, 'a').insert(3, 'y');
    move(mover, 0, 2);
    sync(server, mover);
    for (const doc of [one, two]) doc.gc = false;
    sync(server, one);
    move(one, 2, 1);
    sourceOf(one, 'a').delete(0, 1);
    sync(server, one);
    end();
    // Twice, so that what is left over is what was kept.
    for (let times = 0; times < 2; times++) {
      ({ server, end } = again(server));
      if (times === 1) {
        sourceOf(two, 'a').insert(0, 'z');
        sync(server, two, mover);
        for (const doc of [server, two, mover]) assert.deepEqual(said(doc), ['b', 'z1x2y', 'c']);
      }
      end();
    }
  });

  it('and by who moves it, stays; what they took out stays out', () => {
    const { server, docs, end } = started(notebook('a12345', 'b'), 2);
    const [mover, writer] = docs as [Y.Doc, Y.Doc];
    sourceOf(writer, 'a').insert(6, 'late');
    sourceOf(mover, 'a').insert(1, 'mine');
    sourceOf(mover, 'a').delete(2, 2);
    move(mover, 0, 1);
    sourceOf(mover, 'a').insert(0, '#');
    sync(server, mover);
    sync(server, writer, mover);
    for (const doc of [server, ...docs]) assert.deepEqual(said(doc), ['b', '#ame12345late']);
    end();
  });

  it('whatever is done by whom and when, all letters are there once and all have the same', () => {
    const step = fc.record({
      who: fc.nat(2),
      kind: fc.constantFrom('write', 'move', 'sync', 'merge', 'begin anew'),
      cell: fc.nat(2),
      at: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const { docs, ...first } = started(notebook('a..', 'b..', 'c..'), 3);
        let { server, end } = first;
        let count = 0;
        const written: string[] = [];
        for (const { who, kind, cell, at } of steps) {
          const doc = docs[who] as Y.Doc;
          if (kind === 'write') {
            const text = (cellsOf(doc).get(cell) as Y.Map<unknown>).get('source') as Y.Text;
            const piece = String.fromCodePoint(0x4e00 + count++);
            written.push(piece);
            text.insert(at % (text.length + 1), piece);
          } else if (kind === 'sync') sync(server, doc);
          else if (kind === 'move') {
            // Two who move one cell at the same time make two of it, as ever: one at a time does, from what the server has.
            sync(server, doc);
            move(doc, cell, at % 3);
            sync(server, doc);
          } else if (kind === 'begin anew') {
            end();
            ({ server, end } = again(server));
          } else {
            const now = readNotebook(server);
            mergeNotebook(server, now, { ...now, cells: [...now.cells.slice(1), ...now.cells.slice(0, 1)] });
          }
        }
        for (let round = 0; round < 2; round++) sync(server, ...docs);
        for (const doc of docs) assert.deepEqual(said(doc), said(server));
        const all = said(server).join('');
        for (const piece of written) assert.equal(all.split(piece).length, 2, `${piece} is there ${all.split(piece).length - 1} times`);
        end();
      }),
      { numRuns: 300 },
    );
  });
});
