import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { z } from 'zod';

const MOST_BYTES = 64 * 1024;

/** As Jupyter writes down how a kernel is reached ("Connection files"), where that is by UNIX sockets. */
const Connection = z.object({
  transport: z.literal('ipc'),
  ip: z.string(),
  iopub_port: z.number().int().nonnegative(),
  key: z.string(),
  signature_scheme: z.literal('hmac-sha256').optional(),
});

/** What a kernel's socket is called and what its messages are signed with; undefined for a file that does not say so, whatever it is. */
export async function readConnection(file: string): Promise<{ readonly socket: string; readonly key: string } | undefined> {
  try {
    // Whatever lies there: it is not waited for, and not followed.
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      if (size > MOST_BYTES) return undefined;
      const { ip, iopub_port: port, key } = Connection.parse(JSON.parse((await handle.readFile()).toString()));
      // Of a path only the name: kernels in a sandbox see the folder elsewhere, and it is to be in this one.
      return { socket: `${basename(ip)}-${port}`, key };
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * Connects to a socket in a folder; undefined where there is none of this name, or none that answers.
 * Should something else come to lie at its name in between, that gets the greeting of `subscribe` and no more.
 */
export async function socketAt(folder: string, name: string): Promise<Socket | undefined> {
  // The path of a socket may have a hundred characters; that of a session's folder may be longer.
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
  if (!handle) return undefined;
  const path = process.platform === 'linux' ? `/proc/self/fd/${handle.fd}/${name}` : join(folder, name);
  try {
    if (!(await lstat(path)).isSocket()) return undefined;
    const socket = connect({ path });
    return await new Promise((resolve) => {
      socket.once('connect', () => resolve(socket));
      socket.once('error', () => resolve(undefined));
    });
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
