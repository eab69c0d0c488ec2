import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { WebSocketServer } from 'ws';
import { BinderyError } from '@bindery/wire/errors.ts';
import { string, text } from '../tables/fields.ts';
import { defineTable } from '../tables/table.ts';
import { connect } from './connect.ts';
import {
  decodeClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  encodeServerFrame,
  FrameError,
  type ClientFrame,
  type ServerFrame,
} from './frames.ts';
import { mergeUpdates } from './merge.ts';
import type { Role, Room } from './room.ts';
import type { OpenSocket, SocketEvents } from './socket.ts';

const TABLES = { notes: defineTable({ title: string(), body: text() }) };
type NotesRoom = Room<typeof TABLES>;

/** One connection as the server sees it. */
interface Peer {
  readonly events: SocketEvents;
  readonly frames: ClientFrame[];
  /** The last number that came and was not acknowledged. */
  pending: number;
  isOpen: boolean;
}

/** A server that obeys the test: it answers when told, forgets in a crash what was not flushed, and lies when asked to. */
class FakeServer {
  doc = new Y.Doc();
  lineage = 'first';
  run = 1;
  role: Role = 'edit';
  isReachable = true;
  isMute = false;
  peers: Peer[] = [];
  opened = 0;
  #safe = Y.encodeStateAsUpdate(this.doc);

  readonly open: OpenSocket = (_url, events) => {
    this.opened += 1;
    const peer: Peer = { events, frames: [], pending: 0, isOpen: true };
    if (this.isReachable) {
      this.peers.push(peer);
      queueMicrotask(() => peer.isOpen && events.opened());
    } else {
      queueMicrotask(() => peer.isOpen && events.closed(1006, ''));
    }
    const gone = (): void => {
      peer.isOpen = false;
      this.peers = this.peers.filter((each) => each !== peer);
    };
    return { send: (bytes) => this.#heard(peer, decodeClientFrame(bytes)), close: gone };
  };

  get peer(): Peer {
    return this.peers.at(-1) ?? assert.fail('nobody is connected');
  }

  say(frame: ServerFrame, peer = this.peer): void {
    if (peer.isOpen) peer.events.received(encodeServerFrame(frame));
  }

  #heard(peer: Peer, frame: ClientFrame): void {
    peer.frames.push(frame);
    if (frame.type === 'hello') {
      const update = Y.encodeStateAsUpdate(this.doc, frame.stateVector);
      this.say(
        {
          type: 'welcome',
          lineage: this.lineage,
          run: String(this.run),
          role: this.role,
          stateVector: Y.encodeStateVector(this.doc),
          update,
        },
        peer,
      );
    } else if (frame.type === 'update') {
      Y.applyUpdate(this.doc, frame.update);
      peer.pending = frame.number;
      for (const other of this.peers) if (other !== peer) this.say({ type: 'update', update: frame.update }, other);
    } else if (frame.type === 'awareness') {
      for (const other of this.peers) if (other !== peer) this.say({ type: 'awareness', states: frame.states }, other);
    } else if (!this.isMute) {
      this.say({ type: 'pong' }, peer);
    }
  }

  /** Makes everything safe, and says so. */
  flush(): void {
    this.#safe = Y.encodeStateAsUpdate(this.doc);
    for (const peer of this.peers) {
      const number = peer.pending;
      peer.pending = 0;
      if (number > 0) this.say({ type: 'ack', number }, peer);
    }
  }

  cut(peer = this.peer, code = 1006, reason = ''): void {
    peer.isOpen = false;
    this.peers = this.peers.filter((each) => each !== peer);
    peer.events.closed(code, reason);
  }

  /** Comes back with what was safe. */
  crash(): void {
    while (this.peers.length > 0) this.cut();
    this.run += 1;
    this.doc = new Y.Doc();
    Y.applyUpdate(this.doc, this.#safe);
  }
}

let rooms: NotesRoom[] = [];
let server = new FakeServer();
beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  mock.method(Math, 'random', () => 1);
  server = new FakeServer();
});
afterEach(() => {
  for (const room of rooms) room.close();
  rooms = [];
  mock.timers.reset();
  mock.restoreAll();
});

/** Lets what was put off to the end of the turn happen. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Until everybody who was sent away has come back. */
async function back(): Promise<void> {
  mock.timers.tick(10_000);
  await turn();
}
async function enter(): Promise<NotesRoom> {
  const room = connect({ url: 'ws://room', tables: TABLES, open: server.open });
  rooms.push(room);
  await turn();
  return room;
}
const phase = (room: NotesRoom): string => room.state.get().phase;
const notes = (doc: Y.Doc): unknown => doc.getMap('table:notes').toJSON();
const updates = (peer = server.peer) => peer.frames.filter((frame) => frame.type === 'update');

describe('frames', () => {
  const bytes = fc.uint8Array({ maxLength: 20 });
  const word = fc.string({ unit: 'grapheme' });
  const clientFrames: fc.Arbitrary<ClientFrame> = fc.oneof(
    fc.record({ type: fc.constant('hello' as const), version: fc.nat(), lineage: word, stateVector: bytes }),
    fc.record({ type: fc.constant('update' as const), number: fc.maxSafeNat(), update: bytes }),
    fc.record({ type: fc.constant('awareness' as const), states: bytes }),
    fc.constant({ type: 'ping' as const }),
  );
  const role = fc.constantFrom<Role>('read', 'edit', 'execute', 'admin');
  const serverFrames: fc.Arbitrary<ServerFrame> = fc.oneof(
    fc.record({ type: fc.constant('welcome' as const), lineage: word, run: word, role, stateVector: bytes, update: bytes }),
    fc.record({ type: fc.constant('update' as const), update: bytes }),
    fc.record({ type: fc.constant('awareness' as const), states: bytes }),
    fc.record({ type: fc.constant('ack' as const), number: fc.maxSafeNat() }),
    fc.record({ type: fc.constant('refused' as const), code: word, message: word }),
    fc.constant({ type: 'pong' as const }),
  );
  const same = (a: object, b: object): void => assert.deepEqual({ ...a }, { ...b });

  it('F1, F2, F3 come back as they were', () => {
    fc.assert(fc.property(clientFrames, (frame) => same(decodeClientFrame(encodeClientFrame(frame)), frame)));
    fc.assert(fc.property(serverFrames, (frame) => same(decodeServerFrame(encodeServerFrame(frame)), frame)));
  });

  it('F4 cut off, with something behind, or of any bytes are frames or refused, and nothing else', () => {
    fc.assert(
      fc.property(clientFrames, serverFrames, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 5 }), (client, other, at, more) => {
        for (const [whole, decode] of [
          [encodeClientFrame(client), decodeClientFrame],
          [encodeServerFrame(other), decodeServerFrame],
        ] as const) {
          assert.throws(() => decode(whole.subarray(0, at % whole.length)), FrameError);
          assert.throws(() => decode(Uint8Array.from([...whole, ...more])), FrameError);
        }
      }),
    );
    const decodes = (decode: (bytes: Uint8Array) => object, bytes: Uint8Array): boolean => {
      try {
        return typeof decode(bytes).valueOf() === 'object';
      } catch (error) {
        return error instanceof FrameError;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), (any) => decodes(decodeClientFrame, any) && decodes(decodeServerFrame, any)));
  });
});

describe('many updates', () => {
  it('become one that says the same, in any order', () => {
    const doc = new Y.Doc();
    const all: Uint8Array[] = [];
    doc.on('update', (update: Uint8Array) => all.push(update));
    for (let count = 0; count < 300; count++) doc.getText('t').insert(count % 7, String(count));
    const twin = new Y.Doc();
    Y.applyUpdate(twin, mergeUpdates(all.toSorted((a, b) => (a[5] ?? 0) - (b[5] ?? 0))));
    assert.equal(twin.getText('t').toJSON(), doc.getText('t').toJSON());
    Y.applyUpdate(twin, mergeUpdates([]));
  });
});

describe('a room on a server', () => {
  it('H1, H2, U1, U2 is entered, edited and saved', async () => {
    Y.applyUpdate(server.doc, filled('before'));
    const room = await enter();
    assert.deepEqual(server.peer.frames[0], { type: 'hello', version: 1, lineage: '', stateVector: Y.encodeStateVector(new Y.Doc()) });
    assert.deepEqual(room.state.get(), {
      phase: 'open',
      role: 'edit',
      isSaved: true,
      error: undefined,
      lineage: 'first',
      run: String(server.run),
    });
    assert.equal(room.tables.notes.get('before')?.title, 'before');
    await room.saved();
    room.tables.notes.create({ title: 'mine' }, { id: 'mine' });
    let isSaved = false;
    const saved = room.saved().then(() => (isSaved = true));
    await turn();
    assert.deepEqual(notes(server.doc), notes(room.doc));
    assert.deepEqual([isSaved, room.state.get().isSaved], [false, false]);
    server.flush();
    await saved;
    assert.equal(room.state.get().isSaved, true);
  });

  it('U5 sends what is edited in one go in one frame, and not more than 32 before an answer', async () => {
    const room = await enter();
    for (let count = 0; count < 100; count++) room.tables.notes.create({}, { id: String(count) });
    await turn();
    assert.deepEqual(
      updates().map(({ number }) => number),
      [100],
    );
    for (let count = 0; count < 400; count++) {
      room.tables.notes.update('1', { title: String(count) });
      await turn();
    }
    assert.equal(updates().length, 32);
    const saved = room.saved();
    server.flush();
    await turn();
    assert.equal(updates().length, 33);
    server.flush();
    await saved;
    assert.deepEqual(notes(server.doc), notes(room.doc));
  });

  it('U3 sends again what was not safe, though the server had it', async () => {
    const room = await enter();
    room.tables.notes.create({ title: 'x' }, { id: 'x' });
    await turn();
    server.cut();
    assert.equal(phase(room), 'offline');
    await back();
    assert.equal(phase(room), 'open');
    assert.deepEqual(
      updates().map(({ number }) => number),
      [1],
    );
    server.flush();
    await room.saved();
    server.cut();
    await back();
    assert.equal(updates().length, 0);
  });

  it('goes on without the server, and meets it again', async () => {
    const [room, other] = [await enter(), await enter()];
    room.tables.notes.create({ body: 'middle' }, { id: 'x' });
    await turn();
    while (server.peers.length > 0) server.cut();
    server.isReachable = false;
    await back();
    room.tables.notes.update('x', { body: 'first, middle' });
    other.tables.notes.update('x', { body: 'middle, last' });
    other.tables.notes.create({}, { id: 'y' });
    room.tables.notes.delete('y');
    server.isReachable = true;
    for (let count = 0; count < 3; count++) await back();
    assert.equal(room.tables.notes.get('x')?.body, 'first, middle, last');
    assert.deepEqual(notes(other.doc), notes(room.doc));
    assert.deepEqual(notes(server.doc), notes(room.doc));
  });

  it('H3 of another history is not merged', async () => {
    const room = await enter();
    room.tables.notes.create({ title: 'mine' }, { id: 'mine' });
    await turn();
    server.cut();
    server.doc = new Y.Doc();
    server.lineage = 'second';
    const saved = room.saved();
    await Promise.all([assert.rejects(saved, (error) => error instanceof BinderyError && error.code === 'room_diverged'), back()]);
    assert.deepEqual([phase(room), room.state.get().error?.code], ['ended', 'room_diverged']);
    assert.deepEqual(notes(server.doc), {});
    assert.equal(room.tables.notes.get('mine')?.title, 'mine');
    assert.throws(
      () => room.tables.notes.create({}),
      (error) => error instanceof BinderyError && error.code === 'room_closed',
    );
    await assert.rejects(room.saved());
  });

  it('R1, R2 tells who may not write, and ends when it is refused', async () => {
    server.role = 'read';
    const reader = await enter();
    assert.throws(
      () => reader.tables.notes.create({}),
      (error) => error instanceof BinderyError && error.code === 'room_read_only',
    );
    assert.deepEqual(notes(reader.doc), {});
    server.say({ type: 'refused', code: 'room_read_only', message: 'no' });
    assert.equal(reader.state.get().error?.code, 'room_read_only');
    const guest = await enter();
    server.say({ type: 'refused', code: 'constructor', message: 'the link has ended' });
    assert.deepEqual([guest.state.get().error?.code, guest.state.get().error?.message], ['room_refused', 'the link has ended']);
    await back();
    assert.equal(server.peers.length, 0);
  });

  it('C1, C2 comes again after a loss, less and less often, and not after a refusal', async () => {
    const room = await enter();
    server.isReachable = false;
    server.cut();
    const waits: number[] = [];
    for (let since = 0; waits.length < 8; since += 50) {
      const before = server.opened;
      mock.timers.tick(50);
      await turn();
      if (server.opened > before) {
        waits.push(since + 50);
        since = -50;
      }
    }
    assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    server.isReachable = true;
    await back();
    assert.equal(phase(room), 'open');
    server.cut(server.peer, 4403, 'not for you');
    await back();
    assert.equal(server.peers.length, 0);
    assert.match(room.state.get().error?.message ?? '', /not for you/);
  });

  it('C3 asks whether a silent server is there, and gives it up', async () => {
    server.isMute = true;
    const room = await enter();
    // The clock that is stood in moves at the end of a step: many small ones.
    const pass = (seconds: number): void => {
      for (let count = 0; count < seconds; count++) mock.timers.tick(1000);
    };
    pass(15);
    assert.equal(server.peer.frames.at(-1)?.type, 'ping');
    server.say({ type: 'pong' });
    pass(14);
    const peer = server.peer;
    assert.equal(peer.frames.filter(({ type }) => type === 'ping').length, 1);
    pass(16);
    assert.equal(peer.isOpen, false);
    await back();
    assert.equal(phase(room), 'open');
  });

  it('A1, A2 shows who is there', async () => {
    const [room, other] = [await enter(), await enter()];
    const seen = (): unknown => other.awareness.getStates().get(room.awareness.clientID);
    room.awareness.setLocalState({ user: 'me' });
    assert.deepEqual(seen(), { user: 'me' });
    server.cut();
    assert.equal(seen(), undefined);
    await back();
    room.awareness.setLocalStateField('cursor', 1);
    assert.deepEqual(seen(), { user: 'me', cursor: 1 });
    const names = server.peers.flatMap(({ frames }) => frames.filter(({ type }) => type === 'awareness'));
    assert.ok(names.length > 0);
    room.close();
    assert.equal(seen(), undefined);
  });

  it('A2 sees others again after a loss, though their state is the same', async () => {
    const [room, other] = [await enter(), await enter()];
    room.awareness.setLocalState({ user: 'me' });
    const states = server.peers[0]?.frames.findLast((frame) => frame.type === 'awareness')?.states ?? assert.fail();
    server.cut();
    await back();
    server.say({ type: 'awareness', states });
    assert.deepEqual(other.awareness.getStates().get(room.awareness.clientID), { user: 'me' });
  });

  it('hears nothing of a connection that it let go', async () => {
    const room = await enter();
    const peer = server.peer;
    server.cut(peer);
    peer.events.received(encodeServerFrame({ type: 'refused', code: 'x', message: 'late' }));
    peer.events.closed(4403, 'late');
    peer.events.opened();
    await back();
    assert.deepEqual([phase(room), server.opened], ['open', 2]);
  });

  it('leaves for good', async () => {
    const room = await enter();
    room.tables.notes.create({});
    const saved = room.saved();
    room.close();
    await assert.rejects(saved, (error) => error instanceof BinderyError && error.code === 'room_closed');
    await back();
    assert.deepEqual([phase(room), server.peers.length, server.opened], ['closed', 0, 1]);
  });
});

describe('a server that says what is none', () => {
  const doc = new Y.Doc();
  const parts: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => parts.push(update));
  for (const letter of 'abc') doc.getText('t').insert(0, letter);
  const empty = new Uint8Array([0, 0]);
  const frames: [string, Uint8Array][] = [
    ['F4 text', new Uint8Array()],
    ['F4 an unknown type', new Uint8Array([99])],
    ['F4 half a frame', encodeServerFrame({ type: 'update', update: parts[0] ?? empty }).subarray(0, 4)],
    ['F4 an update that is none', encodeServerFrame({ type: 'update', update: new Uint8Array([1, 255, 255, 255, 255, 255]) })],
    ['F4 awareness that is none', encodeServerFrame({ type: 'awareness', states: new Uint8Array([1, 2, 3, 4]) })],
    [
      'H4 a second welcome',
      encodeServerFrame({ type: 'welcome', lineage: 'first', run: '', role: 'admin', stateVector: new Uint8Array([0]), update: empty }),
    ],
    ['U6 an answer to what was never said', encodeServerFrame({ type: 'ack', number: 1 })],
    ['U7 an update with a gap', encodeServerFrame({ type: 'update', update: parts[2] ?? empty })],
  ];
  for (const [what, bytes] of frames) {
    it(`is left, and asked again: ${what}`, async () => {
      const room = await enter();
      const peer = server.peer;
      peer.events.received(bytes);
      assert.deepEqual([phase(room), peer.isOpen], ['offline', false]);
      await back();
      assert.equal(phase(room), 'open');
      assert.notEqual(server.peer, peer);
      room.tables.notes.create({}, { id: 'still works' });
      await turn();
      assert.deepEqual(Object.keys(notes(server.doc) as object), ['still works']);
    });
  }

  it('U7 but a gap that the server has itself is borne', async () => {
    Y.applyUpdate(server.doc, parts[2] ?? empty);
    const room = await enter();
    server.say({ type: 'update', update: filled('more') });
    assert.equal(phase(room), 'open');
    assert.ok(room.tables.notes.get('more'));
  });
});

describe('whatever happens between', () => {
  it('U3, U4 all have the same in the end, and what was saved is there', async () => {
    const step = fc.record({ kind: fc.nat(9), who: fc.nat(2), what: fc.string({ maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        server = new FakeServer();
        const three = [await enter(), await enter(), await enter()];
        const saved = new Set<string>();
        for (const { kind, who, what } of steps) {
          const room = three[who] ?? assert.fail();
          const { notes: table } = room.tables;
          if (kind === 0) table.getOrCreate(`${who}`, () => ({}));
          else if (kind === 1 && table.get(`${who}`)) table.update(`${who}`, { body: `${what}-` });
          else if (kind === 2) {
            const id = table.create({ body: what });
            room.saved().then(
              () => saved.add(id),
              () => undefined,
            );
          } else if (kind === 3 && server.peers.length > 0) server.cut(server.peers[who % server.peers.length]);
          else if (kind === 4) server.crash();
          else if (kind === 5) server.flush();
          else if (kind === 6) await back();
          else if (kind === 7 && table.get('0')) table.delete('0');
          else if (kind === 8) {
            room.close();
            three[who] = await enter();
          } else await turn();
        }
        for (let count = 0; count < 3; count++) await back();
        server.flush();
        await Promise.all(three.map((room) => room.saved()));
        for (let count = 0; count < 2; count++) {
          const all = notes(server.doc) as Record<string, unknown>;
          for (const room of three) assert.deepEqual(notes(room.doc), all);
          for (const id of saved) assert.ok(id in all);
          server.crash();
          await back();
        }
        for (const room of three) room.close();
      }),
      { numRuns: 100 },
    );
  });

  it('U8 has what it wrote whole until it is safe, though others took out where it stands', async () => {
    const room = await enter();
    room.tables.notes.create({ body: 'safe' }, { id: 'x' });
    await turn();
    server.flush();
    room.tables.notes.update('x', { body: 'safe unmistakable' });
    const has = (update: Uint8Array): boolean => Buffer.from(update).toString('latin1').includes('unmistakable');
    const takesOut = (): Uint8Array => {
      const before = Y.encodeStateVector(server.doc);
      server.doc.getMap('table:notes').delete('x');
      return Y.encodeStateAsUpdate(server.doc, before);
    };
    server.say({ type: 'update', update: takesOut() });
    // The server never heard of it.
    server.peer.frames.length = 0;
    server.crash();
    await back();
    assert.deepEqual(
      updates().map(({ update }) => has(update)),
      [true],
    );
    assert.deepEqual(notes(room.doc), {});
    assert.ok(has(Y.encodeStateAsUpdate(room.doc)));
    server.flush();
    await room.saved();
    assert.ok(!has(Y.encodeStateAsUpdate(room.doc)), 'it is let go of');
  });

  it('U4 what a crash took, and whose maker is gone, those bring back who have it', async () => {
    const [maker, keeper] = [await enter(), await enter()];
    keeper.tables.notes.create({ body: 'long text' }, { id: 'old' });
    await turn();
    server.flush();
    await keeper.saved();
    maker.tables.notes.create({ title: 'new' }, { id: 'new' });
    maker.tables.notes.update('old', { body: 'text' });
    await turn();
    maker.close();
    server.crash();
    assert.deepEqual(Object.keys(notes(server.doc) as object), ['old']);
    await back();
    keeper.tables.notes.update('new', { title: 'newer' });
    await turn();
    assert.deepEqual(notes(server.doc), { old: { title: '', body: 'text' }, new: { title: 'newer', body: '' } });
  });

  it('U4 a reader brings nothing back', async () => {
    server.role = 'read';
    await enter();
    server.crash();
    await back();
    assert.deepEqual(updates(), []);
  });
});

describe('over a real WebSocket', () => {
  it('frames arrive whole, text is none, and a close is told with its reason', async () => {
    mock.timers.reset();
    const listening = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const heard: string[] = [];
    listening.on('connection', (socket) =>
      socket.on('message', (data: Buffer) => {
        const frame = decodeClientFrame(new Uint8Array(data));
        heard.push(frame.type);
        const state = { stateVector: new Uint8Array([0]), update: filled('far') };
        if (frame.type === 'hello') socket.send(encodeServerFrame({ type: 'welcome', lineage: 'l', run: 'r', role: 'edit', ...state }));
        if (frame.type === 'update') socket.send(encodeServerFrame({ type: 'ack', number: frame.number }));
        if (frame.type === 'update' && frame.number > 1) socket.close(4403, 'enough');
      }),
    );
    await new Promise((resolve) => listening.once('listening', resolve));
    const room = connect({ url: `ws://127.0.0.1:${(listening.address() as AddressInfo).port}/`, tables: TABLES });
    rooms.push(room);
    room.tables.notes.create({ title: 'early' }, { id: 'early' });
    await room.saved();
    assert.deepEqual(room.tables.notes.ids.get().toSorted(), ['early', 'far']);
    const ended = new Promise<void>((resolve) => room.state.subscribe(() => room.state.get().phase === 'ended' && resolve()));
    room.tables.notes.update('early', { title: 'late' });
    await ended;
    assert.match(room.state.get().error?.message ?? '', /enough/);
    assert.deepEqual(
      heard.filter((type) => type !== 'awareness'),
      ['hello', 'update', 'update'],
    );
    await new Promise((resolve) => listening.close(resolve));
    assert.throws(() => connect({ url: 'nowhere', tables: TABLES }));
  });
});

/** The update that puts one note into an empty document. */
function filled(id: string): Uint8Array {
  const doc = new Y.Doc();
  const row = new Y.Map<unknown>();
  doc.transact(() => {
    doc.getMap('table:notes').set(id, row);
    row.set('title', id);
  });
  return Y.encodeStateAsUpdate(doc);
}
