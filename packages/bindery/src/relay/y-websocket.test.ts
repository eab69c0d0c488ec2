import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { connect } from '@bindery/rtc/room/connect.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import { states } from '../../../../test/fakes/awareness.ts';
import { TABLES, type NotesRoom } from '../../../../test/fakes/notes-room.ts';
import { served } from '../../../../test/fakes/served.ts';
import { publishedYWebsocket, Y_WEBSOCKET_VERSIONS, type Provider, type ProviderClass } from '../../../../test/fakes/y-websocket.ts';
import { roomOf } from './places.ts';
import { Relay } from './relay.ts';

type Awareness = NotesRoom['awareness'];
const base = await mkdtemp(join(tmpdir(), 'relay-y-'));
after(() => rm(base, { recursive: true }));
let count = 0;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function admit({ url = '' }: IncomingMessage) {
  const { pathname, searchParams } = new URL(url, 'http://relay');
  const found = roomOf(pathname);
  return found ? { ...found, role: searchParams.get('role') as Role, user: { stamped: true } } : 'no room';
}

async function started(folder = join(base, `relay-${count++}`), at = 0) {
  const relay = new Relay({ folder, admit });
  const { port, close } = await served(relay, at);
  ends.push(close);
  return { folder, port, stop: close, url: `ws://127.0.0.1:${port}` };
}

interface Guest {
  readonly doc: Y.Doc;
  readonly awareness: Awareness;
  readonly provider: Provider;
}

function guest(Client: ProviderClass, url: string, role: Role = 'edit'): Guest {
  const doc = new Y.Doc();
  // Clients of one process would tell each other past the server.
  const provider = new Client(`${url}/y`, 'some/room', doc, { params: { role }, disableBc: true, maxBackoffTime: 200 });
  ends.push(() => {
    provider.destroy();
    doc.destroy();
  });
  return { doc, provider, awareness: provider.awareness };
}

function member(url: string): NotesRoom {
  const room = connect({ url: `${url}/room/some%2Froom?role=edit`, tables: TABLES });
  ends.push(() => room.close());
  return room;
}

const textOf = ({ doc }: { doc: Y.Doc }): Y.Text => doc.getText('t');
const nameOf = (seer: { awareness: Awareness }, who: { doc: Y.Doc }): unknown => seer.awareness.getStates().get(who.doc.clientID)?.['name'];
async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 10_000; !isTrue(); await new Promise((resolve) => setImmediate(resolve)))
    assert.ok(Date.now() < end, `not within 10 s: ${what}`);
}

describe('the dialect of y-websocket', () => {
  const clients = new Map<string, ProviderClass>();
  before(async () => {
    for (const version of Y_WEBSOCKET_VERSIONS) clients.set(version, await publishedYWebsocket(version, base));
  });

  for (const version of Y_WEBSOCKET_VERSIONS) {
    const client = (): ProviderClass => clients.get(version) as ProviderClass;

    it(`Y1, Y2 ${version} shares a room with itself and with our own`, async () => {
      const { url } = await started();
      const [a, b, own] = [guest(client(), url), guest(client(), url), member(url)];
      textOf(a).insert(0, 'a');
      textOf(b).insert(0, 'b');
      textOf(own).insert(0, 'o');
      await until(() => [a, b, own].every((each) => textOf(each).length === 3 && textOf(each).toJSON() === textOf(a).toJSON()), 'one text');
      await until(() => a.provider.synced && b.provider.synced, 'synced');
      await own.saved();
      textOf(b).delete(0, 3);
      await until(() => [a, own].every((each) => textOf(each).length === 0), 'deleted');
    });

    it(`Y3, Y4, P2 ${version} sees who is there and is seen`, async () => {
      const { url } = await started();
      const [a, b, own] = [guest(client(), url), guest(client(), url), member(url)];
      a.awareness.setLocalStateField('name', 'a');
      b.awareness.setLocalStateField('name', 'b');
      own.awareness.setLocalStateField('name', 'o');
      for (const seer of [a, b, own])
        for (const [who, name] of [
          [a, 'a'],
          [b, 'b'],
          [own, 'o'],
        ] as const)
          await until(() => nameOf(seer, who) === name, `${name} seen`);
      assert.deepEqual(own.awareness.getStates().get(a.doc.clientID)?.['user'], { stamped: true });
      const late = guest(client(), url);
      await until(() => nameOf(late, a) === 'a' && nameOf(late, own) === 'o', 'seen by who comes late');
      a.provider.destroy();
      await until(() => [b, own].every((each) => nameOf(each, a) === undefined), 'gone');
      b.awareness.setLocalStateField('name', 'again');
      await until(() => nameOf(own, b) === 'again', 'still heard');
    });

    it(`Y2 ${version} comes again to a relay that was started anew, with what was written meanwhile`, async () => {
      const first = await started();
      const [a, b] = [guest(client(), first.url), guest(client(), first.url)];
      textOf(a).insert(0, 'before ');
      await until(() => textOf(b).length === 7, 'before');
      await first.stop();
      textOf(a).insert(7, 'meanwhile ');
      textOf(b).insert(7, 'also ');
      const { url } = await started(first.folder, first.port);
      const late = guest(client(), url);
      await until(
        () => [a, b, late].every((each) => textOf(each).length === 22 && textOf(each).toJSON() === textOf(late).toJSON()),
        'together',
      );
    });

    it(`Y5 ${version} that may only read sees all, stays, and changes nothing`, async () => {
      const { url } = await started();
      const [a, reader] = [guest(client(), url), guest(client(), url, 'read')];
      await until(() => a.provider.synced && reader.provider.synced, 'synced');
      let closed = 0;
      reader.provider.on('connection-close', () => (closed += 1));
      textOf(reader).insert(0, 'not allowed');
      textOf(a).insert(0, 'allowed');
      await until(() => textOf(reader).length === 'not allowed'.length + 'allowed'.length, 'read');
      const late = guest(client(), url);
      await until(() => late.provider.synced, 'who comes late');
      assert.deepEqual([closed, textOf(a).toJSON(), textOf(late).toJSON()], [0, 'allowed', 'allowed']);
    });
  }

  it('Y3, Y4, Y6 passes over what is of others, echoes, asks for what an edit needs, and ends what is garbled', async () => {
    const { url } = await started();
    const own = member(url);
    own.awareness.setLocalStateField('name', 'o');
    await until(() => own.state.get().phase === 'open', 'open');
    const socket = new WebSocket(`${url}/y/some/room?role=edit`);
    ends.push(() => socket.close());
    socket.binaryType = 'arraybuffer';
    const heard: string[] = [];
    const closed = new Promise<number>((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
    socket.addEventListener('message', ({ data }) => heard.push(Buffer.from(data as ArrayBuffer).toString('hex')));
    await new Promise((resolve) => socket.addEventListener('open', resolve));
    const say = (...parts: (number | Uint8Array)[]): void => socket.send(message(...parts) as Uint8Array<ArrayBuffer>);
    say(0, 0, new Uint8Array([0]));
    await until(() => heard.some((text) => text.startsWith('0001')) && heard.some((text) => text.startsWith('0000')), 'step 2, step 1');
    heard.length = 0;
    // An echo of somebody else, of a time to come, and its own.
    say(
      1,
      states([
        [own.doc.clientID, 99, '{"name":"liar"}'],
        [5, 1, '{"name":"five"}'],
      ]),
    );
    await until(() => own.awareness.getStates().get(5)?.['name'] === 'five', 'told on');
    await until(() => heard.some((text) => text.startsWith('01')), 'echo');
    assert.equal(own.awareness.getLocalState()?.['name'], 'o');
    // The second letter without the first.
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on('update', (update: Uint8Array) => updates.push(update));
    for (const letter of 'ab') textOf({ doc }).insert(textOf({ doc }).length, letter);
    heard.length = 0;
    say(0, 2, updates[1] ?? new Uint8Array());
    await until(() => heard.some((text) => text.startsWith('0000')), 'asked');
    assert.equal(textOf(own).toJSON(), '');
    say(0, 1, Y.encodeStateAsUpdate(doc));
    await until(() => textOf(own).toJSON() === 'ab', 'all of it');
    say(0, 7, new Uint8Array());
    assert.equal(await closed, 4400);
  });
});

function message(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  const to = encoding.createEncoder();
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(to, part);
    else encoding.writeVarUint8Array(to, part);
  }
  return encoding.toUint8Array(to);
}
