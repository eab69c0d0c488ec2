import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import { openTables } from '@bindery/rtc/tables/table.ts';
import * as Y from 'yjs';
import { until } from '../../../../test/fakes/until.ts';
import { AUTHOR } from '../relay/occupant.ts';
import { systemClock } from '../base/clock.ts';
import { JupyterServer } from './jupyter-server.ts';
import { FileChanges, type FileOrder, type FileOutcome } from './file-changes.ts';
import { FolderRequests } from './folder-requests.ts';

/** A document whose requests are carried out by this. */
function opened(carryOut: (order: FileOrder) => Promise<FileOutcome>, doc = new Y.Doc()) {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  const shared = { doc, edit: async (body: () => void) => doc.transact(body, 'server') };
  const requests = new FolderRequests({ shared, inTurn, carryOut, clock: systemClock });
  const { operations } = openTables(doc, FOLDER_TABLES, (body) => doc.transact(body, 'execute'));
  const statusOf = (id: string): string => operations.get(id)?.status.status ?? '';
  const whyOf = (id: string): string => {
    const status = operations.get(id)?.status;
    return status?.status === 'error' ? status.message : '';
  };
  return { doc, requests, operations, statusOf, whyOf };
}

const never = async (): Promise<FileOutcome> => new Promise<FileOutcome>(() => undefined);

describe('requests in a folder', () => {
  it('F3.3 are done in their order, and none before it is written down that it was begun', async () => {
    const log: string[] = [];
    const { operations, statusOf } = opened(async ({ name }) => {
      log.push(
        `${name} ${operations.records
          .get()
          .map(({ status }) => status.status)
          .join()}`,
      );
      return { path: name, room: '' };
    });
    const ids = ['a', 'b', 'c'].map((name) => operations.create({ kind: 'delete', name }));
    await until('all have ended', () => ids.every((id) => statusOf(id) === 'ok'));
    assert.deepEqual(
      log.map((line) => line.split(' ')[0]),
      ['a', 'b', 'c'],
    );
    assert.equal(log[0], 'a in progress,requested,requested');
  });

  it('F3.2 are those of who made them, not of who brings them', async () => {
    const { doc, operations, statusOf, whyOf } = opened(never);
    const other = new Y.Doc();
    const made = openTables(other, FOLDER_TABLES, (body) => body()).operations;
    made.create({ kind: 'delete', name: 'a' }, { id: 'made' });
    const bring = (id: number): void =>
      doc.transact(({ meta }) => {
        meta.set(AUTHOR, { owner: 'ada', made: (client: number) => client === id });
        Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)));
      }, 'execute');
    bring(doc.clientID);
    await until('it is refused', () => statusOf('made') === 'error');
    assert.match(whyOf('made'), /had lost it.*Ask again/);
    made.create({ kind: 'delete', name: 'a' }, { id: 'own' });
    bring(other.clientID);
    await until('it is begun', () => statusOf('own') === 'in progress');
    assert.equal(operations.get('own')?.owner, 'ada');
  });

  it('F3.4 are not done again by the next process, which says so', async () => {
    const first = opened(never);
    const [begun, waiting] = [
      first.operations.create({ kind: 'delete', name: 'a' }),
      first.operations.create({ kind: 'delete', name: 'b' }),
    ];
    await until('it is begun', () => first.statusOf(begun) === 'in progress');
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(first.doc));
    let done = 0;
    const next = opened(async () => ({ path: String((done += 1)), room: '' }), doc);
    await until('they have ended', () => next.statusOf(begun) === 'error' && next.statusOf(waiting) === 'error');
    assert.match(next.whyOf(begun), /Look whether it was done/);
    assert.match(next.whyOf(waiting), /before it came to this/);
    assert.equal(done, 0);
  });

  it('F3.4 that wait are left as they are when the server ends; what was begun is waited for', async () => {
    const { promise, resolve } = Promise.withResolvers<FileOutcome>();
    const { requests, operations, statusOf } = opened(() => promise);
    const [begun, waiting] = [operations.create({ kind: 'delete', name: 'a' }), operations.create({ kind: 'delete', name: 'b' })];
    await until('it is begun', () => statusOf(begun) === 'in progress');
    assert.equal(requests.isBusy, true);
    const closed = requests.close();
    resolve({ path: 'a', room: '' });
    await closed;
    assert.deepEqual([statusOf(begun), statusOf(waiting), requests.isBusy], ['ok', 'requested', false]);
  });

  it('F3.5 are as many as can wait, and the last fifty stay to be seen', async () => {
    const gate = Promise.withResolvers<void>();
    const { operations, statusOf, whyOf } = opened(async ({ name }) => {
      if (name !== '') await gate.promise;
      return { path: '', room: '' };
    });
    const ids = Array.from({ length: 101 }, (_, index) => `r${index}`);
    operations.create({ kind: 'delete' }, { id: 'first' });
    await until('it has ended', () => statusOf('first') === 'ok');
    for (const id of ids) operations.create({ kind: 'delete', name: id }, { id });
    await until('too many are refused', () => statusOf('r100') === 'error');
    assert.match(whyOf('r100'), /100 operations wait/);
    gate.resolve();
    await until('fifty stay', () => operations.ids.get().length === 50);
    assert.equal(operations.get('first'), undefined);
  });

  it('F3.6 end in the words of the server where its disk is full', async () => {
    const server = new JupyterServer({ url: 'http://localhost/', token: '' });
    const said = JSON.stringify({ message: 'Unexpected error while saving file: a.bin [Errno 28] No space left on device' });
    const changes = new FileChanges({
      server: { stat: async (path) => server.stat(path), json: async () => ({}), ask: async () => ({ status: 500, type: '', text: said }) },
      move: async (_from, _to, ask) => ask(),
      remove: async (_path, ask) => ask(),
      idOf: async () => '',
    });
    const { operations, whyOf } = opened((order) => changes.carryOut('work', order));
    const order = { kind: 'upload', name: 'a.bin', content: 'AAAA', replace: true };
    for (const each of [order, { kind: 'delete', name: 'a' }, { kind: 'rename', name: 'a', to: 'b' }]) {
      const id = operations.create(each);
      await until('it has failed', () => whyOf(id) !== '');
      assert.match(whyOf(id), /No space left on device/);
    }
    await server.close();
  });
});
