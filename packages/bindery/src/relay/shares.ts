import type { Role } from '@bindery/wire/roles.ts';
import { derived } from '../base/secrets.ts';
import { Signed } from '../base/signed.ts';

/** What a share link allows: one room, one role, until then (milliseconds since the epoch, whole seconds). */
export interface Share {
  readonly room: string;
  readonly role: Role;
  readonly until: number;
}

/** Signs and checks share links with the relay's own secret (`SPEC.md`, S): nothing has to be stored, and nobody else can make one. */
export class Shares {
  readonly #signed: Signed;

  /** @param key the relay key: another key ends all links */
  constructor(key: string) {
    this.#signed = new Signed(derived(key, 'relay share links'));
  }

  /** The link's secret part: `<role>.<second at which it ends>.<signature>`. */
  sign({ room, role, until }: Share): string {
    return this.#signed.sign(room, [role, String(Math.floor(until / 1000))]);
  }

  /** What the token allows in this room, whenever it ends; undefined where it was not signed here, or for another room. */
  read(token: string, room: string): Share | undefined {
    const [role, seconds] = this.#signed.read(room, token, 2) ?? [];
    return role === undefined ? undefined : { room, role: role as Role, until: Number(seconds) * 1000 };
  }
}
