import * as Y from 'yjs';

/** What holds the fields of one record: a shared map, or what looks like one. */
export type Row = Pick<Y.Map<unknown>, 'get' | 'set'>;

/** Where the records of a table lie in a document. */
export interface Rows {
  /** In their order; each once. */
  ids(): string[];
  get(id: string): Row | undefined;
  /** Puts a new one in, `at` a place where rows have places. */
  add(id: string, row: Y.Map<unknown>, at?: number): void;
  remove(id: string): void;
  /** Returns what ends it. */
  observe(changed: RowsChanged): () => void;
}

/** Told after a transaction: the ids of rows that changed inside, and whether rows came, went or moved. */
export type RowsChanged = (ids: ReadonlySet<string>, isList: boolean) => void;

/** The usual place: a root map `table:<name>` from id to record. A record made twice under one id at the same time is one of the two, whole. */
export class MapRows implements Rows {
  readonly #root: Y.Map<unknown>;

  constructor(doc: Y.Doc, name: string) {
    this.#root = doc.getMap(`table:${name}`);
  }

  ids(): string[] {
    return [...this.#root.entries()].filter(([, row]) => row instanceof Y.Map).map(([id]) => id);
  }

  get(id: string): Y.Map<unknown> | undefined {
    const row = this.#root.get(id);
    return row instanceof Y.Map ? (row as Y.Map<unknown>) : undefined;
  }

  add(id: string, row: Y.Map<unknown>): void {
    this.#root.set(id, row);
  }

  remove(id: string): void {
    this.#root.delete(id);
  }

  observe(changed: RowsChanged): () => void {
    return observeDeep(this.#root, (events) => {
      const inside = events.filter((event) => event.path.length > 0);
      changed(new Set(inside.map((event) => String(event.path[0]))), inside.length < events.length);
    });
  }
}

/** Records in a list, each with its `id` inside: the cells of a notebook. Of two with one id the first counts. */
export class ListRows implements Rows {
  readonly #root: Y.Array<unknown>;

  constructor(root: Y.Array<unknown>) {
    this.#root = root;
  }

  ids(): string[] {
    return [...new Set(this.#root.toArray().flatMap((row) => this.#id(row) ?? []))];
  }

  get(id: string): Y.Map<unknown> | undefined {
    return this.#root.toArray().find((row) => this.#id(row) === id) as Y.Map<unknown> | undefined;
  }

  add(id: string, row: Y.Map<unknown>, at: number = this.#root.length): void {
    row.set('id', id);
    this.#root.insert(at, [row]);
  }

  remove(id: string): void {
    for (let index = this.#root.length - 1; index >= 0; index--) if (this.#id(this.#root.get(index)) === id) this.#root.delete(index);
  }

  observe(changed: RowsChanged): () => void {
    return observeDeep(this.#root, (events) => {
      const isOfList = (event: DeepEvent): boolean => event.path.length === 0 || (event.path.length === 1 && event.keys.has('id'));
      const inside = events.filter((event) => event.path.length > 0);
      changed(new Set(inside.flatMap((event) => this.#id(this.#root.get(Number(event.path[0]))) ?? [])), events.some(isOfList));
    });
  }

  #id(row: unknown): string | undefined {
    const id = row instanceof Y.Map ? row.get('id') : undefined;
    return typeof id === 'string' ? id : undefined;
  }
}

/** One record that is a root map of the document itself, there as soon as anything is in it. */
export class RootRow implements Rows {
  readonly #root: Y.Map<unknown>;
  readonly #id: string;

  constructor(root: Y.Map<unknown>, id: string) {
    this.#root = root;
    this.#id = id;
  }

  ids(): string[] {
    return this.#root.size > 0 ? [this.#id] : [];
  }

  get(id: string): Y.Map<unknown> | undefined {
    return id === this.#id && this.#root.size > 0 ? this.#root : undefined;
  }

  add(): void {
    throw new Error('This table has one record, which belongs to the document.');
  }

  remove(): void {
    throw new Error('This table has one record, which belongs to the document.');
  }

  observe(changed: RowsChanged): () => void {
    // The row comes and goes with the first and the last of its keys.
    return observeDeep(this.#root, () => changed(new Set([this.#id]), true));
  }
}

/** One record whose only field is a root text of the document itself, there always. */
export class RootText implements Rows {
  readonly #text: Y.Text;
  readonly #id: string;
  readonly #row: Row;

  constructor(text: Y.Text, id: string) {
    this.#text = text;
    this.#id = id;
    this.#row = { get: () => text, set: (_key, value) => value };
  }

  ids(): string[] {
    return [this.#id];
  }

  get(id: string): Row | undefined {
    return id === this.#id ? this.#row : undefined;
  }

  add(): void {
    throw new Error('This table has one record, which belongs to the document.');
  }

  remove(): void {
    throw new Error('This table has one record, which belongs to the document.');
  }

  observe(changed: RowsChanged): () => void {
    const heard = (): void => changed(new Set([this.#id]), false);
    this.#text.observe(heard);
    return () => this.#text.unobserve(heard);
  }
}

type DeepEvent = { readonly path: readonly (string | number)[]; readonly keys: ReadonlyMap<string, unknown> };

function observeDeep(root: Y.Map<unknown> | Y.Array<unknown>, heard: (events: readonly DeepEvent[]) => void): () => void {
  root.observeDeep(heard);
  return () => root.unobserveDeep(heard);
}
