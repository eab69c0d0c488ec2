import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openLocal } from '@bindery/rtc/room/local.ts';
import { SERVER_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables } from '@bindery/rtc/tables/table.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { SharedNotebook } from '../../../../test/fakes/shared-notebook.ts';
import { until } from '../../../../test/fakes/until.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';
import type { JupyterServer as JupyterApi } from './jupyter-server.ts';
import { AUTHOR } from '../relay/occupant.ts';
import { Mirror } from './mirror.ts';
import { SessionRequests } from './session-requests.ts';
import type { SharedDoc } from './shared-doc.ts';

describe('the mirror of a Jupyter server', () => {
  let server: JupyterServer;
  before(async () => {
    server = await JupyterServer.start();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  const opened = (ask: JupyterApi['ask'] = (...asked) => server.api.ask(...asked)) => {
    const { doc } = openLocal({ tables: {} });
    const shared: SharedDoc = { doc, edit: async (body) => doc.transact(body, 'server') };
    const mirror = new Mirror({ server: { ask }, shared, isWatched: () => false });
    return { doc, shared, mirror, tables: openTables(doc, SERVER_TABLES, (body) => doc.transact(body)) };
  };

  it('X5.1 has what the server has, and writes what changed', async () => {
    const { doc, mirror, tables } = opened();
    const kernel = await server.startKernel();
    const session = (await server.ask('POST', 'api/sessions', {
      path: 'a.ipynb',
      name: 'a',
      type: 'notebook',
      kernel: { id: kernel },
    })) as {
      id: string;
    };
    await server.ask('POST', 'api/terminals');
    await mirror.look();
    await mirror.look();
    assert.equal(tables.kernels.get(kernel)?.name, 'python3');
    assert.deepEqual(tables.sessions.get(session.id), {
      path: 'a.ipynb',
      name: 'a',
      type: 'notebook',
      state: { label: 'created', kernelId: kernel },
      owner: '',
    });
    assert.deepEqual(tables.terminals.records.get(), [{ id: '1', name: '1' }]);
    assert.equal(tables.status.get('status')?.kernels, 1);
    const { kernelspec } = tables.kernelspecs.get('python3') ?? {};
    assert.match(JSON.stringify(kernelspec), /"display_name":"Python 3/);
    let edits = 0;
    doc.on('update', () => (edits += 1));
    await until('nothing changes any more', async () => {
      edits = 0;
      await mirror.look();
      return edits === 0;
    });
    await server.ask('DELETE', 'api/terminals/1');
    await server.ask('DELETE', `api/sessions/${session.id}`);
    await mirror.look();
    assert.deepEqual(
      [tables.kernels, tables.sessions, tables.terminals].map(({ ids }) => ids.get().length),
      [0, 0, 0],
    );
    mirror.close();
  });

  it('X5.2 knows what the kernel says of itself, at once, and how often it was restarted, also after a restart of its own', async () => {
    const { mirror, shared, tables } = opened();
    const kernel = await server.startKernel();
    await mirror.look();
    const blobs = new FolderBlobs(join(server.folder, 'blobs'), String);
    const executions = new Executions({ server: server.api, secret: 's', blobs, mirror });
    const notebook = new SharedNotebook(['import time; time.sleep(0.5)']);
    executions.attach('doc', notebook.shared);
    const id = await executions.request('doc', { cell: 'c0', kernel, owner: '' });
    await until('it is busy', () => tables.kernels.get(kernel)?.status === 'busy');
    await notebook.ended(id);
    await until('it is idle', () => tables.kernels.get(kernel)?.status === 'idle');
    assert.equal(tables.kernels.get(kernel)?.info?.['implementation'], 'ipython');
    await executions.restart(kernel);
    await until('the new process is known', () => tables.kernels.get(kernel)?.process !== '');
    assert.equal(tables.kernels.get(kernel)?.session, 1);
    executions.close();
    mirror.close();

    await server.ask('POST', `api/kernels/${kernel}/restart`);
    const again = new Mirror({ server: server.api, shared, isWatched: () => false });
    assert.equal(again.current(kernel), 1);
    const next = new Executions({ server: server.api, secret: 's', blobs, mirror: again });
    const other = new SharedNotebook(['1']);
    next.attach('doc', other.shared);
    // It was asked of the life that nobody saw end.
    const stale = await next.request('doc', { cell: 'c0', kernel, owner: '' });
    assert.deepEqual(await other.ended(stale), { status: 'abort', message: 'The kernel was restarted.' });
    assert.equal(tables.kernels.get(kernel)?.session, 2);
    next.close();
    again.close();
  });

  it('X5.4 starts the kernel of a notebook for who asks by a record, and says why not', async () => {
    const { doc } = openLocal({ tables: {} });
    const shared: SharedDoc = { doc, edit: async (body) => doc.transact(body, 'server') };
    const as = (origin: 'execute' | 'edit') =>
      openTables(doc, SERVER_TABLES, (body) =>
        doc.transact(({ meta }) => {
          meta.set(AUTHOR, { owner: 'ada', made: () => true });
          return body();
        }, origin),
      ).sessions;
    const left = as('execute').create({ path: 'left.ipynb', state: { label: 'requested', kernel: { name: '' } } });
    const requests = new SessionRequests({ server: server.api, shared, look: async () => mirror.look() });
    const mirror = new Mirror({ server: server.api, shared, isWatched: () => false, isRequest: (id) => requests.has(id) });
    const sessions = as('execute');
    const stateOf = (id: string): string => JSON.stringify(sessions.get(id)?.state);
    assert.match(stateOf(left), /failed.*started anew/);
    const ask = (path: string, name: string): string => sessions.create({ path, state: { label: 'requested', kernel: { name } } });
    const asked = ask('asked.ipynb', 'python3');
    await until('it is there', () => sessions.get(asked) === undefined);
    const [found] = sessions.records.get().filter(({ path }) => path === 'asked.ipynb');
    assert.equal(found?.state.label, 'created');
    const [none, out] = [ask('b.ipynb', 'cobol'), ask('../b.ipynb', '')];
    await until('it has failed', () => [none, out].every((id) => stateOf(id).includes('failed')));
    assert.match(stateOf(none), /cobol/);
    assert.match(stateOf(out), /no name of something/);
    const forged = as('edit').create({ path: 'c.ipynb', state: { label: 'requested', kernel: { name: '' } } });
    await until('it has failed', () => stateOf(forged).includes('may edit here, and not run code'));
    await mirror.look();
    assert.deepEqual(
      [none, out, forged].map((id) => sessions.get(id)?.state.label),
      ['failed', 'failed', 'failed'],
    );
    sessions.update(none, { state: { label: 'requested', kernel: { name: '' } } });
    await mirror.look();
    assert.equal(sessions.records.get().filter(({ path, state }) => path === 'b.ipynb' && state.label === 'created').length, 0);
    requests.close();
    mirror.close();
  });

  it('X5.3 leaves things as they were while the server does not answer', async () => {
    let isAway = false;
    const { mirror, tables } = opened(async (...asked) => {
      if (isAway) throw new Error('away');
      return server.api.ask(...asked);
    });
    await server.startKernel();
    await mirror.look();
    await mirror.look();
    const before = tables.kernels.records.get();
    assert.ok(before.length > 0);
    isAway = true;
    await mirror.look();
    assert.deepEqual(tables.kernels.records.get(), before);
    mirror.close();
  });
});
