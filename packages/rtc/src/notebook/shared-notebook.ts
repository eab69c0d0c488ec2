import * as Y from 'yjs';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { jsonOf, sharedMap } from '../shared-json.ts';
import { CellIds, cellFields, executionCount, NOTEBOOK_FIELDS, without, type Cell, type Notebook } from './notebook.ts';

/**
 * The shared form of a notebook is that of `@jupyter/ydoc`, document version 2.0.0, so that a stock JupyterLab shares it. Roots: `meta` (map:
 * `nbformat`, `nbformat_minor`, `metadata` as a map), `cells` (array of maps: `id`, `cell_type`, `source` as text, `metadata` as a map; code
 * cells `outputs` as an array of maps, `execution_count`, `execution_state`; others perhaps `attachments`) and `state`. The text of a stream
 * is a shared text. Fields that nbformat does not know lie beside the known ones, where JupyterLab leaves them alone.
 */
export function cellsOf(doc: Y.Doc): Y.Array<unknown> {
  return doc.getArray('cells');
}

export function metaOf(doc: Y.Doc): Y.Map<unknown> {
  return doc.getMap('meta');
}

/** Fills an empty document. Throws when there is something in it: two histories of one notebook must never be merged. */
export function fillNotebook(doc: Y.Doc, notebook: Notebook): void {
  const [meta, cells] = [metaOf(doc), cellsOf(doc)];
  if (meta.size > 0 || cells.length > 0) throw new Error('The document holds a notebook already.');
  doc.transact(() => {
    for (const [name, value] of Object.entries(notebook.extra)) meta.set(name, value);
    meta.set('nbformat', 4);
    meta.set('nbformat_minor', notebook.minor);
    meta.set('metadata', sharedMap(notebook.metadata));
    cells.push(notebook.cells.map(sharedCell));
  });
}

/** A cell in the shared form, to be put into the list of cells. */
export function sharedCell(cell: Cell): Y.Map<unknown> {
  const map = sharedMap(cell.extra);
  map.set('id', cell.id);
  map.set('cell_type', cell.type);
  map.set('source', new Y.Text(cell.source));
  map.set('metadata', sharedMap(cell.metadata));
  if (cell.attachments) map.set('attachments', cell.attachments);
  if (cell.type !== 'code') return map;
  map.set('outputs', Y.Array.from(cell.outputs.map(sharedOutput)));
  map.set('execution_count', cell.executionCount);
  map.set('execution_state', 'idle');
  return map;
}

/** An output of nbformat (strings in one piece) in the shared form. */
export function sharedOutput(output: JsonObject): Y.Map<unknown> {
  const map = sharedMap(output);
  const text = output['text'];
  if (output['output_type'] === 'stream' && typeof text === 'string') map.set('text', new Y.Text(text));
  return map;
}

/**
 * The notebook that a document holds now. Whatever others wrote, it is one that a file can hold: what is no cell is left out, ids are unique, a
 * field of the wrong kind counts as missing.
 */
export function readNotebook(doc: Y.Doc): Notebook {
  const meta = jsonOf(metaOf(doc)) as JsonObject;
  const minor = meta['nbformat_minor'];
  const cells = cellsOf(doc)
    .toArray()
    .filter((each) => each instanceof Y.Map)
    .map((each) => jsonOf(each) as JsonObject);
  const ids = new CellIds(
    cells.map((cell) => cell['id']),
    () => crypto.randomUUID(),
  );
  return {
    minor: typeof minor === 'number' && Number.isInteger(minor) && minor >= 0 ? minor : 5,
    metadata: objectOr(meta['metadata']),
    cells: cells.map((cell) => cellFrom(cell, ids.next(cell['id']))),
    extra: without(meta, NOTEBOOK_FIELDS),
  };
}

function objectOr(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function cellFrom(cell: JsonObject, id: string): Cell {
  const type = typeof cell['cell_type'] === 'string' ? cell['cell_type'] : 'raw';
  const { source, attachments, outputs } = cell;
  const isCode = type === 'code';
  return {
    id,
    type,
    source: typeof source === 'string' ? source : '',
    metadata: objectOr(cell['metadata']),
    ...(isObject(attachments) ? { attachments } : {}),
    outputs: isCode && Array.isArray(outputs) ? outputs.filter(isObject).map(outputFrom) : [],
    executionCount: isCode ? executionCount(cell['execution_count']) : null,
    extra: without(cell, cellFields(type)),
  };
}

/** Some writers of the shared form keep a stream's text as a list of pieces. */
function outputFrom(output: JsonObject): JsonObject {
  const text = output['text'];
  if (output['output_type'] !== 'stream' || !Array.isArray(text)) return output;
  return { ...output, text: text.filter((piece) => typeof piece === 'string').join('') };
}
