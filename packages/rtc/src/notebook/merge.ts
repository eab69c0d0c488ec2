import * as Y from 'yjs';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { jsonOf, sharedMap } from '../shared-json.ts';
import { CellMatch, matchIds, matchSame, matchVersions } from './cell-match.ts';
import { heaviestRise, inOrder, type Versions } from './cell-order.ts';
import { isSame, mergedObject, mergedValue, own, type Lost } from './json-merge.ts';
import { literalsOf, PASSING_CELL, PASSING_NOTEBOOK, type Literals, type NotebookFile } from './nbformat.ts';
import { cellFields, without, type Cell, type Notebook } from './notebook.ts';
import { cellsOf, fillNotebook, metaOf, readNotebook, sharedCell, sharedOutput } from './shared-notebook.ts';
import { editText, mergedText } from './text-merge.ts';

/** Something that both changed, each in its way: the document says what it said. */
export interface Conflict {
  /** `source`, or the place of a value, as keys joined by `/`: `metadata/kernelspec/name`, `attachments/a.png`. */
  readonly place: string;
  /** In a cell: its id. */
  readonly cell?: string;
  /** The id of the cell below it that holds theirs, for sources. */
  readonly copy?: string;
  /** What of theirs is not in the document; undefined where a copy holds it. */
  readonly theirs?: Json;
}

export interface MergeOutcome {
  /** Whether the document was edited. */
  readonly changed: boolean;
  readonly conflicts: readonly Conflict[];
}

/**
 * Merges a text file that changed on disk into its shared text, inside a transaction of the caller's (rules M of SPEC.md). `base` is what both
 * came from: the file as it was last read or written; undefined if nobody knows. After a conflict the caller keeps theirs beside the file.
 */
export function mergeText(text: Y.Text, base: string | undefined, theirs: string): MergeOutcome {
  const ours = text.toJSON();
  const merged = mergedText(base, ours, theirs.toWellFormed());
  editText(text, merged.text);
  return { changed: merged.text !== ours, conflicts: merged.theirs.map((lines) => ({ place: 'source', theirs: lines })) };
}

/**
 * Merges a notebook file that changed on disk into its shared document, inside a transaction of the caller's (rules M of SPEC.md). `base` is
 * what both came from: the file as it was last read or written; undefined if nobody knows.
 */
export function mergeNotebook(
  doc: Y.Doc,
  base: Notebook | undefined,
  theirs: Notebook,
  newId: () => string = () => crypto.randomUUID(),
): MergeOutcome {
  return doc.transact((transaction) => {
    const before = marks(transaction);
    if (metaOf(doc).size === 0 && cellsOf(doc).length === 0) fillNotebook(doc, theirs);
    const merge = new NotebookMerge(doc, base && lasting(base), lasting(theirs), newId);
    merge.run();
    if (marks(transaction) !== before) merge.repairIds();
    return { changed: marks(transaction) !== before, conflicts: merge.conflicts };
  });
}

/** The literals of a file for what became of its notebook, whose cells may have other ids (M2). */
export function literalsFor({ notebook, literals }: NotebookFile, now: Notebook): Literals {
  if (literals.size === 0) return literals;
  const match = matchVersions(notebook.cells, now.cells);
  const ids = notebook.cells.flatMap(({ id }, index): [string, string][] => {
    const to = match.to(index);
    return to === undefined ? [] : [[id, (now.cells[to] as Cell).id]];
  });
  return literalsOf(literals, new Map(ids));
}

/** Says of two moments of one transaction whether anything was edited between them. */
function marks({ doc, deleteSet }: Y.Transaction): string {
  let deleted = 0;
  for (const items of deleteSet.clients.values()) deleted += items.length;
  return `${Y.getState(doc.store, doc.clientID)} ${deleted}`;
}

/** Without what no file has: its absence says nothing. */
function lasting(notebook: Notebook): Notebook {
  return {
    ...notebook,
    metadata: without(notebook.metadata, PASSING_NOTEBOOK),
    cells: notebook.cells.map((cell) => ({ ...cell, metadata: without(cell.metadata, PASSING_CELL) })),
  };
}

const EMPTY: Notebook = { minor: 0, metadata: {}, cells: [], extra: {} };

/** What is put into the list of cells: one that is in it already, or a new one. */
interface Place {
  readonly index?: number;
  readonly make: () => Y.Map<unknown>;
}

class NotebookMerge {
  readonly conflicts: Conflict[] = [];
  readonly #doc: Y.Doc;
  readonly #base: Notebook;
  readonly #ours: Notebook;
  readonly #theirs: Notebook;
  /** The cells of ours, in their places. */
  readonly #maps: readonly Y.Map<unknown>[];
  readonly #newId: () => string;
  readonly #ids: Set<string>;

  constructor(doc: Y.Doc, base: Notebook | undefined, theirs: Notebook, newId: () => string) {
    this.#doc = doc;
    this.#ours = readNotebook(doc);
    this.#base = base ?? { ...EMPTY, minor: this.#ours.minor };
    this.#theirs = theirs;
    this.#maps = cellsOf(doc)
      .toArray()
      .filter((each) => each instanceof Y.Map);
    this.#newId = newId;
    this.#ids = new Set(this.#ours.cells.map((cell) => cell.id));
  }

  run(): void {
    this.#mergeFields();
    const cells = inOrder(this.#versions().filter((each) => this.#isKept(each)));
    const places = cells.flatMap((each) => this.#placesOf(each));
    this.#arrange(places);
  }

  /** Others may have made two cells with one id. */
  repairIds(): void {
    const ids = readNotebook(this.#doc).cells.map((cell) => cell.id);
    const maps = cellsOf(this.#doc)
      .toArray()
      .filter((each) => each instanceof Y.Map);
    for (const [index, map] of maps.entries()) if (map.get('id') !== ids[index]) map.set('id', ids[index]);
  }

  #mergeFields(): void {
    const [base, ours, theirs, meta] = [this.#base, this.#ours, this.#theirs, metaOf(this.#doc)];
    const minor = theirs.minor === base.minor ? ours.minor : ours.minor === base.minor ? theirs.minor : Math.max(ours.minor, theirs.minor);
    if (minor !== ours.minor) meta.set('nbformat_minor', minor);
    const metadata = mergedObject(base.metadata, ours.metadata, theirs.metadata);
    editFields(meta, 'metadata', ours.metadata, metadata.value);
    const extra = mergedObject(base.extra, ours.extra, theirs.extra);
    editMap(meta, ours.extra, extra.value);
    this.#tell([...under('metadata', metadata.lost), ...extra.lost]);
  }

  /** Every cell of ours or of theirs once, with its places in all. */
  #versions(): Versions[] {
    const [base, ours, theirs] = [this.#base.cells, this.#ours.cells, this.#theirs.cells];
    const [toOurs, toTheirs] = [matchVersions(base, ours), matchVersions(base, theirs)];
    const match = new CellMatch();
    for (const index of base.keys()) {
      const [mine, other] = [toOurs.to(index), toTheirs.to(index)];
      if (mine !== undefined && other !== undefined) match.add(mine, other);
    }
    const areNew = {
      from: (index: number) => toOurs.from(index) === undefined,
      to: (index: number) => toTheirs.from(index) === undefined,
    };
    matchIds(match, ours, theirs, areNew);
    matchSame(match, ours, theirs, areNew);
    return [
      ...ours.map((_cell, index) => ({ base: toOurs.from(index), ours: index, theirs: match.to(index) })),
      ...[...theirs.keys()]
        .filter((index) => match.from(index) === undefined)
        .map((index) => ({ base: toTheirs.from(index), ours: undefined, theirs: index })),
    ];
  }

  #cellsOf({ base, ours, theirs }: Versions): { base: Cell | undefined; ours: Cell | undefined; theirs: Cell | undefined } {
    const at = (notebook: Notebook, index: number | undefined): Cell | undefined =>
      index === undefined ? undefined : notebook.cells[index];
    return { base: at(this.#base, base), ours: at(this.#ours, ours), theirs: at(this.#theirs, theirs) };
  }

  /** Whether a cell that one of both took out stays, because the other changed it. Outputs can be made again: they don't count. */
  #isKept(versions: Versions): boolean {
    const { base, ours, theirs } = this.#cellsOf(versions);
    const left = ours && theirs ? undefined : (ours ?? theirs);
    return !left || !base || !isSameCell(base, left);
  }

  #placesOf(versions: Versions): Place[] {
    const { base, ours, theirs } = this.#cellsOf(versions);
    if (!ours) return [this.#putIn(theirs as Cell)];
    const index = versions.ours as number;
    const map = this.#maps[index] as Y.Map<unknown>;
    if (!theirs) return [{ index, make: () => map.clone() }];
    const { cell, isTorn } = this.#mergedCell(base, ours, theirs);
    const isOther = cell.type !== ours.type;
    if (!isOther) editCell(map, ours, cell);
    const place = isOther ? { make: () => sharedCell(cell) } : { index, make: () => map.clone() };
    const copies = isTorn ? this.#copyOf(theirs, ours.id) : [];
    return [place, ...copies];
  }

  #putIn(cell: Cell): Place {
    const id = this.#ids.has(cell.id) ? this.#newId() : cell.id;
    this.#ids.add(id);
    return { make: () => sharedCell({ ...cell, id }) };
  }

  /** Theirs as a cell of its own, unless it lies there from an earlier merge. */
  #copyOf(theirs: Cell, ours: string): Place[] {
    const isCopy = (cell: Cell): boolean => isMarked(cell) && cell.type === theirs.type && cell.source === theirs.source;
    const known = this.#ours.cells.find(isCopy);
    const copy = known?.id ?? this.#newId();
    this.conflicts.push({ place: 'source', cell: ours, copy });
    if (known) return [];
    this.#ids.add(copy);
    const { bindery } = theirs.metadata;
    const metadata = { ...theirs.metadata, bindery: { ...(isObject(bindery) ? bindery : {}), conflict: 'disk' } };
    return [{ make: () => sharedCell({ ...theirs, id: copy, metadata }) }];
  }

  #tell(lost: readonly Lost[], cell?: string): void {
    for (const { place, theirs } of lost) this.conflicts.push({ place, ...(cell === undefined ? {} : { cell }), theirs });
  }

  #mergedCell(base: Cell | undefined, ours: Cell, theirs: Cell): { readonly cell: Cell; readonly isTorn: boolean } {
    const source = mergedText(base?.source, ours.source, theirs.source);
    const type = mergedValue(base?.type, ours.type, theirs.type);
    const metadata = mergedObject(base?.metadata ?? {}, ours.metadata, theirs.metadata);
    const attachments = mergedValue(base?.attachments, ours.attachments, theirs.attachments);
    const extra = mergedObject(base?.extra ?? {}, ours.extra, theirs.extra);
    this.#tell([...under('cell_type', type.lost), ...under('metadata', metadata.lost)], ours.id);
    this.#tell([...under('attachments', attachments.lost), ...extra.lost], ours.id);
    const { outputs, executionCount } = hasSameResult(ours, base) && !hasSameResult(theirs, base) ? theirs : ours;
    const isCode = type.value === 'code';
    const cell = {
      id: ours.id,
      type: type.value as string,
      source: source.text,
      metadata: metadata.value,
      ...(isObject(attachments.value) ? { attachments: attachments.value } : {}),
      ...(isCode ? { outputs, executionCount } : { outputs: [], executionCount: null }),
      extra: without(extra.value, cellFields(type.value as string)),
    };
    return { cell, isTorn: source.theirs.length > 0 };
  }

  /** Makes the list of cells what it shall be: those that need not move stay, and their edits with them. */
  #arrange(places: readonly Place[]): void {
    if (places.length === this.#maps.length && places.every(({ index }, place) => index === place)) return;
    const cells = cellsOf(this.#doc);
    const indexOf = new Map(cells.toArray().flatMap((each, index) => (each instanceof Y.Map ? [[each, index]] : [])));
    const kept = places.flatMap((place) => place.index ?? []);
    const inUse = this.#inUse();
    const staying = heaviestRise(kept, (index) => (inUse.has(index) ? kept.length + 1 : 1));
    // Made before anything is taken out: what is out says nothing any more.
    const news = places.map(({ index, make }) => (index !== undefined && staying.has(index) ? undefined : make()));
    let [at, read] = [0, 0];
    let waiting: Y.Map<unknown>[] = [];
    const until = (next: number): void => {
      if (next > read) cells.delete(at, next - read);
      if (waiting.length > 0) cells.insert(at, waiting);
      at += waiting.length + 1;
      read = next + 1;
      waiting = [];
    };
    const end = cells.length;
    for (const [place, { index }] of places.entries()) {
      const made = news[place];
      if (made) waiting.push(made);
      else until(indexOf.get(this.#maps[index as number] as Y.Map<unknown>) as number);
    }
    until(end);
  }

  /** The cells of ours that somebody works on: they run, or say something else than the file did. */
  #inUse(): Set<number> {
    const sources = new Map(this.#base.cells.map((cell) => [cell.id, cell.source]));
    const inUse = this.#ours.cells.flatMap((cell, index) => {
      const state = this.#maps[index]?.get('execution_state') ?? 'idle';
      return state !== 'idle' || sources.get(cell.id) !== cell.source ? [index] : [];
    });
    return new Set(inUse);
  }
}

function under(key: string, lost: readonly Lost[]): Lost[] {
  return lost.map((each) => ({ ...each, place: each.place === '' ? key : `${key}/${each.place}` }));
}

function isMarked(cell: Cell): boolean {
  const { bindery } = cell.metadata;
  return isObject(bindery) && bindery['conflict'] === 'disk';
}

function isSameCell(a: Cell, b: Cell): boolean {
  return (
    a.type === b.type &&
    a.source === b.source &&
    isSame(without(a.metadata, PASSING_CELL), without(b.metadata, PASSING_CELL)) &&
    isSame(a.attachments, b.attachments) &&
    isSame(a.extra, b.extra)
  );
}

function hasSameResult(cell: Cell, base: Cell | undefined): boolean {
  return cell.executionCount === (base?.executionCount ?? null) && isSame(cell.outputs, base?.outputs ?? []);
}

function editCell(map: Y.Map<unknown>, ours: Cell, wanted: Cell): void {
  if (wanted.source !== ours.source) {
    const source = map.get('source');
    if (source instanceof Y.Text) editText(source, wanted.source);
    else map.set('source', new Y.Text(wanted.source));
  }
  editFields(map, 'metadata', ours.metadata, wanted.metadata);
  editMap(map, ours.extra, wanted.extra);
  editValue(map, 'attachments', ours.attachments, wanted.attachments);
  editValue(map, 'execution_count', ours.executionCount, wanted.executionCount);
  if (!isSame(ours.outputs, wanted.outputs)) editOutputs(map, wanted.outputs);
}

function editValue(map: Y.Map<unknown>, key: string, ours: Json | undefined, wanted: Json | undefined): void {
  if (isSame(ours, wanted)) return;
  if (wanted === undefined) map.delete(key);
  else map.set(key, wanted);
}

function editMap(map: Y.Map<unknown>, ours: JsonObject, wanted: JsonObject): void {
  for (const key of new Set([...Object.keys(ours), ...Object.keys(wanted)])) editValue(map, key, own(ours, key), own(wanted, key));
}

/** The same for a map in a map, which others may have made something else. */
function editFields(map: Y.Map<unknown>, key: string, ours: JsonObject, wanted: JsonObject): void {
  const inner = map.get(key);
  if (inner instanceof Y.Map) editMap(inner, ours, wanted);
  else if (!isSame(ours, wanted)) map.set(key, sharedMap(wanted));
}

/** Outputs that stay the same are left alone, and so is what stays the same in the text of a stream. */
function editOutputs(map: Y.Map<unknown>, wanted: readonly JsonObject[]): void {
  const outputs: unknown = map.get('outputs');
  if (!(outputs instanceof Y.Array)) {
    map.set('outputs', Y.Array.from(wanted.map(sharedOutput)));
    return;
  }
  const known = outputs.map((each) => jsonOf(each));
  let start = 0;
  while (start < known.length && start < wanted.length && becomes(outputs.get(start), known[start] as Json, wanted[start] as JsonObject))
    start++;
  let [end, to] = [known.length, wanted.length];
  while (end > start && to > start && isSame(known[end - 1], wanted[to - 1])) [end, to] = [end - 1, to - 1];
  if (end > start) outputs.delete(start, end - start);
  if (to > start) outputs.insert(start, wanted.slice(start, to).map(sharedOutput));
}

/** Makes an output another by its text alone, if that is all. */
function becomes(shared: unknown, known: Json, wanted: JsonObject): boolean {
  if (isSame(known, wanted)) return true;
  const text = shared instanceof Y.Map ? (shared.get('text') as unknown) : undefined;
  const isStream = text instanceof Y.Text && typeof wanted['text'] === 'string' && wanted['output_type'] === 'stream';
  if (!isStream || !isObject(known) || !isSame({ ...known, text: wanted['text'] as Json }, wanted)) return false;
  editText(text, wanted['text'] as string);
  return true;
}
