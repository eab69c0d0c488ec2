import { createHash } from 'node:crypto';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { cellsOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import type { TextEdit } from '@bindery/rtc/tables/fields.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import { rowsOf, sourceOf, tablesOf } from './notebook-view.ts';

/** Where a cell is to be: a place counted from 0, or behind another cell; at the end where neither is said. */
export interface Place {
  readonly at?: number | null;
  readonly after?: string | null;
}

/** In place of a cell's source: all of it, or what is cut out and put in, one after the other. */
export interface Change {
  readonly source?: string | null;
  readonly splices?: readonly { readonly at: number; readonly remove: number; readonly text: string }[] | null;
  readonly sourceHash?: string | null;
}

/** Edits of the cells of one notebook, made by the server in the name of who may edit. Each comes when it is safe, and is checked before it begins. */
export class CellEdits {
  readonly #room: RelayRoom;

  constructor(room: RelayRoom) {
    this.#room = room;
  }

  async insert(type: string, source: string, place: Place): Promise<string> {
    const id = crypto.randomUUID();
    await this.#room.edit(() => {
      const at = this.#placeOf(place, [...rowsOf(this.#room.doc).keys()]);
      tablesOf(this.#room.doc).cells.create({ type, text: source.toWellFormed() }, { id, at });
    });
    return id;
  }

  async change(id: string, { source, splices, sourceHash }: Change): Promise<void> {
    if ((source ?? undefined) === undefined ? !splices : splices)
      throw invalid('A change has either the whole source, or splices.', 'Leave out one of source and splices.');
    await this.#room.edit(() => {
      const row = this.#row(id);
      const before = sourceOf(row);
      if (typeof sourceHash === 'string' && createHash('sha256').update(before).digest('hex') !== sourceHash.toLowerCase())
        throw new BinderyError('cell_changed', `The source of the cell ${id} is not the one that was meant.`, {
          hint: 'Somebody has just edited it: look at it again.',
        });
      const text = source?.toWellFormed() ?? checked(before, splices ?? []);
      // Where somebody put something else.
      if (!(row.get('source') instanceof Y.Text)) row.set('source', new Y.Text(before));
      tablesOf(this.#room.doc).cells.update(id, { text });
    });
  }

  /** In the shared form a moved cell is made anew at its place; what somebody writes into it meanwhile is kept (rtc, M6). */
  async move(id: string, place: Place): Promise<void> {
    await this.#room.edit(() => {
      const row = this.#row(id);
      const others = [...rowsOf(this.#room.doc).keys()].filter((other) => other !== id);
      if (place.at === undefined && place.after === undefined) throw invalid('A cell is moved to a place.', 'Say at or after.');
      const cells = cellsOf(this.#room.doc);
      const from = indexOf(cells, id);
      const to = this.#placeOf(place, others);
      const copy = row.clone();
      cells.delete(from);
      cells.insert(from < to ? to - 1 : to, [copy]);
    });
  }

  async remove(id: string): Promise<void> {
    await this.#room.edit(() => {
      this.#row(id);
      tablesOf(this.#room.doc).cells.delete(id);
    });
  }

  #row(id: string): Y.Map<unknown> {
    const row = rowsOf(this.#room.doc).get(id);
    if (!row) throw noCell(id);
    return row;
  }

  /** The place in the shared list, in which there may be what is no cell. */
  #placeOf({ at, after }: Place, ids: readonly string[]): number {
    const cells = cellsOf(this.#room.doc);
    if (typeof at === 'number' && typeof after === 'string')
      throw invalid('A place is said by at or by after, not by both.', 'Leave out one.');
    if (typeof after === 'string') {
      if (!ids.includes(after)) throw noCell(after);
      return indexOf(cells, after) + 1;
    }
    if (typeof at !== 'number') return cells.length;
    if (at < 0 || at > ids.length)
      throw invalid(`There are ${ids.length} cells, and no place ${at} among them.`, 'Look at the notebook again.');
    const next = ids[at];
    return next === undefined ? cells.length : indexOf(cells, next);
  }
}

function indexOf(cells: Y.Array<unknown>, id: string): number {
  return cells.toArray().findIndex((row) => row instanceof Y.Map && row.get('id') === id);
}

/** Splices that fit the text, each as those before it leave it, and cut no character in two. */
function checked(text: string, splices: NonNullable<Change['splices']>): TextEdit[] {
  let now = text;
  return splices.map(({ at, remove, text: piece }) => {
    const end = at + remove;
    const isInside = at >= 0 && remove >= 0 && end <= now.length;
    if (!isInside || cuts(now, at) || cuts(now, end))
      throw invalid(`There is no such part of the source: ${remove} at ${at}, of ${now.length}.`, 'Places are counted in UTF-16 units.');
    const edit = { index: at, remove, text: piece.toWellFormed() };
    now = now.slice(0, at) + edit.text + now.slice(end);
    return edit;
  });
}

function cuts(text: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(text.charAt(at - 1)) && /[\udc00-\udfff]/.test(text.charAt(at));
}

export function noCell(id: string): BinderyError {
  return new BinderyError('cell_not_found', `The notebook has no cell ${id}.`);
}

function invalid(message: string, hint: string): BinderyError {
  return new BinderyError('request_invalid', message, { hint });
}
