import type { Role } from '@bindery/rtc/room/room.ts';

/** Whose edits a transaction holds, as its origin: of members that may run code, of others that may edit, of the server itself. */
export type Origin = 'execute' | 'edit' | 'server';

export function originOf(role: Role): Origin {
  return role === 'execute' || role === 'admin' ? 'execute' : 'edit';
}

/** Under which the `meta` of a transaction of members says who they are. */
export const AUTHOR = Symbol('author');

/** Whose edits a transaction holds, as far as the server knows. */
export interface Author {
  /** Empty for those of whom nothing is known. */
  readonly owner: string;
  /** False for a client id that none of them has: what it made, they only bring. */
  made(client: number): boolean;
}

/** How the writing of a document to where it belongs ended; `skipped`: it was not tried, as it goes nowhere. */
export type SaveStatus = 'success' | 'skipped' | 'failed';

/** What a room has for as long as it is in memory: it fills the document, keeps it in step with a file, runs its cells. */
export interface Occupant {
  /** True while the room must stay in memory although nobody is connected. */
  isBusy(): boolean;
  /** Writes the document to where it belongs, because somebody asked. Never fails. */
  save(): Promise<SaveStatus>;
  /** Ends what it does. What it edits until then is kept. */
  leave(): Promise<void>;
}
