import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import * as Y from 'yjs';
import { RelayRoom } from './relay-room.ts';

const folder = await mkdtemp(join(tmpdir(), 'server-client-'));
after(() => rm(folder, { recursive: true }));

it('T6 of two changes at the same time the server’s stays, and the client sees its own replaced', async () => {
  const ids = new Set<number>();
  for (let index = 0; index < 20; index++) {
    const room = await RelayRoom.open(join(folder, 'room'));
    ids.add(room.doc.clientID);
    const client = new Y.Doc();
    Y.applyUpdate(client, Y.encodeStateAsUpdate(room.doc));
    client.getMap('cell').set('execution_state', `client ${index}`);
    await room.edit(() => room.doc.getMap('cell').set('execution_state', `server ${index}`));
    const seen: unknown[] = [];
    client.getMap('cell').observe(({ changes }) => seen.push(changes.keys.get('execution_state')?.oldValue));
    Y.applyUpdate(client, Y.encodeStateAsUpdate(room.doc));
    assert.equal(client.getMap('cell').get('execution_state'), `server ${index}`);
    assert.deepEqual(seen, [`client ${index}`]);
    await room.close();
  }
  assert.equal(ids.size, 20);
  assert.ok([...ids].every((id) => id >= 2 ** 32 && Number.isSafeInteger(id)));
});
