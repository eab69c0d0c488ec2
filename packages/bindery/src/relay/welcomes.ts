import type { Role } from '@bindery/rtc/room/room.ts';
import type { Dialect } from './dialect.ts';

/** Milliseconds for which one is kept: many may come at once. */
const KEPT_MS = 1000;

/** What those are told who come with nothing: made once for many of one dialect and role, and kept for a moment. */
export class Welcomes {
  readonly #made = new Map<Dialect, Map<Role, readonly Uint8Array[]>>();

  of({ dialect, role }: { readonly dialect: Dialect; readonly role: Role }, make: () => readonly Uint8Array[]): readonly Uint8Array[] {
    const known = this.#made.get(dialect)?.get(role);
    if (known) return known;
    const made = make();
    if (this.#made.size === 0) setTimeout(() => this.forget(), KEPT_MS).unref();
    this.#made.set(dialect, (this.#made.get(dialect) ?? new Map<Role, readonly Uint8Array[]>()).set(role, made));
    return made;
  }

  /** To be called when the document changes. */
  forget(): void {
    this.#made.clear();
  }
}
