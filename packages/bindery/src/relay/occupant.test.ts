import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as decoding from 'lib0/decoding';
import * as Y from 'yjs';
import type { Role } from '@bindery/rtc/room/room.ts';
import { DOCPROVIDER } from './dialect.ts';
import type { Member } from './audience.ts';
import { AUTHOR, type Author, type SaveStatus } from './occupant.ts';
import { RelayRoom } from './relay-room.ts';
import { Refusal, Relay } from './relay.ts';
import { yMessage } from '../../../../test/fakes/y-message.ts';

const folder = await mkdtemp(join(tmpdir(), 'occupant-'));
after(() => rm(folder, { recursive: true }));
let count = 0;
const place = (): string => join(folder, `room-${count++}`);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A connection as JupyterLab's, with a document of its own. */
class Lab implements Member {
  readonly dialect = DOCPROVIDER;
  readonly user = {};
  readonly role: Role;
  readonly owner: string | undefined;
  readonly doc = new Y.Doc();
  readonly replies: unknown[] = [];
  readonly #room: RelayRoom;

  constructor(room: RelayRoom, role: Role = 'execute', owner?: string) {
    this.role = role;
    this.owner = owner;
    this.#room = room;
    room.enter(this);
    this.#say(0, 0, Y.encodeStateVector(this.doc));
    this.doc.on('update', (update: Uint8Array, origin) => {
      if (origin !== this) this.#say(0, 2, update);
    });
  }

  text(): string {
    return this.doc.getText('source').toJSON();
  }

  /** Says who it is, as pages do when they come. */
  present(): void {
    this.#say(1, yMessage(1, this.doc.clientID, 1, '{}'));
  }

  save(id: number, what = 'save'): void {
    this.#say(2, what, id);
  }

  #say(...parts: (number | string | Uint8Array)[]): void {
    this.#room.receive(this, yMessage(...parts));
  }

  send(frame: Uint8Array): void {
    const from = decoding.createDecoder(frame);
    const type = decoding.readVarUint(from);
    if (type === 2) this.replies.push(JSON.parse(decoding.readVarString(from)));
    else if (type === 0 && decoding.readVarUint(from) > 0) Y.applyUpdate(this.doc, decoding.readVarUint8Array(from), this);
  }

  waiting(): number {
    return 0;
  }

  close(code: number): void {
    this.replies.push(code);
  }
}

function occupant(save: () => SaveStatus, leave: () => Promise<void> = async () => undefined) {
  return { isBusy: () => false, save: async () => save(), leave };
}

describe('a room with an occupant', () => {
  it('T5 sends on what the server edits, and tells when it is safe', async () => {
    const file = place();
    const room = await RelayRoom.open(file);
    const lab = new Lab(room);
    await room.edit(() => room.doc.getText('source').insert(0, 'from the server'));
    assert.equal(lab.text(), 'from the server');
    await room.close();
    const again = await RelayRoom.open(file);
    assert.equal(again.doc.getText('source').toJSON(), 'from the server');
    await again.close();
    await assert.rejects(
      again.edit(() => undefined),
      /closed/,
    );
  });

  it('T5 has the edits of one owner in a transaction, and says whose they are', async () => {
    const room = await RelayRoom.open(place());
    const seen: unknown[] = [];
    room.doc.getText('source').observe(({ delta }, { origin, meta }) => {
      const put = delta.flatMap(({ insert }) => (typeof insert === 'string' ? [insert] : []));
      seen.push([origin, (meta.get(AUTHOR) as Author).owner, put.join('')]);
    });
    const labs = [
      new Lab(room, 'execute', 'ada'),
      new Lab(room, 'execute', 'bob'),
      new Lab(room, 'edit', 'ada'),
      new Lab(room, 'execute', 'ada'),
    ];
    for (const { doc } of labs) doc.getText('source').insert(0, 'x');
    await turn();
    assert.deepEqual(seen, [
      ['execute', 'bob', 'x'],
      ['execute', 'ada', 'xx'],
      ['edit', 'ada', 'x'],
    ]);
    assert.equal(room.doc.getText('source').length, 4);
    await room.close();
  });

  it('T5 knows what of an edit is only brought', async () => {
    const room = await RelayRoom.open(place());
    const authors: Author[] = [];
    room.doc.on('afterTransaction', ({ meta }: Y.Transaction) => {
      const author = meta.get(AUTHOR) as Author | undefined;
      if (author) authors.push(author);
    });
    const [quiet, said, other] = [new Lab(room), new Lab(room, 'execute', 'ada'), new Y.Doc()];
    said.present();
    other.getText('source').insert(0, 'lost');
    Y.applyUpdate(said.doc, Y.encodeStateAsUpdate(other));
    await turn();
    quiet.doc.getText('source').insert(0, 'x');
    await turn();
    const made = authors.map((author) => [quiet.doc, said.doc, other].map(({ clientID }) => author.made(clientID)));
    // Of who has said nothing of himself, nothing is known.
    assert.deepEqual(made, [
      [false, true, false],
      [true, true, true],
    ]);
    await room.close();
  });

  it('T5 tells by whom an edit was made, and takes one that is made because of it', async () => {
    const room = await RelayRoom.open(place());
    const origins: unknown[] = [];
    room.doc.on('afterTransaction', ({ origin, changed }: Y.Transaction) => changed.size > 0 && origins.push(origin));
    const [runner, editor] = [new Lab(room, 'execute'), new Lab(room, 'edit')];
    const seen = new Promise<void>((resolve) => {
      room.doc.getText('source').observe((_event, { origin }) => {
        if (origin === 'edit') resolve(room.edit(() => room.doc.getMap('state').set('seen', true)));
      });
    });
    runner.doc.getText('source').insert(0, 'r');
    editor.doc.getText('source').insert(0, 'e');
    await seen;
    assert.deepEqual(origins, ['execute', 'edit', 'server']);
    for (const { doc } of [runner, editor]) {
      assert.equal(doc.getMap('state').get('seen'), true);
      assert.deepEqual(doc.getText('source').toJSON().split('').toSorted(), ['e', 'r']);
    }
    await room.close();
  });

  it('T5 loses nothing of what members sent before, nor of what a body did before it threw', async () => {
    const room = await RelayRoom.open(place());
    const [one, other] = [new Lab(room), new Lab(room)];
    one.doc.getText('source').insert(0, 'typed');
    const failed = room.edit(() => {
      room.doc.getText('source').insert(5, ' and');
      throw new Error('no further');
    });
    await assert.rejects(failed, /no further/);
    assert.deepEqual([one.text(), other.text()], ['typed and', 'typed and']);
    await room.close();
  });

  it('J1 saves for who asks, and for readers not', async () => {
    const room = await RelayRoom.open(place());
    room.occupy(occupant(() => 'success'));
    const [lab, reader] = [new Lab(room), new Lab(room, 'read')];
    lab.save(7);
    reader.save(1);
    await turn();
    assert.deepEqual(lab.replies, [{ type: 'save', responseTo: 7, status: 'success' }]);
    assert.deepEqual(reader.replies, [{ type: 'save', responseTo: 1, status: 'skipped' }]);
    lab.save(8, 'format');
    assert.equal(lab.replies.at(-1), 4400);
    await room.close();
  });

  it('J1 answers where nothing can be saved', async () => {
    const room = await RelayRoom.open(place());
    const lab = new Lab(room);
    lab.save(1);
    await turn();
    assert.deepEqual(lab.replies, [{ type: 'save', responseTo: 1, status: 'skipped' }]);
    await room.close();
  });

  it('O1 is filled before anybody enters, and lets its occupant finish', async () => {
    const path = place();
    const relay = new Relay({
      folder: path,
      admit: async () => 'nobody',
      occupy: async (name, room) => {
        if (name === 'lost') throw new Refusal(4404, 'no such file');
        await room.edit(() => room.doc.getText('source').insert(0, name));
        return occupant(
          () => 'success',
          () => room.edit(() => room.doc.getText('source').insert(0, 'last of ')),
        );
      },
    });
    const room = await relay.room('all');
    assert.equal(room.doc.getText('source').toJSON(), 'all');
    assert.equal(await relay.room('all'), room);
    await assert.rejects(relay.room('lost'), { code: 4404 });
    await relay.close();
    const kept = new Relay({ folder: path, admit: async () => 'nobody' });
    assert.equal((await kept.room('all')).doc.getText('source').toJSON(), 'last of all');
    await kept.close();
  });

  it('O3 finds what was taken out, of which what it wants kept is kept', async () => {
    const path = place();
    const kept: Y.Item[] = [];
    const found: string[] = [];
    const open = (): Relay =>
      new Relay({
        folder: path,
        admit: async () => 'nobody',
        occupy: async (_, { doc }) => {
          for (let item = doc.getText('source')._start; item; item = item.right) {
            const said = item.content instanceof Y.ContentString ? item.content.str : '';
            if (item.deleted) found.push(said);
            if (said === 'kept') kept.push(item);
          }
          doc.gcFilter = (item) => !kept.includes(item);
          return occupant(() => 'success');
        },
      });
    const text = async (relay: Relay): Promise<{ room: RelayRoom; source: Y.Text }> => {
      const room = await relay.room('all');
      return { room, source: room.doc.getText('source') };
    };
    let relay = open();
    let { room, source } = await text(relay);
    for (const word of ['stays', 'kept', 'gone']) await room.edit(() => source.insert(0, word));
    room.doc.gcFilter = () => false;
    await room.edit(() => source.delete(0, 8));
    await relay.close();
    relay = open();
    ({ room, source } = await text(relay));
    assert.deepEqual(found, ['gone', 'kept']);
    const whole = Buffer.from(Y.encodeStateAsUpdate(room.doc)).toString('latin1');
    assert.deepEqual([source.toJSON(), whole.includes('kept'), whole.includes('gone')], ['stays', true, false]);
    await room.edit(() => source.delete(0, 5));
    assert.equal(
      Buffer.from(Y.encodeStateAsUpdate(room.doc)).toString('latin1').includes('stays'),
      false,
      'from now on it goes with each edit',
    );
    await relay.close();
  });

  it('O2 stays while it is busy', async () => {
    let isBusy = true;
    const left: string[] = [];
    const relay = new Relay({
      folder: place(),
      idleMs: 1,
      admit: async () => 'nobody',
      occupy: async (name) => ({ isBusy: () => isBusy, save: async () => 'skipped', leave: async () => void left.push(name) }),
    });
    const room = await relay.room('one');
    for (let wait = 0; wait < 20; wait++) await turn();
    assert.equal(await relay.present('one'), room);
    isBusy = false;
    while (left.length === 0) await turn();
    assert.equal(await relay.present('one'), undefined);
    await relay.close();
    assert.deepEqual(left, ['one']);
  });
});
