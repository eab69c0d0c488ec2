import type { Json, JsonObject } from '../json.ts';

/** A notebook of nbformat 4, whichever its minor version: strings in one piece, every cell with an id. */
export interface Notebook {
  readonly minor: number;
  readonly metadata: JsonObject;
  readonly cells: readonly Cell[];
  /** Fields beside those that nbformat knows, kept as they came. */
  readonly extra: JsonObject;
}

export interface Cell {
  /** Unique in its notebook, 1 to 64 of `A-Za-z0-9-_`. Written to files from nbformat 4.5 on. */
  readonly id: string;
  /** `code`, `markdown` or `raw`; others are carried along and treated as text. */
  readonly type: string;
  readonly source: string;
  readonly metadata: JsonObject;
  readonly attachments?: JsonObject;
  /** Of code cells only; as nbformat has them, with strings in one piece. */
  readonly outputs: readonly JsonObject[];
  /** Of code cells only. */
  readonly executionCount: number | null;
  readonly extra: JsonObject;
}

/** The first minor version whose cells have ids. */
export const MINOR_WITH_IDS = 5;

export const NOTEBOOK_FIELDS: ReadonlySet<string> = new Set(['nbformat', 'nbformat_minor', 'metadata', 'cells']);

const CELL_FIELDS = new Set(['id', 'cell_type', 'source', 'metadata', 'attachments', 'execution_state', 'execution']);
const CODE_FIELDS = new Set([...CELL_FIELDS, 'outputs', 'execution_count']);

/** The names that a cell of this type uses itself; `execution_state` and `execution` belong to the shared form and to no file. */
export function cellFields(type: string): ReadonlySet<string> {
  return type === 'code' ? CODE_FIELDS : CELL_FIELDS;
}

export function without(object: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.has(name)));
}

/** A notebook's execution count: a whole number or nothing. */
export function executionCount(value: Json | undefined): number | null {
  return typeof value === 'number' && Number.isInteger(value) ? value : null;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Gives each cell of a list an id that no other has: its own where it is fit, the first of two equal ones keeps it. What is given to the others
 * depends on the list alone where they have an id, so that everybody who repairs the same list repairs it the same way; a cell that has
 * none gets a new one.
 */
export class CellIds {
  readonly #taken: Set<string>;
  readonly #given = new Set<string>();
  readonly #fresh: () => string;

  constructor(wanted: readonly unknown[], fresh: () => string) {
    this.#taken = new Set(wanted.filter((id) => typeof id === 'string'));
    this.#fresh = fresh;
  }

  next(wanted: unknown): string {
    const id = typeof wanted === 'string' && wanted !== '' ? this.#fit(wanted) : this.#fresh();
    this.#given.add(id);
    return id;
  }

  #fit(wanted: string): string {
    if (ID.test(wanted) && !this.#given.has(wanted)) return wanted;
    const base = wanted.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 56);
    for (let count = 2; ; count++) {
      const id = `${base}-${count}`;
      if (!this.#given.has(id) && !this.#taken.has(id)) return id;
    }
  }
}
