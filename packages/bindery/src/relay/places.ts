import { join } from 'node:path';
import type { Config } from '../base/config.ts';
import { percentDecoded } from '../base/within.ts';
import { OWN, Y_WEBSOCKET, type Dialect } from './dialect.ts';

/** Below which all rooms lie: each of them under both, for clients that speak this and that. */
const ROOMS = { '/room/': OWN, '/y/': Y_WEBSOCKET };
/** Characters of a room's name. */
const LONGEST_NAME = 1024;

/** The relay's own folder, and in it the key that admits to every room. */
export function relayPlaces(config: Config): { readonly folder: string; readonly keyFile: string } {
  const folder = config.relay.folder ?? join(config.folders.state, 'relay');
  return { folder, keyFile: join(folder, 'relay.key') };
}

/** Where a room is found, below the relay's address; undefined for a name that no address can say. */
export function roomPath(room: string): string | undefined {
  const path = `/room/${encodeURIComponent(room)}`;
  return roomOf(new URL(path, 'http://relay').pathname)?.room === room ? path : undefined;
}

/** The room that a path names, if it names one, and how one speaks there. */
export function roomOf(pathname: string): { readonly room: string; readonly dialect: Dialect } | undefined {
  for (const [prefix, dialect] of Object.entries(ROOMS)) {
    if (!pathname.startsWith(prefix)) continue;
    const room = percentDecoded(pathname.slice(prefix.length));
    return room === undefined || room === '' || room.length > LONGEST_NAME ? undefined : { room, dialect };
  }
  return undefined;
}

/** An HTTP address as that of a WebSocket. */
export function forSockets(url: string): string {
  return url.replace(/^http/, 'ws');
}
