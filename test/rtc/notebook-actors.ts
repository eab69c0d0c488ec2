import { parseNotebook } from '@bindery/rtc/notebook/nbformat.ts';
import { cellsOf, readNotebook, sharedCell } from '@bindery/rtc/notebook/shared-notebook.ts';
import { connect } from '@bindery/rtc/room/connect.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import * as Y from 'yjs';
import { LabClient } from '../fakes/lab-client.ts';
import type { Seeded } from '../fakes/seeded.ts';

/** What runs: it says in a file that it ran, so that it is seen when it runs twice, or never. */
export interface Run {
  readonly id: string;
  readonly cell: string;
  /** The execution that was promised, by a request that was answered or a record that is safe; undefined where nothing was promised. */
  execution: string | undefined;
  readonly raises: boolean;
}

/** What was written in a notebook, each piece and cell under a name of its own, and what of it was promised to be safe. */
export class Ledger {
  readonly runs = new Map<string, Run>();
  /** Requests of which it is not known yet whether anything was promised. */
  asking = 0;
  readonly #pieces = new Map<string, { readonly cell: string; isSafe: boolean }>();
  readonly #cells = new Map<string, { isSafe: boolean; isTaken: boolean; isTakenSafely: boolean }>();

  /** Each returns what is to be called when it is safe. */
  wrote(piece: string, cell: string): () => void {
    const entry = { cell, isSafe: false };
    this.#pieces.set(piece, entry);
    return () => void (entry.isSafe = true);
  }

  put(cell: string): () => void {
    const entry = { isSafe: false, isTaken: false, isTakenSafely: false };
    this.#cells.set(cell, entry);
    return () => void (entry.isSafe = true);
  }

  /** Notes what becomes of a request. */
  asks(run: Run, request: Promise<string | undefined>): void {
    this.asking += 1;
    request
      .then(
        (id) => void (run.execution = id),
        () => undefined,
      )
      .finally(() => (this.asking -= 1));
  }

  took(cell: string): () => void {
    const entry = this.#cells.get(cell);
    if (entry) entry.isTaken = true;
    return () => void (entry && (entry.isTakenSafely = true));
  }

  get safeCount(): number {
    return [...this.#pieces.values(), ...this.#cells.values()].filter(({ isSafe }) => isSafe).length;
  }

  /** What a document does not say that is safe, or says twice, or although it was safely taken out. */
  faults(doc: Y.Doc): string[] {
    const cells = cellsIn(doc);
    const ids = cells.map(({ id }) => id);
    const there = new Set(ids);
    const said = cells.flatMap(({ id, source }) => (id.startsWith('r') ? [] : piecesIn(source)));
    const pieces = new Set(said);
    const isTaken = (cell: string): boolean => this.#cells.get(cell)?.isTaken ?? false;
    return [
      ...twice(ids).map((id) => `cell ${id} is there twice`),
      ...twice(said).map((piece) => `${piece} is there twice`),
      ...[...this.#cells].flatMap(([id, { isSafe, isTakenSafely }]) => {
        if (isSafe && !isTaken(id) && !there.has(id)) return [`cell ${id} is gone`];
        return isTakenSafely && there.has(id) ? [`cell ${id} is back`] : [];
      }),
      ...[...this.#pieces].flatMap(([piece, { cell, isSafe }]) =>
        isSafe && !isTaken(cell) && !pieces.has(piece) ? [`${piece} is gone`] : [],
      ),
    ];
  }
}

const PIECE = /\[([^[\]]*)\]/g;

function piecesIn(source: Y.Text): string[] {
  const text = source.toJSON();
  if (text.replaceAll(PIECE, '') !== '') throw new Error(`This is no text that anybody wrote: ${text}`);
  return [...text.matchAll(PIECE)].map((match) => match[1] as string);
}

function twice(list: readonly string[]): string[] {
  return list.filter((each, index) => list.indexOf(each) < index);
}

function cellsIn(doc: Y.Doc): { readonly id: string; readonly map: Y.Map<unknown>; readonly source: Y.Text }[] {
  return cellsOf(doc)
    .toArray()
    .map((map) => map as Y.Map<unknown>)
    .map((map) => ({ id: String(map.get('id')), map, source: map.get('source') as Y.Text }));
}

/** All that the members of a document must agree on. */
export function wholeOf(doc: Y.Doc): unknown {
  return [cellsOf(doc).toJSON(), doc.getMap('meta').toJSON(), doc.getMap('table:executions').toJSON()];
}

/** What a file must have of a document; without ids where its format has none. */
export function cellsOfFile(text: string): unknown {
  const { notebook } = parseNotebook(text);
  return comparable(notebook.cells, notebook.minor >= 5);
}

export function cellsForFile(doc: Y.Doc): unknown {
  const { cells, minor } = readNotebook(doc);
  return comparable(cells, minor >= 5);
}

function comparable(cells: ReturnType<typeof readNotebook>['cells'], hasIds: boolean): unknown {
  return cells.map(({ id, type, source, outputs, executionCount }) => [hasIds ? id : '', type, source, outputs, executionCount]);
}

/** Where actors act. */
export interface Place {
  readonly ledger: Ledger;
  readonly random: Seeded;
  readonly kernel: string;
  /** The address of the document for a dialect. */
  readonly url: (dialect: 'lab' | 'room') => string;
  /** Asks the server to run a cell; undefined where nothing was promised. */
  readonly request: (cell: string) => Promise<string | undefined>;
  /** What a cell runs. */
  readonly code: (id: string, raises: boolean) => string;
}

/** Somebody in a notebook who types, puts cells in, moves, takes out and runs them. */
export interface NotebookActor {
  readonly doc: Y.Doc;
  readonly hasAcks: boolean;
  edit(): void;
  /** Whether all is with the server, as far as that can be known. */
  isSettled(): boolean;
  isThere(): boolean;
  /** Comes when all that it wrote up to now is safe. Fails for who can't know. */
  saved(): Promise<void>;
  /** Calls those who wait for what is known to be safe now, of one who is told nothing himself. */
  settle(): void;
  save?(): void;
  readonly saves?: readonly string[];
  leave(): void;
}

type Step = { readonly safe: () => void; readonly run?: Run };

/**
 * One edit of a random kind. Cells with text (`t`) are edited and taken out by everybody. Others (`m`) are moved: those that JupyterLab put in (`ml`) by
 * everybody, the others by our clients, who also edit them. JupyterLab lets go at once of what is written in a cell that it moves: what others write
 * there in the moment of a crash can be lost. Who put in one that runs (`r`) moves it, and takes it out.
 */
function step(doc: Y.Doc, name: string, count: number, hasAcks: boolean, { ledger, random, code }: Place): Step | undefined {
  const cells = cellsOf(doc);
  const known = cellsIn(doc);
  const kind = random.below(100);
  const put = (id: string, source: string): (() => void) => {
    const cell = { id, type: 'code', source, metadata: {}, outputs: [], executionCount: null, extra: {} };
    cells.insert(random.below(cells.length + 1), [sharedCell(cell)]);
    return ledger.put(id);
  };
  const texts = known.filter(({ id }) => id.startsWith('t'));
  const movable = known.filter(({ id }) => id.startsWith(hasAcks ? 'm' : 'ml') || id.startsWith(`r${name}.`));
  if (kind < 4) {
    const run: Run = { id: `${name}.${count}`, cell: `r${name}.${count}`, execution: undefined, raises: random.happens(4) };
    ledger.runs.set(run.id, run);
    return { safe: put(run.cell, code(run.id, run.raises)), run };
  }
  if (kind < 8) return { safe: put(`m${name}.${count}`, '') };
  if (kind < 18 && movable.length > 0) {
    const { id, map } = random.one(movable);
    const from = known.findIndex((each) => each.map === map);
    if (id.startsWith('r') && random.happens(10)) {
      cells.delete(from);
      return { safe: ledger.took(id) };
    }
    const copy = map.clone();
    cells.delete(from);
    cells.insert(random.below(cells.length + 1), [copy]);
    return undefined;
  }
  if (kind < 24 && texts.length > 5) {
    const { id, map } = random.one(texts);
    cells.delete(known.findIndex((each) => each.map === map));
    return { safe: ledger.took(id) };
  }
  if (kind < 34 || texts.length === 0) return { safe: put(`t${name}.${count}`, '') };
  const { id, source } = random.one(hasAcks ? known.filter(({ id: each }) => !each.startsWith('r') && !each.startsWith('ml')) : texts);
  const starts = [...source.toJSON().matchAll(/\[/g)].map((match) => match.index);
  source.insert(random.one([...starts, source.length]), `[${name}.${count}]`);
  return { safe: ledger.wrote(`${name}.${count}`, id) };
}

/** One with a client of ours, which is told what is safe. */
export function notebookMember(name: string, place: Place): NotebookActor {
  const room = connect({ url: place.url('room'), tables: NOTEBOOK_TABLES });
  let count = 0;
  const run = async (what: Run): Promise<string | undefined> => {
    if (place.random.happens(50)) {
      await room.saved();
      return place.request(what.cell);
    }
    const code = place.code(what.id, what.raises);
    const id = room.tables.executions.create({ code, kernel: { id: place.kernel, session: 0 }, cell: what.cell });
    await room.saved();
    return id;
  };
  return {
    doc: room.doc,
    hasAcks: true,
    edit() {
      const done = room.transact(() => step(room.doc, name, count++, true, place));
      if (!done) return;
      room.saved().then(done.safe, () => undefined);
      if (done.run) place.ledger.asks(done.run, run(done.run));
    },
    isSettled: () => room.state.get().phase === 'open' && room.state.get().isSaved,
    isThere: () => room.state.get().phase === 'open',
    saved: () => room.saved(),
    settle: () => undefined,
    leave: () => room.close(),
  };
}

/** How soon JupyterLab's client comes again after a lost connection. */
const RECONNECT_MS = 100;

/** One with JupyterLab, which is told nothing, and comes again as its client does. */
export function labActor(name: string, place: Place): NotebookActor {
  const doc = new Y.Doc();
  let count = 0;
  let client: LabClient | undefined;
  let isSynced = false;
  let hasLeft = false;
  const saves: string[] = [];
  let waiting: (() => void)[] = [];
  const come = (): void => {
    if (hasLeft) return;
    const mine = new LabClient(place.url('lab'), {}, doc);
    client = mine;
    mine.synced.then(
      () => (isSynced = true),
      () => undefined,
    );
    void mine.closed.then(() => {
      isSynced = false;
      saves.push(...mine.saves);
      setTimeout(come, RECONNECT_MS);
    });
  };
  come();
  return {
    doc,
    hasAcks: false,
    edit() {
      const done = doc.transact(() => step(doc, name, count++, false, place));
      if (!done) return;
      waiting.push(done.safe);
      const { run } = done;
      if (run) place.ledger.asks(run, place.request(run.cell));
    },
    isSettled: () => isSynced,
    isThere: () => isSynced,
    saved: () => Promise.reject(new Error('Nobody tells it.')),
    settle() {
      for (const safe of waiting) safe();
      waiting = [];
    },
    save: () => client?.save(),
    get saves() {
      return [...saves, ...(client?.saves ?? [])];
    },
    leave() {
      hasLeft = true;
      client?.close();
    },
  };
}
