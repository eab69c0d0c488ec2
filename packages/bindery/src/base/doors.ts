import type { Server } from 'node:http';
import { BinderyError } from '@bindery/wire/errors.ts';

/** How many ports after the wished one are tried. */
const TRIES = 100;
/** Connections that wait to be taken, for bursts of clients. */
const BACKLOG = 4096;

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Listeners on one port, at every address of the host. */
export interface OpenDoor {
  readonly servers: readonly Server[];
  readonly port: number;
}

/**
 * Listens on the port, or on the next one that is free; 0 means any. `localhost` is 127.0.0.1 and, where the machine has
 * it, ::1, with one port for both, so that whichever a browser chooses is this process.
 * @throws BinderyError port_taken when no port is free
 */
export async function openDoor(host: string, port: number, make: () => Server): Promise<OpenDoor> {
  for (let candidate = port; candidate <= Math.min(port + TRIES, 65_535); candidate++) {
    const opened = await tryPort(host, candidate, make);
    if (opened) return opened;
    if (port === 0) candidate = -1; // any port means another one
  }
  throw new BinderyError('port_taken', `The ports ${port} to ${Math.min(port + TRIES, 65_535)} are all taken.`);
}

async function tryPort(host: string, port: number, make: () => Server): Promise<OpenDoor | undefined> {
  const [first = host, ...others] = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  const server = await listen(make(), first, port);
  if (server === 'taken') return undefined;
  if (server === 'absent') throw new BinderyError('config_invalid', `This machine has no address ${host} to listen on.`);
  const servers = [server];
  const bound = portOf(server);
  for (const other of others) {
    const next = await listen(make(), other, bound);
    if (next === 'absent') continue;
    if (next === 'taken') {
      await closeDoor({ servers, port: bound });
      return undefined;
    }
    servers.push(next);
  }
  return { servers, port: bound };
}

function listen(server: Server, host: string, port: number): Promise<Server | 'taken' | 'absent'> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT' || error.code === 'ENOTFOUND') resolve('absent');
      else if (error.code === 'EACCES') reject(new BinderyError('config_invalid', `Port ${port} may not be used by this user.`));
      else reject(error);
    });
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** Takes no more connections, and cuts those that are left. */
export async function closeDoor({ servers }: OpenDoor): Promise<void> {
  await Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    ),
  );
}

/** Where a listener is reached: what its operator says, else its own address. Without a trailing slash. */
export function addressOf({ host, publicUrl }: { readonly host: string; readonly publicUrl?: string | undefined }, port: number): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
