// Documents that hold what no client of ours writes: GraphQL says of them what can be said, and fails in nothing.
import assert from 'node:assert/strict';
import { execute, parse, type ExecutionResult } from 'graphql';
import { describe, it } from 'node:test';
import * as Y from 'yjs';
import { cellsOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import * as operations from '@bindery/rtc/graphql/operations.gen.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import { Budget } from './budget.ts';
import { CellEdits } from './cell-edits.ts';
import type { Desk } from './desk.ts';
import { queries } from './roots.ts';
import { makeSchema } from './schema.ts';

const schema = makeSchema();

/** A room whose document others have filled. */
function roomOf(fill: (doc: Y.Doc) => void): RelayRoom {
  const doc = new Y.Doc();
  doc.transact(() => fill(doc));
  const room = {
    doc,
    states: [{ user: 'no object' }, { user: { name: 7, color: {} } }, {}],
    edit: async (body: () => void) => doc.transact(body),
  };
  return room as unknown as RelayRoom;
}

async function asked(room: RelayRoom): Promise<ExecutionResult> {
  const desk = {
    role: 'read',
    path: '',
    documentOf: async () => 'json:notebook:id',
    pathOf: () => 'a.ipynb',
    room: async () => room,
    blobUrl: (digest: string) => `/blobs/${digest}`,
  } as unknown as Desk;
  const text = `query { notebook(path: "a") { id name metadata isDirty saveError cellCount executions { id state code outputs { __typename } error { name } }
    questions { id prompt } presence { name color state } cells { metadata attachments sourceHash } } }`;
  const contextValue = { budget: new Budget() };
  const [whole, rest] = [operations.Notebook.text, text].map((query) =>
    execute({ schema, document: parse(query), rootValue: queries(desk), contextValue, variableValues: { path: 'a' } }),
  );
  assert.deepEqual((await rest)?.errors, undefined);
  return whole as Promise<ExecutionResult>;
}

const cell = (fields: object): Y.Map<unknown> => new Y.Map<unknown>(Object.entries({ id: 'a', cell_type: 'code', ...fields }));
const array = (...values: unknown[]): unknown => Y.Array.from(values as object[]);
const DIGEST = 'a'.repeat(64);

const CELLS: Readonly<Record<string, () => Y.Map<unknown>>> = {
  'nothing but an id': () => new Y.Map<unknown>([['id', 'a']]),
  'a source that is no text': () => cell({ source: { no: 'text' } }),
  'a source that is a string': () => cell({ source: 'plain \ud83d' }),
  'fields of other kinds': () =>
    cell({
      cell_type: 7,
      source: new Y.Array(),
      metadata: 'x',
      outputs: 'x',
      execution_count: 1.5,
      execution_state: null,
      attachments: [],
    }),
  'outputs that are none': () => cell({ outputs: array(1, null, 'x', [], {}, { output_type: 'other' }, new Y.Text('x')) }),
  'outputs with nothing in them': () =>
    cell({ outputs: array(...['stream', 'error', 'display_data', 'execute_result'].map((output_type) => ({ output_type }))) }),
  'outputs of other kinds': () =>
    cell({
      outputs: array(
        { output_type: 'stream', name: 1, text: ['a', 2, 'b'], blob: { digest: '../../secret', bytes: -1 } },
        { output_type: 'error', ename: {}, evalue: [], traceback: 'x' },
        {
          output_type: 'display_data',
          data: [],
          metadata: 'x',
          blobs: { values: { 'image/png': { digest: DIGEST, bytes: 'x' }, b: 1 }, plain: 3 },
        },
      ),
    }),
  'an execution that there is not': () => cell({ execution: 'none' }),
  'a name of JavaScript': () => cell({ id: '__proto__', metadata: new Y.Map([['constructor', 1]]), source: new Y.Text('x') }),
};

describe('GraphQL of documents that others made', () => {
  for (const [name, make] of Object.entries(CELLS))
    it(`Q3 Q7 tells of a cell with ${name}`, async () => {
      const room = roomOf((doc) => {
        cellsOf(doc).push([make(), 'no cell', 7, make()]);
        doc.getMap('meta').set('metadata', 'none');
        doc.getMap('state').set('error', {});
        doc.getMap('table:executions').set('x', new Y.Map([['status', 'odd']]));
        doc.getMap('table:executions').set('y', 'no record');
        doc.getMap('table:stdin').set('z', new Y.Map([['prompt', 7]]));
      });
      const { data, errors } = await asked(room);
      assert.equal(errors, undefined);
      const notebook = data?.['notebook'] as { cells: { id: string; source: string }[]; cellCount: number };
      assert.equal(notebook.cellCount, 1);
      assert.ok(notebook.cells[0]?.source.isWellFormed());
      assert.ok(!JSON.stringify(data).includes('secret'));
    });

  it('Q4 writes into a cell whatever its source was', async () => {
    for (const make of Object.values(CELLS)) {
      const room = roomOf((doc) => cellsOf(doc).push([7, make(), make()]));
      const edits = new CellEdits(room);
      const first = cellsOf(room.doc).get(1) as Y.Map<unknown>;
      const id = first.get('id') as string;
      await edits.change(id, { splices: [{ at: 0, remove: 0, text: 'new ' }] });
      assert.match((first.get('source') as Y.Text).toJSON(), /^new /);
      await edits.change(id, { source: 'whole' });
      assert.equal((first.get('source') as Y.Text).toJSON(), 'whole');
      const added = await edits.insert('code', 'x', { after: id });
      await edits.move(id, { after: added });
      await edits.remove(id);
      assert.deepEqual(
        cellsOf(room.doc)
          .toArray()
          .map((row) => (row instanceof Y.Map ? row.get('id') : row)),
        [7, added],
      );
    }
  });
});
