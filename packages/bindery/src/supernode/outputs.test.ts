import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { fillNotebook, readNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';
import { jsonOf } from '@bindery/rtc/shared-json.ts';
import { until } from '../../../../test/fakes/until.ts';
import { wholeOutput } from './big-values.ts';
import { FolderBlobs } from './blobs.ts';
import { Displays } from './displays.ts';
import { inCell, inRecord } from './output-place.ts';
import { Outputs } from './outputs.ts';

const folder = await mkdtemp(join(tmpdir(), 'outputs-'));
after(() => rm(folder, { recursive: true }));
const blobs = new FolderBlobs(folder, (digest) => `http://here/blobs/${digest}`);

const CELL = { type: 'code', source: '', metadata: {}, outputs: [], executionCount: null, extra: {} };

/** A document with two code cells, and how many bytes its updates have. */
class Stage {
  readonly doc = new Y.Doc();
  readonly displays = new Displays();
  bytes = 0;
  edits = 0;

  constructor() {
    fillNotebook(this.doc, { minor: 5, metadata: {}, extra: {}, cells: ['a', 'b'].map((id) => ({ ...CELL, id })) });
    this.doc.on('update', (update: Uint8Array) => {
      this.bytes += update.length;
      this.edits += 1;
    });
  }

  list(cell = 0): Y.Array<unknown> {
    return (this.doc.getArray('cells').get(cell) as Y.Map<unknown>).get('outputs') as Y.Array<unknown>;
  }

  outputs(cell = 0): Outputs {
    return new Outputs({
      place: () => inCell(this.list(cell)),
      edit: async (body) => this.doc.transact(body, 'server'),
      failed: (error) => assert.fail(error),
      displays: this.displays,
      blobs,
    });
  }

  shown(cell = 0): readonly JsonObject[] {
    return readNotebook(this.doc).cells[cell]?.outputs ?? [];
  }
}

const stream = (text: string, name = 'stdout'): [string, JsonObject] => ['stream', { name, text }];
const display = (text: string, id?: string): [string, JsonObject] => [
  'display_data',
  { data: { 'text/plain': text }, metadata: {}, ...(id === undefined ? {} : { transient: { display_id: id } }) },
];
const textOf = (output: JsonObject = {}): string => output['text'] as string;
const dataOf = (output: JsonObject = {}): JsonObject => output['data'] as JsonObject;
const end = (outputs: Outputs): Promise<void> => outputs.end(() => undefined);

async function shownAfter(...messages: readonly [string, JsonObject][]): Promise<readonly JsonObject[]> {
  const stage = new Stage();
  const outputs = stage.outputs();
  for (const message of messages) outputs.take(...message);
  await end(outputs);
  return stage.shown();
}

describe('outputs', () => {
  it('X2.3 joins what comes of one stream, until something else comes', async () => {
    assert.deepEqual(await shownAfter(stream('a'), stream('b\n'), stream('!', 'stderr'), stream('c'), display('d'), stream('e')), [
      { output_type: 'stream', name: 'stdout', text: 'ab\n' },
      { output_type: 'stream', name: 'stderr', text: '!' },
      { output_type: 'stream', name: 'stdout', text: 'c' },
      { output_type: 'display_data', data: { 'text/plain': 'd' }, metadata: {} },
      { output_type: 'stream', name: 'stdout', text: 'e' },
    ]);
  });

  it('X2.3 is the same however it is cut and whenever it is written', async () => {
    const pieces = fc.array(fc.constantFrom('a', '\n', '\r', 'bc', '\b', '😀'), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.boolean(), { maxLength: 30 }), async (pieces, pauses) => {
        const stage = new Stage();
        const outputs = stage.outputs();
        for (const [index, piece] of pieces.entries()) {
          outputs.take(...stream(piece));
          if (pauses[index] && index < 3) await new Promise((resolve) => setImmediate(resolve));
        }
        await end(outputs);
        assert.deepEqual(stage.shown(), await shownAfter(...(pieces.length === 0 ? [] : [stream(pieces.join(''))])));
      }),
      { numRuns: 100 },
    );
  });

  it('X2.4 writes the first piece at once and what follows a little later', async () => {
    const stage = new Stage();
    const outputs = stage.outputs();
    outputs.take(...stream('first\n'));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stage.shown().length, 1);
    const before = stage.edits;
    for (let count = 0; count < 1000; count++) outputs.take(...stream('more\n'));
    await until('the rest', () => textOf(stage.shown()[0]).length === 6 + 5000);
    assert.equal(stage.edits - before, 1);
    await end(outputs);
  });

  it('X2.5 clears at once, or when something comes', async () => {
    const clear = (wait: boolean): [string, JsonObject] => ['clear_output', { wait }];
    assert.deepEqual(await shownAfter(stream('a'), clear(false)), []);
    assert.deepEqual((await shownAfter(stream('a'), clear(true))).length, 1);
    assert.deepEqual(await shownAfter(stream('a'), clear(true), stream('b')), [{ output_type: 'stream', name: 'stdout', text: 'b' }]);
    const stage = new Stage();
    const outputs = stage.outputs();
    outputs.take(...stream('a'));
    await until('it is there', () => stage.shown().length === 1);
    outputs.take(...clear(true));
    outputs.take(...display('b'));
    await end(outputs);
    assert.deepEqual(
      stage.shown().map((output) => output['output_type']),
      ['display_data'],
    );
  });

  it('X2.6 changes what has a display id, in every cell, also in one that was moved', async () => {
    const stage = new Stage();
    const [first, second] = [stage.outputs(0), stage.outputs(1)];
    for (const outputs of [first, second]) outputs.take(...display('old', 'x'));
    await until('they are there', () => stage.shown(0).length === 1 && stage.shown(1).length === 1);
    // As JupyterLab moves a cell: it is deleted, and a copy put elsewhere.
    stage.doc.transact(() => {
      const cells = stage.doc.getArray<Y.Map<unknown>>('cells');
      const copy = cells.get(0).clone();
      cells.delete(0);
      cells.push([copy]);
    });
    const moved = stage.outputs(1);
    moved.take('update_display_data', { data: { 'text/plain': 'new' }, metadata: {}, transient: { display_id: 'x' } });
    await end(moved);
    assert.deepEqual(
      [0, 1].map((cell) => dataOf(stage.shown(cell)[0])['text/plain']),
      ['new', 'old'],
    );
    await Promise.all([end(first), end(second)]);
  });

  it('X2.7 goes on where somebody cleared, or moved the cell', async () => {
    const stage = new Stage();
    const outputs = stage.outputs(0);
    outputs.take(...stream('one\ntwo'));
    await until('it is there', () => stage.shown().length === 1);
    stage.doc.transact(() => {
      const cells = stage.doc.getArray<Y.Map<unknown>>('cells');
      const copy = cells.get(0).clone();
      cells.delete(0);
      cells.insert(0, [copy]);
    });
    outputs.take(...stream('!\nthree'));
    await until('it goes on', () => stage.shown()[0]?.['text'] === 'one\ntwo!\nthree');
    stage.doc.transact(() => stage.list().delete(0, 1));
    outputs.take(...stream('\rX'));
    await end(outputs);
    assert.deepEqual(stage.shown(), [{ output_type: 'stream', name: 'stdout', text: 'Xhree' }]);
  });

  it('X2.8 keeps lists of strings as one, other types as they are, and what is no JSON away', async () => {
    const data = { 'text/html': ['<b>', 'x</b>'], 'application/vnd.x+json': { list: ['a', 'b'] }, 'text/plain': '\ud800' };
    const [shown] = await shownAfter(['execute_result', { data, metadata: {}, execution_count: 3 }]);
    assert.deepEqual(shown, {
      output_type: 'execute_result',
      execution_count: 3,
      metadata: {},
      data: { 'text/html': '<b>x</b>', 'application/vnd.x+json': { list: ['a', 'b'] }, 'text/plain': '\ufffd' },
    });
  });

  it('X2.9 leaves the ends of a text that is too long, and a link to all of it', async () => {
    const stage = new Stage();
    const outputs = stage.outputs();
    const lines = Array.from({ length: 400_000 }, (_, line) => `line ${line}\n`);
    for (let from = 0; from < lines.length; from += 1000) {
      outputs.take(...stream(lines.slice(from, from + 1000).join('')));
      if (from % 50_000 === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    }
    outputs.take(...display('after'));
    await end(outputs);
    const [output = {}, ...others] = stage.shown();
    assert.deepEqual(others.map(dataOf), [{ 'text/plain': 'after' }]);
    const text = output['text'] as string;
    assert.ok(text.length < 200_000, String(text.length));
    assert.ok(text.startsWith('line 0\nline 1\n') && text.endsWith('line 399999\n'));
    assert.match(text, /\[\d+ characters are left out here; all of it: http:\/\/here\/blobs\/[0-9a-f]{64}\]\nline/);
    assert.deepEqual(wholeOutput(output, blobs), { output_type: 'stream', name: 'stdout', text: lines.join('') });
  });

  it('X2.10 keeps big values beside the document, with links that people see', async () => {
    const png = Buffer.alloc(2_000_000, 7).toString('base64');
    const data = { 'image/png': png, 'text/plain': '<Figure>' };
    const [output = {}] = await shownAfter(['display_data', { data, metadata: {} }], stream('after'));
    const shown = output['data'] as JsonObject;
    assert.match(shown['text/html'] as string, /^<img src="http:\/\/here\/blobs\/[0-9a-f]{64}" alt="image\/png">$/);
    assert.match(shown['text/plain'] as string, /^<Figure>\n\[image\/png, 1\.9 MB: http/);
    assert.deepEqual(wholeOutput(output, blobs), { output_type: 'display_data', data, metadata: {} });
    const { digest } = ((output['blobs'] as JsonObject)['values'] as JsonObject)['image/png'] as { digest: string };
    assert.equal((await blobs.read(digest))?.mime, 'image/png');
    assert.equal(await blobs.read('../x'), undefined);
  });

  it('X2.11 leaves the first and the last of very many outputs', async () => {
    const stage = new Stage();
    const outputs = stage.outputs();
    for (let count = 0; count < 5000; count++) {
      outputs.take(...display(String(count)));
      if (count === 1500) await until('some are there', () => stage.shown().length > 0);
    }
    await end(outputs);
    const shown = stage.shown();
    assert.equal(shown.length, 1000);
    assert.deepEqual(shown[900], { output_type: 'stream', name: 'stderr', text: '[4001 outputs are left out here]\n' });
    assert.deepEqual(dataOf(shown.at(-1))['text/plain'], '4999');
  });

  it('X2.12 shows what has no cell in its record', async () => {
    const doc = new Y.Doc();
    const list = doc.getArray('displays');
    const outputs = new Outputs({
      place: () => inRecord(list),
      edit: async (body) => doc.transact(body),
      failed: (error) => assert.fail(error),
      displays: new Displays(),
      blobs,
    });
    for (const message of [stream('a'), stream('b', 'stderr'), display('c', 'x')]) outputs.take(...message);
    await end(outputs);
    assert.deepEqual(jsonOf(list), [
      { type: 'stream', name: 'stdout', text: 'a' },
      { type: 'stream', name: 'stderr', text: 'b' },
      { type: 'data', data: { 'text/plain': 'c' }, metadata: {}, displayId: 'x' },
    ]);
  });

  it('X2.13 costs little: a bar of 100,000 steps 2 % of what appending costs, 100,000 prints a tenth more than their text', async (t) => {
    const written = async (pieces: readonly string[]): Promise<Stage> => {
      const stage = new Stage();
      const outputs = stage.outputs();
      for (const [index, piece] of pieces.entries()) {
        outputs.take(...stream(piece));
        if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await end(outputs);
      return stage;
    };
    const count = Array.from({ length: 100_000 }, (_, step) => step);
    const bar = count.map((step) => `\r${String(step / 1000).padStart(6)}% |${'#'.repeat(step / 2000).padEnd(50)}| ${step}/100000`);
    const naive = new Stage();
    const text = new Y.Text();
    naive.doc.getMap('naive').set('text', text);
    // A part of them is enough: every piece costs the same.
    for (const piece of bar.slice(0, 2000)) text.insert(text.length, piece);
    const folded = await written(bar);
    const prints = count.map((step) => `line ${step}\n`);
    const printed = await written(prints);
    const figures = { bar: folded.bytes / (naive.bytes * 50), prints: printed.bytes / prints.join('').length };
    t.diagnostic(`update bytes: bar ${folded.bytes} of ${naive.bytes * 50}, prints ${printed.bytes} of ${prints.join('').length}`);
    assert.ok(figures.bar <= 0.02 && figures.prints <= 1.1, JSON.stringify(figures));
  });
});
