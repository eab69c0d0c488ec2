import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { DEEPEST, type Json, type JsonObject } from '../json.ts';
import { parseNotebook, writeNotebook } from './nbformat.ts';
import { without, type Cell, type Notebook } from './notebook.ts';
import { splitLines } from './python-text.ts';
import { cellsOf, fillNotebook, metaOf, readNotebook, sharedCell } from './shared-notebook.ts';

const codeCell = { cell_type: 'code', id: 'a', metadata: {}, source: [], outputs: [], execution_count: null };
const file = (cells: unknown[], more: object = {}): string =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells, ...more });
const read = (cells: unknown[], more: object = {}): Notebook => parseNotebook(file(cells, more)).notebook;
const first = (cell: object, more: object = {}): Cell => read([{ ...codeCell, ...cell }], more).cells[0] as Cell;
/** Through a document, its bytes, and another document. */
function shared(notebook: Notebook): Notebook {
  const [mine, theirs] = [new Y.Doc(), new Y.Doc()];
  fillNotebook(mine, notebook);
  Y.applyUpdate(theirs, Y.encodeStateAsUpdate(mine));
  return readNotebook(theirs);
}

/** Plain objects: a generated one without a prototype is equal to none that was parsed. */
function record<T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}
const key = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((name) => name !== '__proto__');
const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' }).map((value) => JSON.parse(JSON.stringify(value, clean)) as Json);
function clean(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([name]) => name !== '__proto__'))
    : value;
}
const object = fc.dictionary(key, json, { maxKeys: 3, noNullPrototype: true }) as fc.Arbitrary<JsonObject>;
const text = fc
  .array(fc.constantFrom('x = 1', '\n', '\r\n', '\r', '\u2028', '\u001d', 'é', '😀', '', ' '), { maxLength: 8 })
  .map((each) => each.join(''));
const bundle = fc.dictionary(fc.constantFrom('text/plain', 'image/svg+xml', 'image/png', 'application/x'), text, {
  maxKeys: 3,
  noNullPrototype: true,
});
const output = fc.oneof(
  record({ output_type: fc.constant('stream'), name: fc.constantFrom('stdout', 'stderr'), text }),
  record({ output_type: fc.constantFrom('display_data', 'execute_result'), data: bundle, metadata: object, transient: object }),
  record({ output_type: fc.constant('error'), ename: text, evalue: text, traceback: fc.array(text, { maxLength: 3 }) }),
) as fc.Arbitrary<JsonObject>;
const cell = record({
  type: fc.constantFrom('code', 'markdown', 'raw'),
  source: text,
  metadata: object.map((each) => without(each, new Set(['trusted']))),
  attachments: fc.dictionary(key, bundle, { maxKeys: 2, noNullPrototype: true }),
  outputs: fc.array(output, { maxLength: 3 }),
  executionCount: fc.option(fc.nat(), { nil: null }),
}).map(({ attachments, ...rest }) => {
  const isCode = rest.type === 'code';
  return { ...rest, ...(isCode ? {} : { attachments, outputs: [], executionCount: null }), extra: { unheard: [1, 'of'] } };
});
const notebooks = record({ metadata: object, cells: fc.array(cell, { maxLength: 5 }) }).map(({ metadata, cells }): Notebook => ({
  minor: 5,
  metadata,
  cells: cells.map((each, index) => ({ id: `cell-${index}`, ...each })) as Cell[],
  extra: { also: { unheard: 'of' } },
}));

describe('notebook files', () => {
  it('come back as they were, through file and shared form, whatever is in them', () => {
    fc.assert(
      fc.property(notebooks, (notebook) => {
        const written = writeNotebook(notebook);
        const { notebook: again } = parseNotebook(written);
        assert.deepEqual(again, notebook);
        assert.deepEqual(shared(notebook), notebook);
        assert.equal(writeNotebook(shared(again)), written);
      }),
      { numRuns: 150 },
    );
  });

  it('are written byte for byte as nbformat does', () => {
    const files = globSync('examples/*/index.ipynb');
    assert.ok(files.length > 10);
    for (const name of files) {
      const before = readFileSync(name, 'utf8');
      const { notebook, literals } = parseNotebook(before);
      assert.equal(writeNotebook(shared(notebook), literals), before, name);
    }
  });

  it('sort their keys by code point, numbers among them as text', () => {
    const written = writeNotebook(read([], { metadata: { '\u{10000}': 1, '\ufb01': 2, é: 3, 10: 4, 2: 5, Z: [], a: {} } }));
    const keys = [...written.matchAll(/^ {2}"(.+?)":/gmu)].map((match) => match[1]);
    assert.deepEqual(keys, ['10', '2', 'Z', 'a', 'é', '\ufb01', '\u{10000}']);
    assert.match(written, /"Z": \[\],\n {2}"a": \{\},\n/);
  });

  it('cut lines where Python does', () => {
    const cut: [string, string[]][] = [
      ['', []],
      ['a', ['a']],
      ['a\n', ['a\n']],
      ['a\n\nb', ['a\n', '\n', 'b']],
      ['a\r\nb\rc', ['a\r\n', 'b\r', 'c']],
      ['a\u2028b\u0085c\u001cd\fe\v', ['a\u2028', 'b\u0085', 'c\u001c', 'd\f', 'e\v']],
      ['\n\r', ['\n', '\r']],
      ['😀\n😀', ['😀\n', '😀']],
    ];
    for (const [whole, lines] of cut) assert.deepEqual(splitLines(whole), lines, JSON.stringify(whole));
  });
});

describe('numbers', () => {
  const numbers = '{"a": 1.0, "b": {"c": [1e5, 12345678901234567890, -0, 0.10]}, "d": 1, "e": 2.5}';
  const withNumbers = `{"nbformat": 4, "nbformat_minor": 5, "metadata": ${numbers}, "cells": [${JSON.stringify(codeCell).replace(
    '"outputs":[]',
    '"outputs":[{"output_type":"display_data","metadata":{},"data":{"application/json":{"x":3.0},"text/plain":["x: 3.0"]}}]',
  )}]}`;

  it('that JavaScript would write otherwise keep their text', () => {
    const { notebook, literals } = parseNotebook(withNumbers);
    assert.equal(notebook.metadata['a'], 1);
    const written = writeNotebook(shared(notebook), literals).replaceAll(/\s+/g, '');
    assert.ok(written.includes(numbers.replaceAll(' ', '')), written);
    assert.ok(written.includes('{"x":3.0}'));
  });

  it('keep it in attachments too, beside text that is cut into lines', () => {
    const attachments = '{"a.json":{"application/json":{"x":1.0},"text/plain":["1.0\\n","2"]},"b":{"image/png":"QQ==","x":7.0}}';
    const { notebook, literals } = parseNotebook(
      file([]).replace('[]', `[{"cell_type":"markdown","id":"m","source":[],"metadata":{},"attachments":${attachments}}]`),
    );
    const written = writeNotebook(shared(notebook), literals).replaceAll(/\s+/g, '');
    assert.ok(written.includes(`"attachments":${attachments}`), written);
  });

  it('lose it when the part that they stand in was changed', () => {
    const { notebook, literals } = parseNotebook(withNumbers);
    const written = writeNotebook({ ...notebook, metadata: { ...notebook.metadata, a: 2, b: { c: [1e5] } } }, literals);
    assert.match(written, /"a": 2,/);
    assert.match(written, /100000\n/);
    assert.match(written, /"x": 3\.0/);
  });

  it('that look like one in a string stay where they are', () => {
    assert.equal(first({ source: ['x = [1.0, 2]: 3e4'] }).source, 'x = [1.0, 2]: 3e4');
  });
});

describe('edges of nbformat', () => {
  it('joins lines, but in JSON types', () => {
    const data = { 'text/html': ['<b>', '</b>'], 'application/json': ['a', 'b'], 'application/x+json': ['a'], 'image/png': ['QQ', '=='] };
    const { outputs } = first({ outputs: [{ output_type: 'execute_result', data, metadata: {}, execution_count: 1 }] });
    assert.deepEqual(outputs[0]?.['data'], { ...data, 'text/html': '<b></b>', 'image/png': 'QQ==' });
    const stream = first({ outputs: [{ output_type: 'stream', name: 'stdout', text: ['a\n', 'b\n'] }] });
    assert.equal(stream.outputs[0]?.['text'], 'a\nb\n');
  });

  it('keeps the lines of a traceback apart', () => {
    const { outputs } = first({ outputs: [{ output_type: 'error', ename: 'E', evalue: '', traceback: ['one', 'two'] }] });
    assert.deepEqual(outputs[0]?.['traceback'], ['one', 'two']);
  });

  for (const minor of [0, 1, 2, 3, 4, 5, 6]) {
    it(`writes ids from 4.5 on: 4.${minor}`, () => {
      const notebook = read([{ ...codeCell, id: undefined }], { nbformat_minor: minor });
      assert.match(notebook.cells[0]?.id ?? '', /^[0-9a-f-]{36}$/);
      const written = writeNotebook(notebook);
      assert.equal(written.includes('"id"'), minor >= 5);
      assert.equal(written.includes(`"nbformat_minor": ${minor}`), true);
    });
  }

  it('repairs ids that are doubled or unfit, the same way each time', () => {
    const ids = ['a', 'a', 'a-2', 'a', 'ä b', 'x'.repeat(70), ''];
    const repaired = (): string[] => read(ids.map((id) => ({ ...codeCell, id }))).cells.map((cell) => cell.id);
    const once = repaired();
    assert.deepEqual(once.slice(0, 6), ['a', 'a-3', 'a-2', 'a-4', '__b-2', `${'x'.repeat(56)}-2`]);
    assert.equal(new Set(once).size, ids.length);
    assert.deepEqual(repaired().slice(0, 6), once.slice(0, 6));
  });

  it('drops what belongs to one machine or one run: trust, signatures, the state of an execution', () => {
    const notebook = read([{ ...codeCell, metadata: { trusted: true, kept: 1 }, execution_state: 'busy' }], {
      metadata: { signature: 's', orig_nbformat: 3, orig_nbformat_minor: 0, kept: 2 },
    });
    const written = JSON.parse(writeNotebook(notebook)) as { metadata: unknown; cells: { metadata: unknown; execution_state?: unknown }[] };
    assert.deepEqual(written.metadata, { kept: 2 });
    assert.deepEqual(written.cells[0]?.metadata, { kept: 1 });
    assert.equal(written.cells[0]?.execution_state, undefined);
  });

  it('keeps fields it does not know, also where another type of cell has a use for the name', () => {
    const notebook = read([{ cell_type: 'markdown', id: 'm', metadata: {}, source: 'x', outputs: [1], execution_count: 'y' }], {
      worksheets: [0],
    });
    const written = JSON.parse(writeNotebook(shared(notebook))) as {
      worksheets: unknown;
      cells: { outputs: unknown; execution_count: unknown }[];
    };
    assert.deepEqual(written.worksheets, [0]);
    assert.deepEqual([written.cells[0]?.outputs, written.cells[0]?.execution_count], [[1], 'y']);
  });

  it('takes what no peer could hold for what they can', () => {
    const hostile = file([{ ...codeCell, metadata: 0 }]).replace(
      '"metadata":0',
      '"metadata":{"__proto__":{"polluted":1},"half":"\\ud800","a":1}',
    );
    const { metadata } = parseNotebook(hostile).notebook.cells[0] as Cell;
    assert.deepEqual(Object.keys(metadata), ['half', 'a']);
    assert.equal(metadata['half'], '\ufffd');
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  const refused: [string, string][] = [
    ['text that is no JSON', '{'],
    ['numbers that are no JSON', file([]).replace('{}', '{"a":NaN}')],
    ['a list', '[]'],
    ['nothing', 'null'],
    ['an old format', '{"nbformat":3,"worksheets":[]}'],
    ['a minor version that is none', file([], { nbformat_minor: '5' })],
    ['metadata that are none', file([], { metadata: [] })],
    ['cells that are none', file([], { cells: {} })],
    ['a cell that is none', file([1])],
    ['a cell without a type', file([{ ...codeCell, cell_type: undefined }])],
    ['a source that is none', file([{ ...codeCell, source: [1] }])],
    ['outputs that are none', file([{ ...codeCell, outputs: [null] }])],
    ['attachments that are none', file([{ ...codeCell, attachments: 'x' }])],
    ['a nest of lists', file([{ ...codeCell, metadata: { x: 0 } }]).replace('"x":0', `"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
  ];
  for (const [what, text] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parseNotebook(text),
        (error) => error instanceof BinderyError && error.code === 'notebook_invalid',
      );
    });
  }
});

describe('the shared form', () => {
  it('is that of @jupyter/ydoc 2.0.0', () => {
    const doc = new Y.Doc();
    const stream = { output_type: 'stream', name: 'stdout', text: 'hi\n' };
    fillNotebook(
      doc,
      read([
        { ...codeCell, source: 'print()', outputs: [stream] },
        { cell_type: 'markdown', id: 'm', metadata: {}, source: '' },
      ]),
    );
    assert.deepEqual(metaOf(doc).toJSON(), { nbformat: 4, nbformat_minor: 5, metadata: {} });
    assert.ok(metaOf(doc).get('metadata') instanceof Y.Map);
    const [code, markdown] = cellsOf(doc).toArray() as [Y.Map<unknown>, Y.Map<unknown>];
    assert.ok(code.get('source') instanceof Y.Text && code.get('metadata') instanceof Y.Map && code.get('outputs') instanceof Y.Array);
    const shared = (code.get('outputs') as Y.Array<Y.Map<unknown>>).get(0);
    assert.ok(shared.get('text') instanceof Y.Text);
    assert.deepEqual(code.toJSON(), {
      id: 'a',
      cell_type: 'code',
      source: 'print()',
      metadata: {},
      outputs: [stream],
      execution_count: null,
      execution_state: 'idle',
    });
    assert.deepEqual(markdown.toJSON(), { id: 'm', cell_type: 'markdown', source: '', metadata: {} });
  });

  it('is never filled twice', () => {
    const doc = new Y.Doc();
    fillNotebook(doc, read([codeCell]));
    assert.throws(() => fillNotebook(doc, read([codeCell])), /already/);
  });

  it('of anything at all is read as a notebook that a file can hold', () => {
    const doc = new Y.Doc();
    const cells = cellsOf(doc);
    const odd = new Y.Map<unknown>();
    cells.push([1, null, 'x', { id: 'plain' }, new Y.Text('no cell'), odd, new Y.Map([['cell_type', 7]])]);
    odd.set('cell_type', 'code');
    odd.set('id', { not: 'an id' });
    odd.set('source', new Y.XmlFragment());
    odd.set('outputs', Y.Array.from<never>([1, new Uint8Array(3), { output_type: 'stream', text: ['a', 1, 'b'] }] as never[]));
    odd.set('execution_count', Number.NaN);
    odd.set('metadata', 'none');
    metaOf(doc).set('nbformat_minor', -1);
    metaOf(doc).set('metadata', 12n);
    cells.push([sharedCell(first({})), sharedCell(first({}))]);
    const notebook = readNotebook(doc);
    assert.deepEqual(
      notebook.cells.map((cell) => [cell.type, cell.source, cell.outputs.length]),
      [
        ['code', '', 1],
        ['raw', '', 0],
        ['code', '', 0],
        ['code', '', 0],
      ],
    );
    assert.equal(notebook.cells[0]?.outputs[0]?.['text'], 'ab');
    assert.deepEqual(
      notebook.cells.slice(2).map((cell) => cell.id),
      ['a', 'a-2'],
    );
    assert.deepEqual(parseNotebook(writeNotebook(notebook)).notebook, notebook);
  });

  it('nested without end is cut off', () => {
    const doc = new Y.Doc();
    fillNotebook(doc, read([codeCell]));
    let nest: Json = 1;
    for (let depth = 0; depth < DEEPEST * 2; depth++) nest = [nest];
    (metaOf(doc).get('metadata') as Y.Map<unknown>).set('bomb', nest);
    parseNotebook(writeNotebook(readNotebook(doc)));
  });
});
