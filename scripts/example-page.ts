import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { extname, join } from 'node:path';
import { systemClock } from '../packages/bindery/src/base/clock.ts';
import { closeDoor, openDoor } from '../packages/bindery/src/base/doors.ts';
import { keyIn } from '../packages/bindery/src/base/secrets.ts';
import { StateLock } from '../packages/bindery/src/base/state-lock.ts';
import { admission } from '../packages/bindery/src/relay/admission.ts';
import { Relay } from '../packages/bindery/src/relay/relay.ts';
import { Shares } from '../packages/bindery/src/relay/shares.ts';
import type { Role } from '../packages/wire/src/roles.ts';

/** Something that was started: how one gets in, and how it is ended. */
export interface Running {
  readonly link: string;
  close(): Promise<void>;
}

const WEB = join(import.meta.dirname, '../packages/web/dist');
const POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** Milliseconds that a printed link lasts: a day. */
const DAY = 86_400_000;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** One server for a built page and the relay whose room it is; the documents lie in `folder`. */
export async function startPage(name: string, folder: string, port: number, role: Role): Promise<Running> {
  const lock = await StateLock.take(folder, 'relay');
  const key = await keyIn(join(folder, 'relay.key'));
  const origins: string[] = [];
  const relay = new Relay({ folder: join(folder, 'rooms'), admit: admission({ key, clock: systemClock, origins }) });
  const door = await openDoor('localhost', port, () =>
    createServer(answer).on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head)),
  );
  const host = `localhost:${door.port}`;
  origins.push(`http://${host}`);
  const share = new Shares(key).sign({ room: name, role, until: Math.floor((Date.now() + DAY) / 1000) * 1000 });
  return {
    link: `http://${host}/${name}.html#ws://${host}/room/${name}?share=${share}`,
    close: async () => {
      await relay.close();
      await closeDoor(door);
      await lock.release();
    },
  };
}

/** The built pages and nothing else: what is asked for never becomes a path of its own making. */
const answer: RequestListener = (request, response) => {
  const [, file] = /^\/((?:assets\/)?[\w-]+(?:\.[\w-]+)*\.(?:html|js|css|svg))$/.exec((request.url ?? '').replace(/\?.*/s, '')) ?? [];
  const page = file === undefined ? Promise.reject(new Error('no such page')) : readFile(join(WEB, file));
  page.then(
    (bytes) => {
      response.writeHead(200, {
        'content-type': TYPES[extname(file ?? '')] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      response.end(bytes);
    },
    () => response.writeHead(404, { 'content-type': 'text/plain' }).end('There is nothing here.\n'),
  );
};
