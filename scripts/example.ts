// Runs one of the examples of packages/rtc: `npm run example rtc-todo`. One server for the page and the relay, on a free port of this machine;
// prints a link that lets whoever has it in. Ctrl-C ends it, and takes the documents away unless --folder says where to keep them.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../packages/bindery/src/base/clock.ts';
import { closeDoor, openDoor } from '../packages/bindery/src/base/doors.ts';
import { keyIn } from '../packages/bindery/src/base/secrets.ts';
import { StateLock } from '../packages/bindery/src/base/state-lock.ts';
import { interruptOf } from '../packages/bindery/src/cli/interrupt.ts';
import { admission } from '../packages/bindery/src/relay/admission.ts';
import { Relay } from '../packages/bindery/src/relay/relay.ts';
import { Shares } from '../packages/bindery/src/relay/shares.ts';
import { ROLES } from '../packages/wire/src/roles.ts';

const WEB = join(import.meta.dirname, '../packages/web/dist');
/** The pages, and what one has to know of each. */
const EXAMPLES: Record<string, string> = {
  'rtc-todo': 'a shared to-do list',
  'rtc-lumino': 'three shared texts with cursors',
};
/** Milliseconds that a printed link lasts: a day. */
const DAY = 86_400_000;
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string' }, port: { type: 'string', default: '0' }, role: { type: 'string', default: 'edit' } },
});
const [name = ''] = positionals;
const port = Number(values.port);
const role = ROLES.find((each) => each === values.role);
if (!(name in EXAMPLES) || !role || !Number.isInteger(port)) {
  const known = Object.entries(EXAMPLES).map(([each, about]) => `  npm run example ${each}    ${about}`);
  process.stderr.write(
    `One of:\n${known.join('\n')}\nwith -- --folder <folder> to keep the documents, --port <number>, --role ${ROLES.join('|')}\n`,
  );
  process.exit(2);
}

const interrupt = interruptOf(process, () => systemClock.monotonic());
const folder = resolve(values.folder ?? (await mkdtemp(join(tmpdir(), 'bindery-example-'))));
await mkdir(folder, { recursive: true });
const lock = await StateLock.take(folder, 'relay');
const key = await keyIn(join(folder, 'relay.key'));
const origins: string[] = [];
const relay = new Relay({ folder: join(folder, 'rooms'), admit: admission({ key, clock: systemClock, origins }) });

/** The built pages and nothing else: what is asked for never becomes a path of its own making. */
const answer: RequestListener = (request, response) => {
  const [, file] = /^\/((?:assets\/)?[\w-]+(?:\.[\w-]+)*\.(?:html|js|css|svg))$/.exec((request.url ?? '').replace(/\?.*/s, '')) ?? [];
  const page = file === undefined ? Promise.reject(new Error('no such page')) : readFile(join(WEB, file));
  page.then(
    (bytes) => {
      response.writeHead(200, {
        'content-type': TYPES[extname(file ?? '')] ?? 'application/octet-stream',
        'content-security-policy': `default-src 'self'; connect-src 'self' ${origins.map((each) => each.replace('http', 'ws')).join(' ')}; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      response.end(bytes);
    },
    () => response.writeHead(404, { 'content-type': 'text/plain' }).end('There is nothing here.\n'),
  );
};

const door = await openDoor('localhost', port, () =>
  createServer(answer).on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head)),
);
const origin = `http://localhost:${door.port}`;
origins.push(origin);
const share = new Shares(key).sign({ room: name, role, until: Math.floor((Date.now() + DAY) / 1000) * 1000 });
process.stdout.write(`${origin}/${name}.html#ws://localhost:${door.port}/room/${name}?share=${share}\n`);
process.stderr.write('  Whoever has this link, on this machine, shares the documents. Press Ctrl-C to end it.\n');

await new Promise<void>((done) => {
  if (interrupt.signal.aborted) done();
  else interrupt.signal.addEventListener('abort', () => done(), { once: true });
});
await relay.close();
await closeDoor(door);
await lock.release();
if (values.folder === undefined) await rm(folder, { recursive: true });
process.exit(0);
