import { join } from 'node:path';
import type { Config } from '../base/config.ts';

/** Below which all rooms lie. */
const ROOMS = '/room/';
/** Characters of a room's name. */
const LONGEST_NAME = 1024;

/** The relay's own folder, and in it the key that admits to every room. */
export function relayPlaces(config: Config): { readonly folder: string; readonly keyFile: string } {
  const folder = config.relay.folder ?? join(config.folders.state, 'relay');
  return { folder, keyFile: join(folder, 'relay.key') };
}

/** Where a room is found, below the relay's address; undefined for a name that no address can say. */
export function roomPath(room: string): string | undefined {
  const path = `${ROOMS}${encodeURIComponent(room)}`;
  return roomOf(new URL(path, 'http://relay').pathname) === room ? path : undefined;
}

/** The room that a path names, if it names one. */
export function roomOf(pathname: string): string | undefined {
  if (!pathname.startsWith(ROOMS)) return undefined;
  try {
    const room = decodeURIComponent(pathname.slice(ROOMS.length));
    return room === '' || room.length > LONGEST_NAME ? undefined : room;
  } catch {
    return undefined;
  }
}

/** An HTTP address as that of a WebSocket. */
export function forSockets(url: string): string {
  return url.replace(/^http/, 'ws');
}
