import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { sameSecret } from '../base/secrets.ts';
import { roomOf } from './places.ts';
import type { Admission } from './relay.ts';
import { Shares } from './shares.ts';

export interface AdmissionOptions {
  readonly key: string;
  readonly clock: Clock;
  /** Of pages that may connect, beside programs, which name none; `*` is any. */
  readonly origins: readonly string[];
}

/** Decides by a request's head who may enter which room (`SPEC.md`, S); a text says why nobody may. */
export function admission({ key, clock, origins }: AdmissionOptions): (request: IncomingMessage) => Promise<Admission | string> {
  const shares = new Shares(key);
  return async ({ url = '', headers }) => {
    const { origin } = headers;
    if (origin !== undefined && !origins.includes('*') && !origins.includes(origin))
      return 'Pages of this site may not connect: relay.allowOrigins does not name it.';
    const { pathname, searchParams } = new URL(`http://relay${url}`);
    const found = roomOf(pathname);
    if (!found) return 'There is no room at this address.';
    const { room, dialect } = found;
    const given = searchParams.get('key') ?? /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (given !== undefined)
      return sameSecret(given, key) ? { room, role: 'admin', user: {}, dialect } : 'This is not the key of the relay.';
    const token = searchParams.get('share');
    if (token === null) return 'Entering a room needs a share link, or the key of the relay.';
    const share = shares.read(token, room);
    if (!share) return 'This share link was changed, or is for another room or relay.';
    const { role, until } = share;
    if (until <= clock.now()) return `This share link ended at ${new Date(until).toISOString()}.`;
    return { room, role, user: {}, dialect, until };
  };
}
