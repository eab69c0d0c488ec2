import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { z } from 'zod';
import { parseNotebook, writeNotebook } from '../notebook/nbformat.ts';
import { fillNotebook, readNotebook } from '../notebook/shared-notebook.ts';
import { openLocal } from '../room/local.ts';
import { boolean, difference, list, map, number, register, string, text } from './fields.ts';
import { FILE, FILE_TABLES, FOLDER_TABLES, TEXT_TABLES } from './files.ts';
import { NOTEBOOK_TABLES, SERVER_TABLES } from './jupyter.ts';
import { defineTable, openTables, type Transact } from './table.ts';

const TABLES = {
  things: defineTable({
    done: boolean(),
    count: number(),
    name: string(),
    state: register(z.union([z.null(), z.object({ at: z.string() })]), null),
    tags: list(z.string()),
    marks: map(z.number()),
    body: text(),
  }),
};
const open = () => {
  const room = openLocal({ tables: TABLES });
  return { ...room, things: room.tables.things };
};
const plain: Transact = (body) => body();
/** Lets two documents have what the other has. */
function meet(a: Y.Doc, b: Y.Doc): void {
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a));
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b));
}

describe('a table', () => {
  it('has records of every kind of field', () => {
    const { things } = open();
    const id = things.create({ name: 'a', tags: ['x'], marks: { m: 1 }, body: 'hello' });
    assert.deepEqual(things.get(id), { done: false, count: 0, name: 'a', state: null, tags: ['x'], marks: { m: 1 }, body: 'hello' });
    things.update(id, { done: true, count: 2.5, state: { at: 'now' }, tags: { index: 0, remove: 1, values: ['y', 'z'] } });
    things.update(id, {
      marks: { m: undefined, n: 2 },
      body: [
        { index: 5, text: '!' },
        { index: 0, remove: 1, text: 'J' },
      ],
    });
    assert.deepEqual(things.get(id), {
      done: true,
      count: 2.5,
      name: 'a',
      state: { at: 'now' },
      tags: ['y', 'z'],
      marks: { n: 2 },
      body: 'Jello!',
    });
    assert.ok(things.delete(id));
    assert.equal(things.get(id), undefined);
    assert.equal(things.delete(id), false);
  });

  it('gives the same snapshot until the record changes, and tells only those whom it concerns', () => {
    const { things } = open();
    const [a, b] = [things.create({ name: 'a' }), things.create({ name: 'b' })];
    const told: string[] = [];
    const stops = [
      things.record(a).subscribe(() => told.push('a')),
      things.record(b).subscribe(() => told.push('b')),
      things.ids.subscribe(() => told.push('ids')),
      things.records.subscribe(() => told.push('records')),
    ];
    const [before, other, all] = [things.get(a), things.get(b), things.records.get()];
    assert.equal(things.get(a), before);
    assert.equal(things.records.get(), all);
    things.update(a, { body: 'x' });
    assert.deepEqual(told, ['records', 'a']);
    assert.notEqual(things.get(a), before);
    assert.equal(things.get(b), other);
    assert.deepEqual(
      things.records.get().map(({ id, body }) => [id, body]),
      [
        [a, 'x'],
        [b, ''],
      ],
    );
    for (const stop of stops) stop();
    for (const stop of stops) stop();
    things.create({});
    assert.equal(told.length, 2);
  });

  it('shows in a transaction what was written in it', () => {
    const { things, transact } = open();
    transact(() => {
      const id = things.create({ name: 'a' });
      assert.deepEqual(things.ids.get(), [id]);
      things.update(id, { name: 'b' });
      assert.equal(things.get(id)?.name, 'b');
      things.delete(id);
      assert.deepEqual(things.ids.get(), []);
    });
  });

  it('refuses what does not fit, with nothing changed', () => {
    const { things } = open();
    const id = things.create({ name: 'a', body: 'text', tags: ['x'] });
    const wrong: [string, () => void][] = [
      ['a value of another kind', () => things.update(id, { count: 'x' as unknown as number })],
      ['a field that there is not', () => things.update(id, { nope: 1 } as object)],
      ['a record that there is not', () => things.update('nobody', { count: 1 })],
      ['a second record of the same id', () => things.create({}, { id })],
      ['an edit behind the end', () => things.update(id, { name: 'changed', body: { index: 5, text: 'x' } })],
      ['an edit before the beginning', () => things.update(id, { tags: { index: -1, values: ['x'] } })],
      ['more removed than there is', () => things.update(id, { tags: { index: 0, remove: 2 } })],
      ['a text that is none', () => void things.text(id, 'name')],
      ['a new record that does not fit', () => things.create({ tags: [1] as unknown as string[] })],
    ];
    for (const [what, attempt] of wrong) {
      assert.throws(attempt, Error, what);
      assert.equal(things.get(id)?.name, 'a', what);
      assert.deepEqual(things.ids.get(), [id], what);
    }
  });

  it('reads anything that others wrote', () => {
    const { things, doc } = open();
    const rows = doc.getMap<unknown>('table:things');
    rows.set('number', 1);
    rows.set(
      'odd',
      new Y.Map<unknown>([
        ['name', 7],
        ['tags', 'x'],
        ['marks', [1]],
        ['body', new Y.Map()],
        ['count', Number.NaN],
      ]),
    );
    rows.set(
      'part',
      new Y.Map<unknown>([
        ['tags', Y.Array.from<string>(['a', 1, null] as string[])],
        [
          'marks',
          new Y.Map<unknown>([
            ['a', 1],
            ['b', 'x'],
          ]),
        ],
      ]),
    );
    assert.deepEqual(things.ids.get(), ['odd', 'part']);
    assert.deepEqual(things.get('odd'), { done: false, count: 0, name: '', state: null, tags: [], marks: {}, body: '' });
    assert.deepEqual([things.get('part')?.tags, things.get('part')?.marks], [['a'], { a: 1 }]);
    things.update('odd', { tags: { index: 0, values: ['mended'] }, body: 'mended' });
    assert.deepEqual([things.get('odd')?.tags, things.get('odd')?.body], [['mended'], 'mended']);
  });

  it('holds one record when two make it at the same time, whole', () => {
    const [a, b] = [open(), open()];
    a.things.getOrCreate('one', () => ({ name: 'a', body: 'from a' }));
    b.things.getOrCreate('one', () => ({ name: 'b', body: 'from b' }));
    meet(a.doc, b.doc);
    const record = a.things.get('one');
    assert.deepEqual(b.things.get('one'), record);
    assert.equal(record?.body, `from ${record?.name}`);
    assert.equal(
      a.things.getOrCreate('one', () => assert.fail('there is one')),
      record,
    );
  });

  it('keeps what several write at once', () => {
    const [a, b] = [open(), open()];
    a.things.create({ body: 'middle', tags: ['m'] }, { id: 'x' });
    meet(a.doc, b.doc);
    a.things.update('x', { body: 'first, middle', tags: { index: 0, values: ['a'] }, marks: { a: 1 }, name: 'a' });
    b.things.update('x', { body: 'middle, last', tags: { index: 1, values: ['b'] }, marks: { b: 2 }, count: 3 });
    meet(a.doc, b.doc);
    const both = a.things.get('x');
    assert.deepEqual(b.things.get('x'), both);
    assert.deepEqual([both?.body, both?.tags, both?.marks], ['first, middle, last', ['a', 'm', 'b'], { a: 1, b: 2 }]);
    assert.deepEqual([both?.name, both?.count], ['a', 3]);
  });
});

describe('the edit between two texts', () => {
  it('makes the one of the other and cuts no pair', () => {
    const unit = fc.constantFrom('a', 'b', '😀', '😁', '\n');
    const texts = fc.array(unit, { maxLength: 8 }).map((units) => units.join(''));
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const { index, remove, text: added } = difference(before, after);
        assert.equal(before.slice(0, index) + added + before.slice(index + remove), after);
        assert.ok(added.isWellFormed() && before.slice(index, index + remove).isWellFormed());
        if (before === after) assert.deepEqual([remove, added], [0, '']);
      }),
    );
  });
});

describe('the tables of Jupyter', () => {
  it('start with what their fields say, and hold what they are for', () => {
    const { tables } = openLocal({ tables: SERVER_TABLES });
    for (const table of Object.values(tables)) assert.ok(table.get(table.create()));
    const id = tables.sessions.create({ path: 'a.ipynb' });
    assert.deepEqual(tables.sessions.get(id)?.state, { label: 'pending', kernel: { name: '' } });
    tables.sessions.update(id, { state: { label: 'created', kernelId: 'k' } });
    assert.throws(() => tables.kernels.create({ status: 'asleep' }), TypeError);
  });

  it('of files and folders are there for each, and hold what is known', () => {
    const { tables } = openLocal({ tables: { ...FOLDER_TABLES, ...FILE_TABLES } });
    for (const table of Object.values(tables)) assert.ok(table.get(table.create()));
    const id = tables.contents.create({ name: 'a', size: 3 });
    assert.deepEqual([tables.contents.get(id)?.size, tables.contents.get(id)?.mimetype, tables.contents.get(id)?.error], [3, null, '']);
    tables.contents.update(id, { mimetype: 'text/plain', size: null });
    assert.deepEqual([tables.contents.get(id)?.size, tables.contents.get(id)?.mimetype], [null, 'text/plain']);
    tables.folders.update(tables.folders.ids.get()[0] ?? '', { content: { index: 0, values: ['a', 'b'] } });
    assert.throws(() => tables.operations.create({ kind: 'chmod' }), TypeError);
  });

  it('show a text that JupyterLab shares', () => {
    const room = openLocal({ tables: TEXT_TABLES });
    const { text_content: texts } = room.tables;
    const told: string[] = [];
    texts.record(FILE).subscribe(() => told.push(texts.get(FILE)?.content ?? ''));
    room.doc.getText('source').insert(0, 'one');
    texts.update(FILE, { content: 'one, two' });
    assert.equal(room.doc.getText('source').toJSON(), 'one, two');
    assert.equal(texts.text(FILE, 'content'), room.doc.getText('source'));
    assert.deepEqual([told, texts.ids.get()], [['one', 'one, two'], [FILE]]);
    assert.throws(() => texts.create({}), /belongs to the document/);
    assert.throws(() => texts.delete(FILE), /belongs to the document/);
  });

  it('show a notebook that JupyterLab shares, in its order', () => {
    const room = openLocal({ tables: NOTEBOOK_TABLES });
    const { cells, notebooks, executions } = room.tables;
    assert.deepEqual(notebooks.ids.get(), []);
    const cell = {
      cell_type: 'code',
      id: 'a',
      metadata: { m: 1 },
      source: 'x',
      outputs: [{ output_type: 'stream', name: 'stdout', text: 'o' }],
    };
    const file = {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { a: 1 },
      cells: [cell, { cell_type: 'markdown', id: 'b', metadata: {}, source: '' }],
    };
    fillNotebook(room.doc, parseNotebook(JSON.stringify(file)).notebook);
    assert.deepEqual(notebooks.get('notebook'), { nbformat: 4, nbformatMinor: 5, metadata: { a: 1 } });
    assert.deepEqual(cells.ids.get(), ['a', 'b']);
    assert.deepEqual(cells.get('a')?.outputs, cell.outputs);
    const told: string[] = [];
    cells.record('a').subscribe(() => told.push('a'));
    cells.record('b').subscribe(() => told.push('b'));
    cells.update('b', { text: '# Title', metadata: { tag: 'x' } });
    assert.deepEqual(told, ['b']);
    cells.create({ type: 'markdown', text: 'between' }, { id: 'c', at: 1 });
    cells.create({ text: '1 + 1' }, { id: 'd' });
    cells.update('d', { execution: executions.create({ code: '1 + 1' }) });
    const written = JSON.parse(writeNotebook(readNotebook(room.doc))) as { cells: object[] };
    assert.deepEqual(written.cells.slice(1), [
      { cell_type: 'markdown', id: 'c', metadata: {}, source: ['between'] },
      { cell_type: 'markdown', id: 'b', metadata: { tag: 'x' }, source: ['# Title'] },
      { cell_type: 'code', id: 'd', metadata: {}, source: ['1 + 1'], outputs: [], execution_count: null },
    ]);
    cells.delete('c');
    assert.deepEqual(cells.ids.get(), ['a', 'b', 'd']);
    assert.throws(() => notebooks.create({}), /belongs to the document/);
  });

  it('take the first of two cells with one id', () => {
    const doc = new Y.Doc();
    const { cells } = openTables(doc, { cells: NOTEBOOK_TABLES.cells }, plain);
    const twin = (source: string): Y.Map<unknown> =>
      new Y.Map<unknown>([
        ['id', 'x'],
        ['source', new Y.Text(source)],
      ]);
    doc.getArray('cells').push([twin('first'), 1, twin('second')]);
    assert.deepEqual(cells.ids.get(), ['x']);
    cells.update('x', { text: 'first of all' });
    assert.equal(cells.get('x')?.text, 'first of all');
    assert.equal(cells.delete('x'), true);
    assert.deepEqual(cells.ids.get(), []);
  });
});
