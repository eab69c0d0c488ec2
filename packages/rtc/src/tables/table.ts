import * as Y from 'yjs';
import { Listeners, type Observable } from '../observable.ts';
import type { AnyField, Field, Fields } from './fields.ts';
import { MapRows, type Row, type Rows } from './rows.ts';

type PlainOf<F> = F extends Field<infer Plain, infer _> ? Plain : never;
type PatchOf<F> = F extends Field<infer _, infer Patch> ? Patch : never;

/** A snapshot of a record: plain values that never change. */
export type RecordOf<F extends Fields> = { readonly [K in keyof F]: PlainOf<F[K]> };
/** What changes of a record. */
export type Patch<F extends Fields> = { readonly [K in keyof F]?: PatchOf<F[K]> };

/** What kind of records a table has, and where in a document they lie. */
export interface TableDefinition<F extends Fields> {
  readonly fields: F;
  rows(doc: Y.Doc, name: string): Rows;
  /** Whether a new record that starts like this has the field at all; by default every record has every field. */
  has?(name: string, initial: Partial<RecordOf<F>>): boolean;
}

/** A table in its usual place. */
export function defineTable<F extends Fields>(fields: F): TableDefinition<F> {
  return { fields, rows: (doc, name) => new MapRows(doc, name) };
}

// oxlint-disable-next-line typescript/no-explicit-any -- the constraint of inference; no value is read through it
export type Definitions = Readonly<Record<string, TableDefinition<any>>>;
export type Tables<D extends Definitions> = { readonly [K in keyof D]: D[K] extends TableDefinition<infer F> ? Table<F> : never };

/** Runs the changes of a table as (a part of) a transaction. */
export type Transact = <T>(body: () => T) => T;

/** The tables of a document, by the names of their definitions. */
export function openTables<D extends Definitions>(doc: Y.Doc, definitions: D, transact: Transact): Tables<D> {
  const entries = Object.entries(definitions).map(([name, definition]) => [name, new Table(name, definition, doc, transact)] as const);
  return Object.fromEntries(entries) as Tables<D>;
}

/**
 * Records of one kind in a shared document, each with an id. Snapshots are read once and kept until the record changes. Every change is (a part
 * of) a transaction: it happens as a whole or not at all.
 */
export class Table<F extends Fields> {
  readonly name: string;
  /** The ids of all records, in the order of the table. */
  readonly ids: Observable<readonly string[]>;
  /** All records with their ids, in the order of the table. */
  readonly records: Observable<readonly (RecordOf<F> & { readonly id: string })[]>;
  readonly #fields: F;
  readonly #definition: TableDefinition<F>;
  readonly #rows: Rows;
  readonly #transact: Transact;
  readonly #anyListeners = new Listeners();
  readonly #idListeners = new Listeners();
  readonly #listeners = new Map<string, { readonly listeners: Listeners; count: number }>();
  readonly #snapshots = new WeakMap<Row, RecordOf<F>>();
  #ids: readonly string[] | undefined;
  #records: readonly (RecordOf<F> & { readonly id: string })[] | undefined;

  constructor(name: string, definition: TableDefinition<F>, doc: Y.Doc, transact: Transact) {
    this.name = name;
    this.#fields = definition.fields;
    this.#definition = definition;
    this.#rows = definition.rows(doc, name);
    this.#transact = transact;
    this.ids = { get: () => (this.#ids ??= this.#rows.ids()), subscribe: (listener) => this.#idListeners.add(listener) };
    this.records = {
      get: () => (this.#records ??= this.ids.get().flatMap((id) => this.#withId(id))),
      subscribe: (listener) => this.#anyListeners.add(listener),
    };
    const stop = this.#rows.observe((ids, isList) => this.#changed(ids, isList));
    doc.on('destroy', stop);
  }

  /** The record's snapshot; undefined when there is none. */
  get(id: string): RecordOf<F> | undefined {
    const row = this.#rows.get(id);
    if (!row) return undefined;
    const kept = this.#snapshots.get(row);
    if (kept) return kept;
    const read = Object.entries(this.#fields).map(([name, field]) => [name, field.read(row.get(keyOf(name, field))) as unknown]);
    const snapshot = Object.freeze(Object.fromEntries(read)) as RecordOf<F>;
    this.#snapshots.set(row, snapshot);
    return snapshot;
  }

  /** One record as it changes; undefined while there is none. */
  record(id: string): Observable<RecordOf<F> | undefined> {
    return { get: () => this.get(id), subscribe: (listener) => this.#subscribe(id, listener) };
  }

  /**
   * Makes a record and returns its id: a random one unless `id` says it. Fields that are not named have their initial values. `at` is its place in
   * tables that have places. Throws when there is one with this id, or a value does not fit.
   */
  create(initial: Partial<RecordOf<F>> = {}, options: { readonly id?: string; readonly at?: number } = {}): string {
    const id = options.id ?? crypto.randomUUID();
    this.#transact(() => {
      if (this.#rows.get(id)) throw new Error(`The table ${this.name} has a record ${JSON.stringify(id)} already.`);
      const row = new Y.Map<unknown>();
      for (const [name, field] of Object.entries(this.#fields)) {
        if (this.#definition.has?.(name, initial) === false) continue;
        const plain = (initial as Record<string, unknown>)[name];
        row.set(keyOf(name, field), field.create(plain === undefined ? field.initial : plain));
      }
      this.#rows.add(id, row, options.at);
      this.#forgetList();
    });
    return id;
  }

  /** The record with this id, made if there is none. When two make it at the same time, there is one of the two in the end. */
  getOrCreate(id: string, initial: () => Partial<RecordOf<F>>): RecordOf<F> {
    return this.#transact(() => {
      if (!this.#rows.get(id)) this.create(initial(), { id });
      return this.get(id) as RecordOf<F>;
    });
  }

  /** Changes fields of a record. Throws when there is none, or a change does not fit. */
  update(id: string, patch: Patch<F>): void {
    this.#transact(() => {
      const row = this.#row(id);
      for (const [name, change] of Object.entries(patch)) {
        const field = this.#fields[name];
        if (!field) throw new TypeError(`The table ${this.name} has no field ${JSON.stringify(name)}.`);
        if (change !== undefined) field.patch(row, keyOf(name, field), change);
      }
      // Whoever reads again in the same transaction sees what was written.
      this.#forget(id);
    });
  }

  /** Takes a record out; false when there is none. */
  delete(id: string): boolean {
    return this.#transact(() => {
      if (!this.#rows.get(id)) return false;
      this.#rows.remove(id);
      this.#forgetList();
      return true;
    });
  }

  /** The shared text of a field, for an editor to bind to. Throws when there is no such record, or the field is no text. */
  text(id: string, name: keyof F & string): Y.Text {
    const field = this.#fields[name];
    const shared = field && this.#row(id).get(keyOf(name, field));
    if (shared instanceof Y.Text) return shared;
    throw new TypeError(`The field ${name} of the table ${this.name} is no text.`);
  }

  #row(id: string): Row {
    const row = this.#rows.get(id);
    if (!row) throw new Error(`The table ${this.name} has no record ${JSON.stringify(id)}.`);
    return row;
  }

  #withId(id: string): (RecordOf<F> & { readonly id: string })[] {
    const record = this.get(id);
    return record ? [{ ...record, id }] : [];
  }

  #subscribe(id: string, listener: () => void): () => void {
    const entry = this.#listeners.get(id) ?? { listeners: new Listeners(), count: 0 };
    this.#listeners.set(id, entry);
    entry.count += 1;
    const remove = entry.listeners.add(listener);
    let isOn = true;
    return () => {
      if (!isOn) return;
      isOn = false;
      remove();
      entry.count -= 1;
      if (entry.count === 0) this.#listeners.delete(id);
    };
  }

  #forget(id: string): void {
    const row = this.#rows.get(id);
    if (row) this.#snapshots.delete(row);
    this.#records = undefined;
  }

  #forgetList(): void {
    this.#ids = undefined;
    this.#records = undefined;
  }

  #changed(ids: ReadonlySet<string>, isList: boolean): void {
    for (const id of ids) this.#forget(id);
    if (isList) {
      this.#forgetList();
      this.#idListeners.tell();
    }
    this.#anyListeners.tell();
    for (const id of isList ? [...this.#listeners.keys()] : ids) this.#listeners.get(id)?.listeners.tell();
  }
}

function keyOf(name: string, field: AnyField): string {
  return field.key ?? name;
}
