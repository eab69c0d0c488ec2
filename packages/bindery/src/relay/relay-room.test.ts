import assert from 'node:assert/strict';
import { appendFile, copyFile, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it, mock } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { connect } from '@bindery/rtc/room/connect.ts';
import { decodeServerFrame, encodeClientFrame, type ClientFrame, type ServerFrame } from '@bindery/rtc/room/frames.ts';
import type { Role, Room } from '@bindery/rtc/room/room.ts';
import { string, text } from '@bindery/rtc/tables/fields.ts';
import { defineTable } from '@bindery/rtc/tables/table.ts';
import { states } from '../../../../test/fakes/awareness.ts';
import { CommitPace } from './commit-pace.ts';
import { OWN } from './dialect.ts';
import type { Member } from './audience.ts';
import { RelayRoom } from './relay-room.ts';
import { RoomLog } from './room-log.ts';

const TABLES = { notes: defineTable({ title: string(), body: text() }) };
const folder = await mkdtemp(join(tmpdir(), 'relay-room-'));
after(() => rm(folder, { recursive: true }));
let count = 0;
const place = (): string => join(folder, `room-${count++}`);
const clients: Room<typeof TABLES>[] = [];
const relays: RelayRoom[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const relay of relays.splice(0)) await relay.close();
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function opened(file = place()): Promise<RelayRoom> {
  const relay = await RelayRoom.open(file);
  relays.push(relay);
  return relay;
}

/** Where clients get to, now, and what takes their connections away. */
interface Place {
  relay: RelayRoom;
  readonly cuts: Set<() => void>;
}

/** A client that comes again to whatever is there. */
function guest(place: Place): Room<typeof TABLES> {
  const room = connect({
    url: 'ws://room',
    tables: TABLES,
    open: (_url, events) => {
      const { relay } = place;
      const leave = (): void => {
        place.cuts.delete(cut);
        relay.leave(member);
      };
      const cut = (): void => {
        leave();
        events.closed(1006, '');
      };
      const member: Member = {
        role: 'edit',
        user: {},
        dialect: OWN,
        send: (frame) => events.received(frame),
        waiting: () => 0,
        close: cut,
      };
      queueMicrotask(() => {
        place.cuts.add(cut);
        relay.enter(member);
        events.opened();
      });
      return { send: (frame) => relay.receive(member, frame), close: leave };
    },
  });
  clients.push(room);
  return room;
}

/** A real client, wired to the room without a network. */
async function client(relay: RelayRoom, role: Role = 'edit', user: JsonObject = {}): Promise<Room<typeof TABLES>> {
  const room = connect({
    url: 'ws://room',
    tables: TABLES,
    open: (_url, events) => {
      const member: Member = {
        role,
        user,
        dialect: OWN,
        send: (frame) => events.received(frame),
        waiting: () => 0,
        close: (code, reason) => events.closed(code, reason),
      };
      queueMicrotask(() => {
        relay.enter(member);
        events.opened();
      });
      return { send: (frame) => relay.receive(member, frame), close: () => relay.leave(member) };
    },
  });
  clients.push(room);
  await turn();
  return room;
}

/** A connection that says what the test says, and keeps what it hears. */
class Raw implements Member {
  readonly role: Role;
  readonly user: JsonObject;
  readonly dialect = OWN;
  readonly heard: ServerFrame[] = [];
  readonly #relay: RelayRoom;
  closed: number | undefined;
  heap = 0;

  constructor(relay: RelayRoom, role: Role = 'edit', user: JsonObject = {}) {
    this.#relay = relay;
    this.role = role;
    this.user = user;
    relay.enter(this);
  }

  send(frame: Uint8Array): void {
    this.heard.push(decodeServerFrame(frame));
  }

  waiting(): number {
    return this.heap;
  }

  close(code: number): void {
    this.closed = code;
  }

  say(frame: ClientFrame): void {
    this.#relay.receive(this, encodeClientFrame(frame));
  }

  hello(lineage = '', version = 1): this {
    this.say({ type: 'hello', version, lineage, stateVector: new Uint8Array([0]) });
    return this;
  }

  of<T extends ServerFrame['type']>(type: T): Extract<ServerFrame, { type: T }>[] {
    return this.heard.filter((frame): frame is Extract<ServerFrame, { type: T }> => frame.type === type);
  }

  /** The document that it has been told. */
  text(): string {
    const doc = new Y.Doc();
    for (const { update } of [...this.of('welcome'), ...this.of('update')]) Y.applyUpdate(doc, update);
    return doc.getText('t').toJSON();
  }
}

/** The updates of somebody who types these letters, one each. */
function typed(letters: string): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (const letter of letters) doc.getText('t').insert(doc.getText('t').length, letter);
  return updates;
}
/** The one update of somebody who types all of this. */
const whole = (letters: string): Uint8Array => typed(letters).reduce((a, b) => Y.mergeUpdates([a, b]));
async function until(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !isTrue(); await turn()) assert.ok(Date.now() < end, 'it did not come about in 10 s');
}

describe('a room of the relay', () => {
  it('T2 has what was acknowledged after a crash, for clients that edit at once', async () => {
    const file = place();
    const relay = await opened(file);
    const [a, b] = [await client(relay), await client(relay)];
    a.tables.notes.create({ body: 'middle' }, { id: 'x' });
    await a.saved();
    a.tables.notes.update('x', { body: 'first, middle' });
    b.tables.notes.update('x', { body: 'middle, last' });
    await Promise.all([a.saved(), b.saved()]);
    // What is on the disk now is all that a crash leaves.
    const left = place();
    await copyFile(file, left);
    const again = await client(await opened(left));
    assert.equal(again.tables.notes.get('x')?.body, 'first, middle, last');
    for (const room of [a, b]) assert.equal(room.tables.notes.get('x')?.body, 'first, middle, last');
  });

  it('T1, T2 sends a turn on as one frame, and to its only sender an acknowledgement', async () => {
    const relay = await opened();
    const [a, b, reader] = [new Raw(relay).hello(), new Raw(relay).hello(), new Raw(relay, 'read').hello()];
    typed('abc').forEach((update, index) => a.say({ type: 'update', number: index + 1, update }));
    await until(() => a.of('ack').length > 0);
    assert.deepEqual([a.of('update').length, b.of('update').length, reader.of('update').length], [0, 1, 1]);
    assert.deepEqual(a.of('ack'), [{ type: 'ack', number: 3 }]);
    a.say({ type: 'update', number: 4, update: whole('x') });
    b.say({ type: 'update', number: 1, update: whole('y') });
    await until(() => b.of('ack').length > 0);
    assert.deepEqual([a.of('update').length, b.of('update').length, reader.of('update').length], [1, 2, 2]);
    assert.equal(reader.text().length, 5);
    assert.equal(b.text(), reader.text());
  });

  it('T2 acknowledges what says nothing new, when what said it is safe', async () => {
    const relay = await opened();
    const a = new Raw(relay).hello();
    const [update = new Uint8Array()] = typed('a');
    a.say({ type: 'update', number: 1, update });
    await turn();
    a.say({ type: 'update', number: 7, update });
    await until(() => a.of('ack').at(-1)?.number === 7);
    // Both were safe at once.
    assert.equal(a.of('ack').length, 1);
  });

  it('T1 takes in together what comes within a moment, and the first at once', async () => {
    const relay = await RelayRoom.open(place(), { turns: { end: (last) => last + 60_000, sent: () => undefined } });
    relays.push(relay);
    const [a, b] = [new Raw(relay).hello(), new Raw(relay).hello()];
    const updates = typed('abcd');
    const say = (index: number): void => a.say({ type: 'update', number: index + 1, update: updates[index] ?? new Uint8Array() });
    say(0);
    await turn();
    assert.equal(b.text(), 'a');
    say(1);
    await turn();
    say(2);
    await turn();
    assert.equal(b.text(), 'a');
    // Nobody who comes, and nothing of the server's own, waits for that.
    assert.equal(new Raw(relay).hello().text(), 'abc');
    assert.deepEqual([b.text(), b.of('update').length], ['abc', 2]);
    say(3);
    await relay.edit(() => relay.doc.getText('t').insert(0, '>'));
    assert.equal(b.text(), '>abcd');
  });

  it('T1 waits no longer when enough was gathered, and says how many it told', async () => {
    const sent: number[] = [];
    const end = (_last: number, gathered: number, now: number): number => (gathered < 3 ? now + 60_000 : now);
    const relay = await RelayRoom.open(place(), { turns: { end, sent: (messages) => sent.push(messages) } });
    relays.push(relay);
    const [a, b, c] = [new Raw(relay).hello(), new Raw(relay).hello(), new Raw(relay).hello()];
    const updates = typed('abcd');
    for (const [index, update] of updates.entries()) {
      a.say({ type: 'update', number: index + 1, update });
      await turn();
      assert.deepEqual([b.text(), c.text()], index < 2 ? ['', ''] : ['abc', 'abc']);
    }
    assert.deepEqual(sent, [2]);
  });

  it('T7 tells of what takes out a cell with writings when that is safe, and of what comes behind it and to who comes meanwhile after it', async (t) => {
    const relay = await opened();
    const [a, b] = [new Raw(relay).hello(), new Raw(relay).hello()];
    const doc = new Y.Doc();
    let number = 0;
    doc.on('update', (update: Uint8Array) => a.say({ type: 'update', number: ++number, update }));
    const edit = async (body: () => void): Promise<void> => {
      doc.transact(body);
      await turn();
    };
    const cells = doc.getMap<Y.Text>('cells');
    await edit(() => cells.set('x', new Y.Text('written')));
    await edit(() => cells.get('x')?.delete(0, 1));
    await until(() => a.of('ack').at(-1)?.number === 2);
    assert.equal(b.of('update').length, 2, 'letters that are taken out are told at once');
    const write = Promise.withResolvers<void>();
    const append = t.mock.method(RoomLog.prototype, 'append', () => write.promise);
    const slow = new Raw(relay).hello();
    slow.heap = 5 * 1024 * 1024;
    await edit(() => cells.delete('x'));
    slow.heap = 0;
    relay.drained(slow);
    assert.equal(slow.of('update').length, 0, 'nor is it caught up');
    await edit(() => cells.set('y', new Y.Text('behind')));
    const late = new Raw(relay).hello();
    late.say({ type: 'ping' });
    const flooding = new Raw(relay).hello();
    for (let times = 0; times < 9; times++) flooding.say({ type: 'update', number: 1, update: new Uint8Array(1024 * 1024) });
    assert.deepEqual([flooding.heard.length, flooding.closed], [0, 4400]);
    assert.deepEqual(
      [b.of('update').length, late.heard.length, append.mock.calls.map(({ arguments: [, mayWait] }) => mayWait)],
      [2, 0, [false, false]],
    );
    write.resolve();
    await turn();
    assert.deepEqual([b.of('update').length, late.of('welcome').length, late.of('pong').length, a.of('ack').at(-1)?.number], [4, 1, 1, 4]);
    assert.equal(slow.of('update').length, 1);
    append.mock.restore();
  });

  it('L9 has the log written at once when 16 updates of one member wait for it', async () => {
    const pace = new CommitPace();
    pace.wait = () => 60_000;
    const relay = await RelayRoom.open(place(), { pace });
    relays.push(relay);
    const members = [new Raw(relay).hello(), new Raw(relay).hello()];
    const [a, b] = members;
    const updates = typed('x'.repeat(16));
    const say = async (index: number, raw = a): Promise<void> => {
      raw?.say({ type: 'update', number: index + 1, update: updates[index] ?? new Uint8Array() });
      await turn();
    };
    for (let index = 0; index < 15; index++) for (const raw of members) await say(index, raw);
    for (let turns = 0; turns < 10; turns++) await turn();
    assert.deepEqual([a?.of('ack').length, b?.of('ack').length], [0, 0]);
    await say(15);
    await until(() => b?.of('ack').at(-1)?.number === 15);
    assert.deepEqual(a?.of('ack'), [{ type: 'ack', number: 16 }]);
  });

  it('T3 leaves a log of one record, where it had grown', async () => {
    const file = place();
    const relay = await RelayRoom.open(file);
    const a = new Raw(relay).hello();
    for (const [index, update] of typed('x'.repeat(3000)).entries()) {
      a.say({ type: 'update', number: index + 1, update });
      await turn();
    }
    await until(() => a.of('ack').at(-1)?.number === 3000);
    await relay.close();
    const { log, updates } = await RoomLog.open(file);
    await log.close();
    assert.equal(updates.length, 1);
    assert.equal(new Raw(await opened(file)).hello().text(), 'x'.repeat(3000));
  });

  it('Q1, Q2 rests while all are there and nobody edits, and goes on', async () => {
    const relay = await RelayRoom.open(place(), { quietMs: 1 });
    relays.push(relay);
    const [a, b] = [new Raw(relay).hello(), new Raw(relay).hello()];
    const [first = new Uint8Array(), second = new Uint8Array(), third = new Uint8Array()] = typed('abc');
    a.say({ type: 'update', number: 1, update: first });
    await until(() => b.text() === 'a' && relay.isResting);
    const c = new Raw(relay).hello();
    assert.deepEqual([c.text(), relay.isResting], ['a', true]);
    // One that needs what is not there is refused, also by one that rests.
    const late = new Raw(relay).hello();
    late.say({ type: 'update', number: 1, update: third });
    await turn();
    assert.equal(late.closed, 4400);
    await until(() => relay.isResting);
    b.say({ type: 'update', number: 1, update: second });
    await until(() => c.text() === 'ab' && b.of('ack').length === 1);
    // Who takes too slowly is caught up by one that rests, too.
    c.heap = 5 * 1024 * 1024;
    b.say({ type: 'update', number: 2, update: third });
    await until(() => b.of('ack').length === 2 && relay.isResting);
    assert.equal(c.text(), 'ab');
    c.heap = 0;
    relay.drained(c);
    assert.equal(c.text(), 'abc');
  });

  it('T3 keeps its log short', async () => {
    const file = place();
    const relay = await opened(file);
    const a = new Raw(relay).hello();
    const doc = new Y.Doc();
    let number = 0;
    doc.on('update', (update: Uint8Array) => a.say({ type: 'update', number: ++number, update }));
    for (let round = 0; round < 12; round++) {
      doc.transact(() => {
        doc.getText('t').delete(0, doc.getText('t').length);
        doc.getText('t').insert(0, String(round).repeat(150_000));
      });
      await until(() => a.of('ack').at(-1)?.number === number);
    }
    await relay.close();
    const { size } = await stat(file);
    assert.ok(size < 1_500_000, `${size} bytes`);
    const again = new Raw(await opened(file)).hello();
    assert.equal(again.text(), '11'.repeat(150_000));
  });

  it('T3 keeps its log short where only the server edits', async () => {
    const file = place();
    const relay = await opened(file);
    const text = relay.doc.getText('t');
    for (let round = 0; round < 12; round++) {
      await relay.edit(() => {
        text.delete(0, text.length);
        text.insert(0, String(round).repeat(150_000));
      });
    }
    await relay.close();
    const { size } = await stat(file);
    assert.ok(size < 1_500_000, `${size} bytes`);
  });

  it('T4 acknowledges nothing that could not be saved, and sends everybody away', async () => {
    const relay = await opened();
    const [a, b] = [new Raw(relay).hello(), new Raw(relay).hello()];
    const handle = await open(folder);
    const mocked = mock.method(Object.getPrototypeOf(handle) as { datasync(): Promise<void> }, 'datasync', () =>
      Promise.reject(new Error('ENOSPC')),
    );
    await handle.close();
    a.say({ type: 'update', number: 1, update: whole('a') });
    await until(() => relay.isEnded);
    mocked.mock.restore();
    assert.deepEqual([a.closed, b.closed, a.of('ack').length, relay.size], [1013, 1013, 0, 0]);
    assert.equal(new Raw(relay).closed, 1013);
  });

  it('M3 tells nothing to one of another history or version', async () => {
    const relay = await opened();
    new Raw(relay).hello().say({ type: 'update', number: 1, update: whole('secret') });
    const others = [new Raw(relay).hello('another'), new Raw(relay).hello('', 2)];
    assert.deepEqual(
      others.map(({ closed, heard }) => [closed, heard.map((frame) => frame.type === 'refused' && frame.code)]),
      [
        [4403, ['room_diverged']],
        [4403, ['version']],
      ],
    );
    const [welcome] = new Raw(relay).hello().of('welcome');
    assert.equal(new Raw(relay).hello(welcome?.lineage).closed, undefined);
  });

  it('M2 takes no update of a reader', async () => {
    const relay = await opened();
    const [reader, other] = [new Raw(relay, 'read').hello(), new Raw(relay).hello()];
    reader.say({ type: 'update', number: 1, update: whole('no') });
    await turn();
    assert.equal(reader.of('refused')[0]?.code, 'room_read_only');
    assert.deepEqual([reader.closed, other.text()], [4403, '']);
    const room = await client(relay, 'read');
    assert.throws(() => room.tables.notes.create({}), /read/);
  });

  const [first = new Uint8Array(), , third = new Uint8Array()] = typed('abc');
  const deleted = new Y.Doc();
  Y.applyUpdate(deleted, first);
  deleted.getText('t').delete(0, 1);
  const wrong: [string, (raw: Raw, relay: RelayRoom) => void][] = [
    ['no frame', (raw, relay) => relay.receive(raw, new Uint8Array([1, 2, 3]))],
    ['text', (raw, relay) => relay.receive(raw, new Uint8Array())],
    ['a second hello', (raw) => raw.hello()],
    ['an update that is none', (raw) => raw.say({ type: 'update', number: 1, update: new Uint8Array([1, 255, 255, 255, 255, 1]) })],
    ['half an update', (raw) => raw.say({ type: 'update', number: 1, update: whole('some text').subarray(0, 12) })],
    ['an update with a gap', (raw) => raw.say({ type: 'update', number: 1, update: third })],
    [
      'the deletion of what is not there',
      (raw) => raw.say({ type: 'update', number: 1, update: Y.diffUpdate(Y.encodeStateAsUpdate(deleted), Y.encodeStateVector(deleted)) }),
    ],
    ['awareness that is none', (raw) => raw.say({ type: 'awareness', states: new Uint8Array([1, 1]) })],
    ['awareness that is no JSON', (raw) => raw.say({ type: 'awareness', states: states([[1, 1, '{']]) })],
    ['awareness that is no object', (raw) => raw.say({ type: 'awareness', states: states([[1, 1, '[]']]) })],
    [
      'awareness nested without end',
      (raw) => raw.say({ type: 'awareness', states: states([[1, 1, `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`]]) }),
    ],
    [
      'awareness of two',
      (raw) =>
        raw.say({
          type: 'awareness',
          states: states([
            [1, 1, '{}'],
            [2, 1, '{}'],
          ]),
        }),
    ],
    ['too much awareness', (raw) => raw.say({ type: 'awareness', states: states([[1, 1, JSON.stringify({ a: 'x'.repeat(70_000) })]]) })],
  ];
  for (const [what, act] of wrong) {
    it(`M1, P3 ends who says ${what}, and nobody else notices`, async () => {
      const relay = await opened();
      const [bad, good] = [new Raw(relay).hello(), new Raw(relay).hello()];
      act(bad, relay);
      good.say({ type: 'update', number: 1, update: whole('good') });
      await until(() => good.of('ack').length === 1);
      assert.deepEqual([bad.closed, good.closed, relay.size], [4400, undefined, 1]);
      assert.equal(new Raw(relay).hello().text(), 'good');
      bad.say({ type: 'update', number: 1, update: whole('late') });
      await turn();
      assert.equal(new Raw(relay).hello().text(), 'good');
    });
  }

  it('M1 ends who speaks before the hello', async () => {
    const relay = await opened();
    for (const frame of [{ type: 'ping' }, { type: 'update', number: 1, update: whole('x') }] as const) {
      const raw = new Raw(relay);
      raw.say(frame);
      assert.deepEqual([raw.closed, raw.heard], [4400, []]);
    }
  });

  it('P1, P3 shows who comes back, also while the old connection is not known to be lost', async () => {
    const relay = await opened();
    const here: Place = { relay, cuts: new Set() };
    const [a, b] = [guest(here), await client(relay)];
    a.awareness.setLocalState({ cursor: 1 });
    const isSeen = (): boolean => b.awareness.getStates().has(a.awareness.clientID);
    await until(isSeen);
    for (const cut of here.cuts) cut();
    assert.equal(isSeen(), false);
    await until(isSeen);
    const [old, again] = [new Raw(relay).hello(), new Raw(relay).hello()];
    old.say({ type: 'awareness', states: states([[7, 1, '{}']]) });
    again.say({ type: 'awareness', states: states([[7, 2, '{"cursor":2}']]) });
    assert.deepEqual([again.closed, b.awareness.getStates().get(7)], [undefined, { user: {} }]);
    relay.leave(old);
    again.say({ type: 'awareness', states: states([[7, 3, '{"cursor":3}']]) });
    assert.deepEqual(b.awareness.getStates().get(7), { cursor: 3, user: {} });
  });

  it('P1, P2, P3 shows who is there, under the name that the server knows', async () => {
    const relay = await opened();
    const [a, b] = [await client(relay, 'edit', { name: 'Ada' }), await client(relay)];
    a.awareness.setLocalState({ user: { name: 'Somebody else', color: 'red' }, cursor: 1 });
    const seen = (room: Room<typeof TABLES>): unknown => room.awareness.getStates().get(a.awareness.clientID);
    assert.deepEqual(seen(b), { user: { name: 'Ada', color: 'red' }, cursor: 1 });
    assert.deepEqual(seen(await client(relay)), seen(b));
    const liar = new Raw(relay).hello();
    liar.say({ type: 'awareness', states: states([[a.awareness.clientID, 99, '{"user":{"name":"Liar"}}']]) });
    assert.deepEqual([liar.closed, seen(b)], [undefined, { user: { name: 'Ada', color: 'red' }, cursor: 1 }]);
    const two = new Raw(relay).hello();
    two.say({ type: 'awareness', states: states([[5, 1, '{}']]) });
    two.say({ type: 'awareness', states: states([[5, 1, '{"old":1}']]) });
    two.say({ type: 'awareness', states: states([[6, 1, '{}']]) });
    assert.equal(two.closed, 4400);
    assert.deepEqual(seen(b), { user: { name: 'Ada', color: 'red' }, cursor: 1 });
    assert.equal(b.awareness.getStates().has(5), false);
    a.close();
    assert.equal(seen(b), undefined);
  });

  it('B1, B2 leaves one behind that does not read, and catches it up in one piece', async () => {
    const relay = await opened();
    const [slow, quick] = [new Raw(relay).hello(), new Raw(relay).hello()];
    slow.heap = 5 * 1024 * 1024;
    const [before, letters] = [slow.heard.length, 'abcdefghijklmnopqrstuvwxyz'];
    slow.say({ type: 'update', number: 1, update: whole('mine') });
    let number = 0;
    for (const update of typed(letters)) {
      quick.say({ type: 'update', number: ++number, update });
      if (number > 1) slow.say({ type: 'ping' });
      if (number > 2) quick.say({ type: 'awareness', states: states([[7, number, '{}']]) });
      await turn();
    }
    await until(() => quick.of('ack').at(-1)?.number === number);
    relay.drained(slow);
    assert.equal(slow.heard.length, before);
    slow.heap = 0;
    relay.drained(slow);
    assert.deepEqual(
      slow.heard.slice(before).map(({ type }) => type),
      ['update', 'ack', 'awareness'],
    );
    assert.deepEqual(slow.text().split('').toSorted(), `${letters}mine`.split('').toSorted());
    relay.drained(slow);
    slow.say({ type: 'ping' });
    assert.deepEqual(
      slow.heard.slice(before + 3).map(({ type }) => type),
      ['pong'],
    );
  });

  it('L5, T2 loses nothing that was acknowledged, and all have the same in the end, whatever happens between', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
    mock.method(Math, 'random', () => 1);
    const back = async (): Promise<void> => {
      mock.timers.tick(10_000);
      await turn();
    };
    const step = fc.record({ kind: fc.nat(6), who: fc.nat(2), what: fc.string({ maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        let file = place();
        const here: Place = { relay: await opened(file), cuts: new Set() };
        const crash = async (junk: number): Promise<void> => {
          for (const cut of Array.from(here.cuts)) cut();
          const [old, left] = [here.relay, place()];
          await copyFile(file, left);
          await appendFile(left, Buffer.alloc(junk, 7));
          file = left;
          here.relay = await opened(file);
          await old.close();
        };
        const three = [guest(here), guest(here), guest(here)];
        const saved = new Set<string>();
        for (const { kind, who, what } of steps) {
          const room = three[who] ?? assert.fail();
          const { notes } = room.tables;
          if (kind === 0) {
            const id = notes.create({ body: what });
            void room.saved().then(
              () => saved.add(id),
              () => undefined,
            );
          } else if (kind === 1) notes.getOrCreate('shared', () => ({ body: what }));
          else if (kind === 2 && notes.get('shared')) notes.update('shared', { body: { index: 0, text: what } });
          else if (kind === 3) await crash(who * 9);
          else if (kind === 4) await back();
          else if (kind === 5) {
            room.close();
            three[who] = guest(here);
          } else for (let count = 0; count < 5; count++) await turn();
        }
        for (let count = 0; count < 3; count++) await back();
        await Promise.all(three.map((room) => room.saved()));
        await crash(3);
        for (let count = 0; count < 2; count++) await back();
        const [first] = three.map((room) => room.doc.getMap('table:notes').toJSON());
        for (const room of three) assert.deepEqual(room.doc.getMap('table:notes').toJSON(), first);
        for (const id of saved) assert.ok(id in (first ?? {}), id);
        assert.deepEqual(
          three.map((room) => room.state.get().phase),
          ['open', 'open', 'open'],
        );
        for (const room of three) room.close();
      }),
      { numRuns: 30 },
    );
    mock.timers.reset();
    mock.restoreAll();
  });
});
