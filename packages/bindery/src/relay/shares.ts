import { createHmac } from 'node:crypto';
import type { Role } from '@bindery/rtc/room/room.ts';
import { derived, sameSecret } from '../base/secrets.ts';

export const ROLES: readonly Role[] = ['read', 'edit', 'execute', 'admin'];

/** What a share link allows: one room, one role, until then (milliseconds since the epoch, whole seconds). */
export interface Share {
  readonly room: string;
  readonly role: Role;
  readonly until: number;
}

/** Signs and checks share links with the relay's own secret (`SPEC.md`, S): nothing has to be stored, and nobody else can make one. */
export class Shares {
  readonly #secret: Buffer;

  /** @param key the relay key: another key ends all links */
  constructor(key: string) {
    this.#secret = derived(key, 'relay share links');
  }

  /** The link's secret part: `<role>.<second at which it ends>.<signature>`. */
  sign({ room, role, until }: Share): string {
    const claim = `${role}.${Math.floor(until / 1000)}`;
    return `${claim}.${this.#signature(claim, room)}`;
  }

  /** What the token allows in this room, whenever it ends; undefined where it was not signed here, or for another room. */
  read(token: string, room: string): Share | undefined {
    const [role = '', seconds = '', signature = '', ...more] = token.split('.');
    if (more.length > 0 || !sameSecret(signature, this.#signature(`${role}.${seconds}`, room))) return undefined;
    return { room, role: role as Role, until: Number(seconds) * 1000 };
  }

  #signature(claim: string, room: string): string {
    // A claim has no line break, so that no room's name can say another claim.
    return createHmac('sha256', this.#secret).update(`${claim}\n${room}`).digest('base64url');
  }
}
