import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openLocal } from '../room/local.ts';
import { FOLDER_TABLES, type OperationStatus } from './files.ts';
import { operate } from './operate.ts';

/** A room in which this is what becomes of all that is asked for. */
function answering(status: OperationStatus) {
  const room = openLocal({ tables: FOLDER_TABLES });
  const { operations } = room.tables;
  operations.ids.subscribe(() => {
    const id = operations.ids.get()[0];
    if (id === undefined || operations.get(id)?.status.status !== 'requested') return;
    const say = (said: OperationStatus): void => room.transact(() => operations.update(id, { status: said }), { undoable: false });
    queueMicrotask(() => {
      say({ status: 'in progress' });
      queueMicrotask(() => say(status));
    });
  });
  return room;
}

describe('what is asked for in a folder', () => {
  it('comes when it is done, with where it led to; it is no step to be taken back', async () => {
    const room = answering({ status: 'ok', path: 'work/b.txt', room: '' });
    assert.deepEqual(await operate(room, { kind: 'rename', name: 'a.txt', to: 'b.txt' }), { path: 'work/b.txt', room: '' });
    const [record] = room.tables.operations.records.get();
    assert.deepEqual([record?.kind, record?.name, record?.to], ['rename', 'a.txt', 'b.txt']);
    assert.deepEqual(room.history.depth.get(), { undo: 0, redo: 0 });
  });

  it('fails in the words of the server', async () => {
    const room = answering({ status: 'error', message: 'File already exists: b.txt' });
    await assert.rejects(operate(room, { kind: 'delete', name: 'a.txt' }), { code: 'file_operation_failed', message: /already exists/ });
  });

  it('is waited for no longer than the room is open', async () => {
    const room = openLocal({ tables: FOLDER_TABLES });
    const asked = operate(room, { kind: 'delete', name: 'a.txt' });
    room.close();
    await assert.rejects(asked, { code: 'room_closed' });
  });
});
