import type { Awareness } from 'y-protocols/awareness.js';
import type * as Y from 'yjs';
import type { BinderyError } from '@bindery/wire/errors.ts';
import type { Role } from '@bindery/wire/roles.ts';
import type { Observable } from '../observable.ts';
import type { Definitions, Tables } from '../tables/table.ts';
import type { History } from './history.ts';

export type { Role } from '@bindery/wire/roles.ts';

/**
 * `connecting` not yet there · `open` in step with the others · `offline` was open, edits go on and are sent later · `closed` by us · `ended` for
 * good, `error` says why.
 */
export type RoomPhase = 'connecting' | 'open' | 'offline' | 'closed' | 'ended';

export interface RoomState {
  readonly phase: RoomPhase;
  /** Known from the first time that the room was open. */
  readonly role: Role | undefined;
  /** True when everything that was edited here is where it can't get lost. */
  readonly isSaved: boolean;
  readonly error: BinderyError | undefined;
  /** Names the history of the document; undefined before the room was open, and where there is no server. */
  readonly lineage: string | undefined;
  /** Names the time since which the server keeps the document in memory; undefined likewise. */
  readonly run: string | undefined;
}

/** A shared document, its tables, and who else is there. The same whether it lives on a server (`connect`) or only here (`openLocal`). */
export interface Room<D extends Definitions> {
  readonly doc: Y.Doc;
  readonly tables: Tables<D>;
  /** Who is there: each one's state, by the client id of the document. */
  readonly awareness: Awareness;
  readonly history: History;
  readonly state: Observable<RoomState>;
  /**
   * Runs changes that happen as a whole or not at all; those inside another are a part of it. With `undoable: false` they are no step of the
   * history. Throws what `body` throws, and `room_read_only` where editing is not allowed, with nothing changed.
   */
  readonly transact: <T>(body: () => T, options?: { readonly undoable?: boolean }) => T;
  /** Comes when everything that was edited up to now is where it can't get lost. Fails when the room ends before. */
  saved(): Promise<void>;
  /** Leaves. What was not saved is lost with the document, so wait for `saved` first. */
  close(): void;
}
