import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it, mock } from 'node:test';
import type { Role } from '@bindery/rtc/room/room.ts';
import { enterNotes, titles, untilRoom, type NotesRoom } from '../../../../test/fakes/notes-room.ts';
import { served } from '../../../../test/fakes/served.ts';
import { until } from '../../../../test/fakes/until.ts';
import { OWN } from './dialect.ts';
import { Relay, type RelayOptions } from './relay.ts';

const base = await mkdtemp(join(tmpdir(), 'relay-'));
after(() => rm(base, { recursive: true }));
let count = 0;
const folderOf = (): string => join(base, `relay-${count++}`);
const rooms: NotesRoom[] = [];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) room.close();
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Enters the room that the path names, as the role that the query names. */
async function admit(request: IncomingMessage) {
  const url = new URL(request.url ?? '/', 'http://relay');
  const role = url.searchParams.get('role') as Role | null;
  const until = url.searchParams.get('until');
  return role
    ? { room: decodeURIComponent(url.pathname), role, user: {}, dialect: OWN, ...(until && { until: Number(until) }) }
    : 'No role, no entry.';
}

async function started(options: Partial<RelayOptions> = {}) {
  const relay = new Relay({ folder: folderOf(), admit, ...options });
  const { port, close } = await served(relay);
  ends.push(close);
  return { relay, port, url: (path: string) => `ws://127.0.0.1:${port}${path}` };
}

const enter = (url: string): Promise<NotesRoom> => enterNotes(url, rooms);

/** The code that a bare connection is closed with. */
function closeCode(url: string, say?: (socket: WebSocket) => void): Promise<number> {
  const socket = new WebSocket(url);
  return new Promise((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code));
    socket.addEventListener('open', () => say?.(socket));
  });
}

describe('the relay', () => {
  it('E4, E5 keeps rooms apart and on disk, whatever they are called', async () => {
    const folder = folderOf();
    const first = await started({ folder });
    const [a, b, other] = [
      await enter(first.url('/..%2F..%2Fx?role=edit')),
      await enter(first.url('/..%2F..%2Fx?role=read')),
      await enter(first.url('/y?role=edit')),
    ];
    a.tables.notes.create({ title: 'kept' });
    await Promise.all([a.saved(), untilRoom(b, () => titles(b).includes('kept'))]);
    assert.deepEqual(titles(other), []);
    await first.relay.close();
    const files = await readdir(folder);
    assert.ok(files.length === 2 && files.every((name) => /^[0-9a-f]{64}\.log$/.test(name)), files.join());
    const second = await started({ folder });
    assert.deepEqual(titles(await enter(second.url('/..%2F..%2Fx?role=edit'))), ['kept']);
  });

  it('E4 lets a room go when nobody is in it, and takes it up again', async () => {
    const { relay, url } = await started({ idleMs: 1 });
    const a = await enter(url('/x?role=edit'));
    a.tables.notes.create({ title: 'kept' });
    await a.saved();
    a.close();
    for (let round = 0; round < 5; round++) {
      const rooms = await Promise.all(Array.from({ length: 5 }, () => enter(url('/x?role=edit'))));
      for (const room of rooms) assert.deepEqual(titles(room), ['kept']);
      for (const room of rooms) room.close();
    }
    await relay.close();
  });

  it('E4 keeps a room in memory for the server itself, until it leaves, and says when the room ends before', async () => {
    const { relay, url } = await started({ idleMs: 1 });
    let ended = 0;
    const { room, leave } = await relay.stay('/x', () => (ended += 1));
    const a = await enter(url('/x?role=edit'));
    let heard = 0;
    const unwatch = room.watchStates(() => (heard += 1));
    a.awareness.setLocalState({ user: { name: 'a' } });
    await until('it is heard', () => heard > 0 && room.states.length === 1);
    a.close();
    // Somebody else comes and goes, later than the room would have been let go.
    for (const title of ['1', '2']) {
      const b = await enter(url('/y?role=edit'));
      b.tables.notes.create({ title });
      await b.saved();
      b.close();
    }
    await until('she has left', () => room.states.length === 0);
    assert.equal((await relay.present('/x')) === room && !room.isEnded, true);
    unwatch();
    leave();
    leave();
    const again = await relay.stay('/x', () => (ended += 1));
    assert.equal(ended, 0);
    await relay.close();
    assert.deepEqual([ended, again.room.isEnded], [1, true]);
    await assert.rejects(relay.stay('/x', () => undefined));
  });

  it('E1 lets nobody in who is not admitted, and opens nothing for them', async () => {
    const folder = folderOf();
    const { url } = await started({ folder });
    assert.equal(await closeCode(url('/x')), 4401);
    const { error } = (await enter(url('/x'))).state.get();
    assert.deepEqual([error?.code, error?.message.includes('No role, no entry.')], ['room_refused', true]);
    await assert.rejects(readdir(folder), { code: 'ENOENT' });
  });

  it('E2 answers 503 to more than it takes, and when a room cannot be opened', async () => {
    const folder = folderOf();
    await writeFile(folder, 'no folder');
    const broken = await started({ folder });
    assert.match(await rawUpgrade(broken.port), /^HTTP\/1\.1 503 /);
    const full = await started({ maxConnections: 1 });
    await enter(full.url('/x?role=edit'));
    assert.match(await rawUpgrade(full.port), /^HTTP\/1\.1 503 /);
    const failing = await started({ admit: () => Promise.reject(new Error('the hub is away')) });
    assert.match(await rawUpgrade(failing.port), /^HTTP\/1\.1 503 /);
  });

  it('E2 opens no room for who was being decided on when it closed', async () => {
    const [folder, asked, decided] = [folderOf(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { relay, port } = await started({
      folder,
      admit: async (request) => {
        asked.resolve();
        await decided.promise;
        return admit(request);
      },
    });
    const answer = rawUpgrade(port);
    await asked.promise;
    await relay.close();
    decided.resolve();
    assert.match(await answer, /^HTTP\/1\.1 503 /);
    await assert.rejects(readdir(folder), { code: 'ENOENT' });
  });

  it('E3 sends away who says nothing, too much, or does not live', async () => {
    const { url } = await started({ helloMs: 1, maxMessageBytes: 1000 });
    assert.equal(await closeCode(url('/x?role=edit')), 4408);
    const large = await started({ maxMessageBytes: 1000 });
    assert.equal(await closeCode(large.url('/x?role=edit'), (socket) => socket.send(new Uint8Array(1001))), 1009);
    assert.equal(await closeCode(large.url('/x?role=edit'), (socket) => socket.send('text')), 4400);
    const beating = await started({ beatMs: 5 });
    const socket = connectSocket(beating.port, '127.0.0.1', () => socket.write(upgradeText));
    // It reads, and answers no ping.
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('S4 ends a connection with its link, and no other', async () => {
    const { url } = await started({ beatMs: 5 });
    const stays = await enter(url(`/x?role=edit&until=${Date.now() + 3_600_000}`));
    const goes = await enter(url(`/x?role=edit&until=${Date.now()}`));
    await untilRoom(goes, () => goes.state.get().phase === 'ended');
    assert.match(goes.state.get().error?.message ?? '', /share link has ended/);
    stays.tables.notes.create({ title: 'kept' });
    await stays.saved();
  });

  it('T4, E4 opens a room anew that had ended, and gets what it could not save', async () => {
    const { url } = await started();
    const a = await enter(url('/x?role=edit'));
    const handle = await open(base);
    const mocked = mock.method(Object.getPrototypeOf(handle) as { datasync(): Promise<void> }, 'datasync', () =>
      Promise.reject(new Error('ENOSPC')),
    );
    await handle.close();
    a.tables.notes.create({ title: 'kept' });
    await untilRoom(a, () => a.state.get().phase === 'offline');
    mocked.mock.restore();
    assert.equal(a.state.get().isSaved, false);
    await a.saved();
    assert.deepEqual(titles(await enter(url('/x?role=read'))), ['kept']);
  });
});

const upgradeText = [
  'GET /x?role=edit HTTP/1.1',
  'Host: relay',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n');

/** The beginning of the answer to a plain upgrade. */
function rawUpgrade(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => socket.write(upgradeText));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
  });
}
