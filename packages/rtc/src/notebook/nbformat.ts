import { BinderyError } from '@bindery/wire/errors.ts';
import { isObject, portable, type Json, type JsonObject } from '../json.ts';
import { holdsLiteral, parseExact, rounded, type Exact } from './literal.ts';
import { CellIds, cellFields, executionCount, MINOR_WITH_IDS, NOTEBOOK_FIELDS, without, type Cell, type Notebook } from './notebook.ts';
import { pythonText, splitLines } from './python-text.ts';

/**
 * The parts of a file whose numbers JavaScript would write otherwise (`1.0`, long integers): where they stand, what they say to JavaScript, and
 * what the file said. A part that is still the same when the notebook is written is written as it was.
 */
export type Literals = ReadonlyMap<string, readonly { readonly plain: string; readonly exact: Exact }[]>;

export interface NotebookFile {
  readonly notebook: Notebook;
  /** For `writeNotebook`. */
  readonly literals: Literals;
}

function invalid(message: string, cause?: unknown): BinderyError {
  return new BinderyError('notebook_invalid', message, { cause });
}

/**
 * Reads the text of a notebook file (nbformat 4.0 and later). Lists of lines become one string; a cell without an id, or with one that another
 * has, gets one. Throws `notebook_invalid`.
 */
export function parseNotebook(text: string, newId: () => string = () => crypto.randomUUID()): NotebookFile {
  let exact: Exact;
  try {
    exact = parseExact(text);
  } catch (error) {
    throw invalid(`The notebook is not valid JSON: ${(error as Error).message}`, error);
  }
  return notebookFrom(exact, newId);
}

/** The same for a notebook that is a part of another text, such as an answer of the Contents API. Throws `notebook_invalid`. */
export function notebookFrom(exact: Exact, newId: () => string = () => crypto.randomUUID()): NotebookFile {
  const literals = new Map<string, { plain: string; exact: Exact }[]>();
  const notebook = fromFile(exact, newId, (place, part) => {
    if (!holdsLiteral(part)) return;
    const known = literals.get(place) ?? [];
    literals.set(place, [...known, { plain: JSON.stringify(portable(rounded(part))), exact: part }]);
  });
  return { notebook, literals };
}

/** The same parts for cells that have other ids in the notebook that is to be written. */
export function literalsOf(literals: Literals, cellIds: ReadonlyMap<string, string>): Literals {
  const renamed = [...literals].map(([place, parts]): [string, typeof parts] => {
    const [list = '', id = '', ...rest] = place.split('/');
    return [list === 'cells' ? [list, cellIds.get(id) ?? id, ...rest].join('/') : place, parts];
  });
  return new Map(renamed);
}

/** Tells a part of the file, by its place, to whoever keeps the literals. */
type Note = (place: string, part: Exact) => void;

function fromFile(exact: Exact, newId: () => string, note: Note): Notebook {
  const file = portable(rounded(exact));
  if (!isObject(file)) throw invalid('The notebook is not a JSON object.');
  if (file['nbformat'] !== 4)
    throw invalid(`The notebook's format is ${JSON.stringify(file['nbformat'] ?? null)}; only nbformat 4 can be shared.`);
  const minor = file['nbformat_minor'] ?? 0;
  if (typeof minor !== 'number' || !Number.isInteger(minor) || minor < 0) throw invalid("The notebook's nbformat_minor is no number.");
  const { metadata = {}, cells = [] } = file;
  if (!isObject(metadata)) throw invalid("The notebook's metadata is no object.");
  if (!Array.isArray(cells)) throw invalid("The notebook's cells are no list.");
  const list = cells as readonly Json[];
  const ids = new CellIds(
    list.map((cell) => (isObject(cell) ? cell['id'] : undefined)),
    newId,
  );
  const raw = exact as { readonly [key: string]: Exact };
  noteFields(raw['metadata'], 'metadata', note);
  noteFields(raw, 'notebook', note, NOTEBOOK_FIELDS);
  const rawCells = (raw['cells'] ?? []) as readonly { readonly [key: string]: Exact }[];
  return {
    minor,
    metadata,
    cells: list.map((each, index) => {
      const cell = cellFromFile(each, index, ids);
      noteCell(cell, rawCells[index] ?? {}, note);
      return cell;
    }),
    extra: without(file, NOTEBOOK_FIELDS),
  };
}

function noteFields(object: Exact | undefined, place: string, note: Note, but: ReadonlySet<string> = new Set()): void {
  if (typeof object !== 'object' || object === null) return;
  for (const [name, part] of Object.entries(object)) if (!but.has(name)) note(`${place}/${name}`, part as Exact);
}

function noteCell(cell: Cell, raw: { readonly [key: string]: Exact }, note: Note): void {
  const place = `cells/${cell.id}`;
  noteFields(raw['metadata'], `${place}/metadata`, note);
  noteFields(raw, `${place}/cell`, note, cellFields(cell.type));
  for (const [name, part] of Object.entries(raw['attachments'] ?? {})) noteFields(part as Exact, `${place}/attachments/${name}`, note);
  for (const output of cell.type === 'code' ? ((raw['outputs'] ?? []) as readonly Exact[]) : []) {
    noteFields(output, `${place}/outputs`, note);
    noteFields((output as { readonly [key: string]: Exact })['data'], `${place}/outputs/data`, note);
  }
}

function cellFromFile(value: Json, index: number, ids: CellIds): Cell {
  const wrong = (what: string): BinderyError => invalid(`Cell ${index + 1} of the notebook ${what}.`);
  if (!isObject(value)) throw wrong('is no object');
  const { cell_type: type, metadata = {}, attachments, outputs = [] } = value;
  if (typeof type !== 'string') throw wrong('has no type');
  if (!isObject(metadata)) throw wrong('has metadata that are no object');
  if (attachments !== undefined && !isObject(attachments)) throw wrong('has attachments that are no object');
  const source = joined(value['source'] ?? '');
  if (typeof source !== 'string') throw wrong('has a source that is neither a string nor a list of strings');
  const isCode = type === 'code';
  if (isCode && !(Array.isArray(outputs) && outputs.every(isObject))) throw wrong('has outputs that are no list of objects');
  return {
    id: ids.next(value['id']),
    type,
    source,
    metadata,
    ...(attachments ? { attachments: mapValues(attachments, (each) => (isObject(each) ? joinBundle(each) : each)) } : {}),
    outputs: isCode ? (outputs as readonly JsonObject[]).map(joinOutput) : [],
    executionCount: isCode ? executionCount(value['execution_count']) : null,
    extra: without(value, cellFields(type)),
  };
}

function mapValues(object: JsonObject, change: (value: Json, name: string) => Json): JsonObject;
function mapValues(object: JsonObject, change: (value: Json, name: string) => Exact): Record<string, Exact>;
function mapValues(object: JsonObject, change: (value: Json, name: string) => Exact): Record<string, Exact> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));
}

/** A list of strings as one string; anything else as it is. */
function joined(value: Json): Json {
  return Array.isArray(value) && value.every((line) => typeof line === 'string') ? value.join('') : value;
}

/** True for the types whose value is JSON, where a list of strings is a list of strings. */
function isJsonType(mime: string): boolean {
  return mime === 'application/json' || (mime.startsWith('application/') && mime.endsWith('+json'));
}

function joinBundle(bundle: JsonObject): JsonObject {
  return mapValues(bundle, (value, mime) => (isJsonType(mime) ? value : joined(value)));
}

/** An output with its lists of strings as one string each. */
export function joinOutput(output: JsonObject): JsonObject {
  const { output_type: type, data, text } = output;
  if (type === 'execute_result' || type === 'display_data') return isObject(data) ? { ...output, data: joinBundle(data) } : output;
  return text === undefined ? output : { ...output, text: joined(text) };
}

/** Text types are cut into lines, as nbformat does, so that a diff of the file shows lines. */
function splitBundle(bundle: JsonObject): JsonObject {
  return mapValues(bundle, (value, mime) => {
    const isText = mime.startsWith('text/') || mime === 'application/javascript' || mime === 'image/svg+xml';
    return isText && typeof value === 'string' ? splitLines(value) : value;
  });
}

function splitOutput(output: JsonObject): JsonObject {
  const { output_type: type, data, text } = output;
  if (type === 'execute_result' || type === 'display_data') return isObject(data) ? { ...output, data: splitBundle(data) } : output;
  return type === 'stream' && typeof text === 'string' ? { ...output, text: splitLines(text) } : output;
}

/** What nbformat never writes: the trust of this machine, and marks of a conversion. */
export const PASSING_NOTEBOOK = new Set(['orig_nbformat', 'orig_nbformat_minor', 'signature']);
export const PASSING_CELL = new Set(['trusted']);

/**
 * The text of a notebook file, byte for byte as Python's nbformat writes it. `literals` are those of the file that the notebook was read from:
 * with them its floats stay floats. `passing` keeps what belongs in no file, but is said to a Jupyter server: which cells are trusted.
 */
export function writeNotebook(
  notebook: Notebook,
  literals: Literals = new Map(),
  passing: 'passing' | 'no passing' = 'no passing',
): string {
  const exactly = (value: Json, place: string): Exact => {
    const known = literals.get(place);
    if (!known) return value;
    const plain = JSON.stringify(value);
    return known.find((part) => part.plain === plain)?.exact ?? value;
  };
  const fields: Fields = (object, place) =>
    Object.fromEntries(Object.entries(object).map(([name, value]) => [name, exactly(value, `${place}/${name}`)]));
  const cells = notebook.cells.map((cell): Exact => {
    const place = `cells/${cell.id}`;
    return {
      ...fields(cell.extra, `${place}/cell`),
      ...(notebook.minor >= MINOR_WITH_IDS ? { id: cell.id } : {}),
      cell_type: cell.type,
      source: splitLines(cell.source),
      metadata: fields(passing === 'passing' ? cell.metadata : without(cell.metadata, PASSING_CELL), `${place}/metadata`),
      ...(cell.attachments
        ? { attachments: mapValues(cell.attachments, (each, name) => writtenBundle(each, `${place}/attachments/${name}`, fields)) }
        : {}),
      ...(cell.type === 'code'
        ? { execution_count: cell.executionCount, outputs: cell.outputs.map((output) => writtenOutput(output, `${place}/outputs`, fields)) }
        : {}),
    };
  });
  const file: Exact = {
    ...fields(notebook.extra, 'notebook'),
    nbformat: 4,
    nbformat_minor: notebook.minor,
    metadata: fields(without(notebook.metadata, PASSING_NOTEBOOK), 'metadata'),
    cells,
  };
  return `${pythonText(file)}\n`;
}

/** Writes the fields of an object that stands at `place`. */
type Fields = (object: JsonObject, place: string) => Record<string, Exact>;

function writtenBundle(bundle: Json, place: string, fields: Fields): Exact {
  return isObject(bundle) ? fields(splitBundle(bundle), place) : bundle;
}

function writtenOutput(output: JsonObject, place: string, fields: Fields): Exact {
  const split = splitOutput(output);
  const { data } = split;
  return { ...fields(split, place), ...(isObject(data) ? { data: fields(data, `${place}/data`) } : {}) };
}
