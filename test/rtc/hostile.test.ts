import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it, mock } from 'node:test';
import { WebSocket as Socket } from 'ws';
import * as Y from 'yjs';
import { connect } from '@bindery/rtc/room/connect.ts';
import { decodeServerFrame, encodeClientFrame, type ClientFrame, type ServerFrame } from '@bindery/rtc/room/frames.ts';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { admission } from '../../packages/bindery/src/relay/admission.ts';
import { Relay } from '../../packages/bindery/src/relay/relay.ts';
import { Shares } from '../../packages/bindery/src/relay/shares.ts';
import { states } from '../fakes/awareness.ts';
import { enterNotes, TABLES, titles, untilRoom, type NotesRoom } from '../fakes/notes-room.ts';
import { RelayProcess, type RelayProcessOptions } from '../fakes/relay-process.ts';
import { until } from '../fakes/until.ts';

const MB = 1024 * 1024;
/** Rooms that are opened and let go, and how many at once. */
const ROOMS = Number(process.env['ROOMS'] ?? 3000);
const AT_ONCE = 100;

const base = await mkdtemp(join(tmpdir(), 'relay-hostile-'));
after(() => rm(base, { recursive: true }));
let count = 0;
const rooms: NotesRoom[] = [];
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) room.close();
  for (const end of ends.splice(0).toReversed()) await end();
});

async function started({ folder = join(base, `relay-${count++}`), ...options }: RelayProcessOptions & { folder?: string } = {}) {
  const relay = await RelayProcess.start(folder, { isProbed: true, ...options });
  ends.push(() => relay.kill('SIGKILL'));
  return { relay, folder };
}
const enter = (relay: RelayProcess, room: string): Promise<NotesRoom> => enterNotes(relay.room(room), rooms);

/** A connection that says what it wants, and reads when it wants. */
class Raw {
  readonly socket: Socket;
  /** Where what it hears is applied, if that matters. */
  doc: Y.Doc | undefined;
  bytes = 0;
  acked = 0;
  #told: (() => void) | undefined;
  closed: number | undefined;

  constructor(url: string) {
    this.socket = new Socket(url, { perMessageDeflate: false });
    this.socket.on('error', () => this.socket.terminate());
    this.socket.on('close', (code) => (this.closed = code));
    this.socket.on('message', (data: Buffer) => this.#heard(decodeServerFrame(new Uint8Array(data))));
  }

  /** Comes when it is welcome. */
  async hello(): Promise<this> {
    await once(this.socket, 'open');
    this.say({ type: 'hello', version: 1, lineage: '', stateVector: new Uint8Array([0]) });
    await once(this.socket, 'message');
    return this;
  }

  say(frame: ClientFrame): void {
    this.socket.send(encodeClientFrame(frame));
  }

  /** Says it, and comes when it is safe. */
  async save(number: number, update: Uint8Array): Promise<void> {
    const told = new Promise<void>((resolve) => (this.#told = resolve));
    this.say({ type: 'update', number, update });
    await told;
    assert.equal(this.acked, number);
  }

  /** Comes when all that was said has gone, as far as the network takes it. */
  async gone(): Promise<void> {
    await until('all has gone', () => this.socket.bufferedAmount < MB || this.closed !== undefined);
  }

  #heard(frame: ServerFrame): void {
    if (frame.type === 'ack') {
      this.acked = frame.number;
      this.#told?.();
    }
    if (frame.type === 'update') this.bytes += frame.update.length;
    if (this.doc && (frame.type === 'welcome' || frame.type === 'update')) Y.applyUpdate(this.doc, frame.update);
  }
}

/** One that is ended with the test. */
function raw(url: string): Promise<Raw> {
  const made = new Raw(url);
  ends.push(() => made.socket.terminate());
  return made.hello();
}

/** Edits of a text that is always new, so that much is sent and little stays. */
function* versions(size: number): Generator<Uint8Array> {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let version = 0; ; version++) {
    doc.transact(() => {
      const text = doc.getText('text');
      text.delete(0, text.length);
      text.insert(0, String(version % 10).repeat(size));
    });
    yield updates.pop() as Uint8Array;
  }
}

describe('the relay among the hostile', () => {
  it('B1, B2 one of fifty that never reads costs the relay little and the others nothing', async () => {
    const { relay } = await started();
    const [slow, editor, ...others] = await Promise.all(Array.from({ length: 50 }, () => raw(relay.room('x'))));
    const one = others[0];
    assert.ok(slow && editor && one);
    for (const raw of [slow, one]) raw.doc = new Y.Doc();
    slow.socket.pause();
    const before = await relay.memory();
    let [number, sent] = [0, 0];
    for (const update of versions(64 * 1024)) {
      await editor.save(++number, update);
      sent += update.length;
      if (sent > 20 * MB) break;
    }
    const text = `${(number - 1) % 10}`.repeat(64 * 1024);
    await until('the others have it', () => others.every(({ bytes }) => bytes >= sent));
    assert.equal(one.doc?.getText('text').toJSON(), text);
    const { used } = await relay.memory();
    assert.ok(used - before.used < 8 * MB, `${(used - before.used) / MB} MB more`);
    slow.socket.resume();
    await until('it is caught up', () => slow.doc?.getText('text').toJSON() === text);
    assert.ok(slow.bytes < sent / 2);
  });

  const floods: [what: string, say: (raw: Raw, index: number) => void][] = [
    ['pings', (raw) => raw.say({ type: 'ping' })],
    ['presence', (raw, index) => raw.say({ type: 'awareness', states: states([[7, index + 1, `{"a":"${'x'.repeat(500)}"}`]]) })],
    ['edits that say nothing', (raw, index) => raw.say({ type: 'update', number: index + 1, update: new Uint8Array([0, 0]) })],
  ];
  for (const [what, say] of floods) {
    it(`B1 a flood of ${what} from one that does not read costs little memory, and the others go on`, async () => {
      const { relay } = await started();
      const [flooder, good, other] = [await raw(relay.room('x')), await enter(relay, 'x'), await enter(relay, 'x')];
      const before = await relay.memory();
      flooder.socket.pause();
      for (let index = 0; index < 40_000 && flooder.closed === undefined; index++) {
        say(flooder, index);
        if (index % 5000 === 0) await flooder.gone();
        if (index === 20_000) good.tables.notes.create({ title: 'in the flood' });
      }
      await good.saved();
      await untilRoom(other, () => titles(other).includes('in the flood'));
      const { used } = await relay.memory();
      assert.ok(used - before.used < 32 * MB, `${((used - before.used) / MB).toFixed(1)} MB more`);
    });
  }

  it('M1 an edit that is nested without end is none, and nobody else notices', async () => {
    const { relay } = await started();
    const [bad, good] = [await raw(relay.room('x')), await enter(relay, 'x')];
    bad.say({ type: 'update', number: 1, update: nested(100_000) });
    await until('it is sent away', () => bad.closed !== undefined);
    assert.equal(bad.closed, 4400);
    good.tables.notes.create({ title: 'after it' });
    await good.saved();
    assert.deepEqual(titles(await enter(relay, 'x')), ['after it']);
  });

  it('T4, L7 a disk that is full loses nothing that was acknowledged; what was not is kept by who wrote it, and saved when there is room', async () => {
    // A disk of its own, that nobody else has.
    const mount = [
      'unshare',
      '-rm',
      'sh',
      '-c',
      'mount -t tmpfs -o size=3m disk "$0" && head -c 1500000 /dev/zero > "$0/ballast" && exec "$@"',
    ];
    const folder = join(base, 'full');
    mkdirSync(folder);
    const { relay } = await started({ wrapper: [...mount, folder], folder });
    const writer = await enter(relay, 'x');
    const safe = new Set<string>();
    for (let count = 0; writer.state.get().phase === 'open' && count < 1000; count++) {
      const title = `${count} ${'x'.repeat(50_000)}`;
      writer.tables.notes.create({ title });
      const saved = writer.saved().then(() => safe.add(title));
      await Promise.race([saved, untilRoom(writer, () => writer.state.get().phase !== 'open')]);
    }
    assert.equal(writer.state.get().phase, 'offline');
    assert.equal(writer.state.get().isSaved, false);
    assert.ok(safe.size > 5, `${safe.size} were safe`);
    rmSync(join(`/proc/${relay.child.pid}/root`, folder, 'ballast'));
    await writer.saved();
    const found = titles(await enter(relay, 'x'));
    assert.deepEqual(found, titles(writer));
    for (const title of safe) assert.ok(found.includes(title));
  });

  it('E2 more rooms than the system has files for: some come again later, those who are there notice nothing', async () => {
    const { relay } = await started({ wrapper: ['prlimit', '--nofile=150', '--'], settings: ['relay.idle=1'] });
    const stays = await enter(relay, 'stays');
    const crowd = Array.from({ length: 120 }, (_none, index) => connect({ url: relay.room(`room ${index}`), tables: TABLES }));
    rooms.push(...crowd);
    await until('some are in', () => crowd.filter((room) => room.state.get().phase === 'open').length > 20);
    stays.tables.notes.create({ title: 'meanwhile' });
    await stays.saved();
    // Who has got what they came for, goes, and the next comes in.
    for (const room of crowd) room.tables.notes.create({ title: 'mine' });
    await Promise.all(crowd.map((room) => room.saved().then(() => room.close())));
    stays.tables.notes.create({ title: 'afterwards' });
    await stays.saved();
    assert.deepEqual(titles(await enter(relay, 'stays')), ['afterwards', 'meanwhile']);
  });

  it(`E4 ${ROOMS} rooms that were let go leave nothing in memory`, async (t) => {
    const { relay, folder } = await started({ settings: ['relay.idle=1'] });
    const update = versions(100).next().value as Uint8Array;
    const visit = async (index: number): Promise<void> => {
      const visitor = await new Raw(relay.room(`room ${index}`)).hello();
      await visitor.save(1, update);
      visitor.socket.close();
    };
    const visitAll = async (start: number, end: number): Promise<void> => {
      let next = start;
      const visitor = async (): Promise<void> => {
        while (next < end) await visit(next++);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, visitor));
      await until('all are let go', () => openLogs(relay) === 0);
    };
    await visitAll(0, ROOMS / 10);
    const before = await relay.memory();
    await visitAll(ROOMS / 10, ROOMS);
    const { used } = await relay.memory();
    assert.equal((await readdir(join(folder, 'rooms'))).length, ROOMS);
    t.diagnostic(`${ROOMS} rooms: ${((used - before.used) / 1e6).toFixed(2)} MB more`);
    // What it takes to have run for a while, and of each room as good as nothing.
    assert.ok(used - before.used < MB + ROOMS * 100, `${used - before.used} bytes more`);
  });

  it('S4 a link ends when its second has come, also when the clock jumps there, and a clock that jumps back ends none', async () => {
    mock.timers.enable({ apis: ['Date'], now: 1_000_000_000_000 });
    ends.push(() => mock.timers.reset());
    const key = 'k'.repeat(32);
    const relay = new Relay({
      folder: join(base, 'clock'),
      admit: admission({ key, clock: { ...systemClock, now: () => Date.now() }, origins: [] }),
      beatMs: 5,
    });
    const server = createServer().on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(async () => {
      await relay.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const share = new Shares(key).sign({ room: 'x', role: 'edit', until: Date.now() + 60_000 });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/room/x?share=${share}`;
    const room = await enterNotes(url, rooms);
    mock.timers.setTime(Date.now() - 86_400_000);
    room.tables.notes.create({ title: 'yesterday' });
    await room.saved();
    mock.timers.setTime(Date.now() + 2 * 86_400_000);
    await untilRoom(room, () => room.state.get().phase === 'ended');
    const late = await enterNotes(url, rooms);
    assert.match(late.state.get().error?.message ?? '', /ended/);
  });
});

/** An edit that holds a list in a list in a list … */
function nested(depth: number): Uint8Array {
  const doc = new Y.Doc();
  doc.getMap('map').set('key', ['innermost']);
  const update = Buffer.from(Y.encodeStateAsUpdate(doc));
  // A list of one, as lib0 writes it.
  const list = Buffer.from([117, 1]);
  const at = update.indexOf(Buffer.concat([list, Buffer.from([119, 9]), Buffer.from('innermost')]));
  return new Uint8Array(Buffer.concat([update.subarray(0, at), Buffer.alloc(depth * 2, list), update.subarray(at)]));
}

/** Logs that the relay has open: one for every room in memory. */
function openLogs(relay: RelayProcess): number {
  return relay.openFiles().filter((name) => name.endsWith('.log')).length;
}
