import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as Y from 'yjs';
import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { SharedNotebook } from '../../../../test/fakes/shared-notebook.ts';
import { until } from '../../../../test/fakes/until.ts';
import { RelayRoom } from '../relay/relay-room.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions, type ExecutionsOptions } from './executions.ts';

const isOf = (code: ErrorCode) => (error: unknown) => error instanceof BinderyError && error.code === code;

describe('executions', () => {
  let server: JupyterServer;
  const all: Executions[] = [];
  before(async () => {
    server = await JupyterServer.start();
  });
  after(async () => {
    for (const executions of all) executions.close();
    await server[Symbol.asyncDispose]();
  });

  const start = (options: Partial<ExecutionsOptions> = {}): Executions => {
    const blobs = new FolderBlobs(join(server.folder, 'blobs'), (digest) => `http://here/blobs/${digest}`);
    const executions = new Executions({ server: server.api, secret: 'a secret', blobs, ...options });
    all.push(executions);
    return executions;
  };

  /** A notebook that is attached, with a kernel of its own. */
  const opened = async (...sources: string[]) => {
    const [executions, notebook, kernel] = [start(), new SharedNotebook(sources), await server.startKernel()];
    executions.attach('doc', notebook.shared);
    const run = (cell: string, more: object = {}): Promise<string> =>
      executions.request('doc', { cell, kernel, owner: 'ada', allowStdin: true, ...more });
    return { executions, notebook, kernel, run };
  };

  it('X3.1 runs a cell: requested, in progress, ok', async () => {
    const { executions, notebook, kernel, run } = await opened('print("hello")\n6 * 7');
    const id = await run('c0');
    assert.equal(notebook.as('server').cells.get('c0')?.executionState, 'running');
    assert.equal(executions.isBusy('doc'), true);
    assert.deepEqual(await notebook.ended(id), { status: 'ok', executionCount: 1, result: null });
    const { outputs, executionCount } = notebook.cell('c0');
    assert.deepEqual(outputs, [
      { output_type: 'stream', name: 'stdout', text: 'hello\n' },
      { output_type: 'execute_result', data: { 'text/plain': '42' }, metadata: {}, execution_count: 1 },
    ]);
    const { owner, cell, code, kernel: ref, requestedAt, startedAt, endedAt } = notebook.record(id);
    assert.deepEqual([owner, cell, code, ref], ['ada', 'c0', 'print("hello")\n6 * 7', { id: kernel, session: 0 }]);
    assert.ok(requestedAt <= startedAt && startedAt < endedAt, [requestedAt, startedAt, endedAt].join());
    assert.deepEqual([executionCount, notebook.as('server').cells.get('c0')?.executionState], [1, 'idle']);
    await until('it is not busy', () => !executions.isBusy('doc'));
  });

  it('X3.2 refuses what it cannot run', async () => {
    const { executions, notebook, run } = await opened('1');
    await assert.rejects(run('c9'), isOf('cell_not_found'));
    await assert.rejects(run('c0', { sourceHash: 'abc' }), isOf('cell_changed'));
    await assert.rejects(run('c0', { kernel: 'b702f852-c6f4-47ac-8fca-7471c8de78b9' }), isOf('kernel_not_found'));
    await assert.rejects(executions.request('other', { cell: 'c0', kernel: 'k', owner: '' }), isOf('execution_refused'));
    await assert.rejects(executions.restart('b702f852-c6f4-47ac-8fca-7471c8de78b9'), isOf('kernel_not_found'));
    assert.throws(() => executions.answerStdin('doc', 'none', 'x'), isOf('input_not_expected'));
    const sourceHash = createHash('sha256').update('1').digest('hex');
    assert.equal((await notebook.ended(await run('c0', { sourceHash }))).status, 'ok');
  });

  it('X3.1 does not run what could not be written down, and says so', async () => {
    const kernel = await server.startKernel();
    const notebook = new SharedNotebook(['ran = True', 'print("ran" in globals())']);
    const failures: string[] = [];
    const executions = start({ failed: (document, error) => failures.push(`${document}: ${error.message}`) });
    let isFull = false;
    const shared = {
      doc: notebook.doc,
      edit: async (body: () => void) => {
        await notebook.shared.edit(body);
        if (isFull) throw new Error('disk full');
      },
    };
    executions.attach('doc', shared);
    isFull = true;
    await assert.rejects(executions.request('doc', { cell: 'c0', kernel, owner: '' }), /disk full/);
    assert.deepEqual(failures, ['doc: disk full']);
    isFull = false;
    executions.attach('doc', shared);
    const id = await executions.request('doc', { cell: 'c1', kernel, owner: '' });
    await notebook.ended(id);
    // The first is in the document after all: it runs, in its turn.
    assert.equal(notebook.text('c1'), 'True\n');
    await until('it is not busy', () => !executions.isBusy('doc'));
  });

  it('X3.3 runs one after another, in order', async () => {
    const { notebook, run } = await opened('import time; time.sleep(0.2); x = [1]', 'x.append(2)', 'print(x)');
    const ids = await Promise.all(['c0', 'c1', 'c2'].map((cell) => run(cell)));
    assert.deepEqual(ids.map((id) => notebook.status(id)).filter((status) => status === 'in progress').length <= 1, true);
    await notebook.ended(ids[2] ?? '');
    assert.equal(notebook.text('c2'), '[1, 2]\n');
  });

  it('X3.4 an error aborts what the same owner has asked for before it, and nobody else', async () => {
    const { notebook, run } = await opened('import time; time.sleep(0.3); 1/0', 'print("mine")', 'print("other")');
    const ids = [await run('c0'), await run('c1'), await run('c2', { owner: 'bob' })];
    const [failed, aborted, ran] = await Promise.all(ids.map((id) => notebook.ended(id)));
    assert.equal(failed?.status === 'error' && failed.ename, 'ZeroDivisionError');
    assert.deepEqual(aborted, { status: 'abort', message: 'An earlier one of the same run failed.' });
    assert.equal(ran?.status, 'ok');
    assert.deepEqual([notebook.text('c1'), notebook.text('c2')], ['', 'other\n']);
    assert.equal(notebook.cell('c0').outputs[0]?.['output_type'], 'error');
    assert.equal((await notebook.ended(await run('c1'))).status, 'ok');
  });

  it('X3.5 a member that may execute asks by a record, and takes back', async () => {
    const { notebook, kernel } = await opened('import time; time.sleep(0.4)', 'print("no")');
    const { executions } = notebook.as('execute', 'ada');
    const ref = { id: kernel, session: 0 };
    const first = executions.create({ code: 'import time; time.sleep(0.4); print("from the record")', kernel: ref, cell: 'c0' });
    const second = executions.create({ code: 'print("no")', kernel: ref, cell: 'c1', owner: 'somebody else' });
    await until('it runs', () => notebook.status(first) === 'in progress');
    executions.update(second, { status: { status: 'abort', message: 'changed my mind' } });
    assert.equal((await notebook.ended(first)).status, 'ok');
    assert.equal(notebook.text('c0'), 'from the record\n');
    assert.deepEqual(await notebook.ended(second), { status: 'abort', message: 'changed my mind' });
    await until('it is written', () => notebook.record(second).endedAt !== '');
    assert.deepEqual([notebook.text('c1'), notebook.record(second).owner], ['', 'ada']);
  });

  it('X3.4, X3.6 a request by a record is that of who made it, whoever says what', async () => {
    const { notebook, kernel } = await opened('');
    const ref = { id: kernel, session: 0 };
    const [ada, bob] = [notebook.as('execute', 'ada').executions, notebook.as('execute', 'bob').executions];
    const first = ada.create({ code: 'import time; time.sleep(0.3); 1/0', kernel: ref });
    const second = ada.create({ code: '2', kernel: ref });
    const other = bob.create({ code: '3', kernel: ref, owner: 'ada' });
    await until('it is accepted', () => notebook.record(other).seal !== '');
    bob.update(second, { owner: 'bob', code: '4' });
    await until('it is taken back', () => notebook.record(second).owner === 'ada' && notebook.record(second).code === '2');
    const ended = await Promise.all([first, second, other].map(async (id) => (await notebook.ended(id)).status));
    assert.deepEqual(ended, ['error', 'abort', 'ok']);
    assert.equal(notebook.record(other).owner, 'bob');
  });

  it('X3.6 a member that may only edit asks in vain, and changes nothing of what runs', async () => {
    const { notebook, kernel, run } = await opened('import time; time.sleep(0.4)', 'print("as it was")');
    const forged = notebook.as('edit').executions.create({ code: 'print(1)', kernel: { id: kernel, session: 0 } });
    assert.match(JSON.stringify(await notebook.ended(forged)), /may edit here, and not run/);
    const [first, second] = [await run('c0'), await run('c1')];
    const { executions, cells } = notebook.as('edit');
    executions.update(second, { code: 'print("forged")', status: { status: 'abort', message: '' }, seal: '' });
    executions.update(first, { interrupt: true, status: { status: 'ok', executionCount: 1, result: null } });
    cells.update('c1', { text: 'print("edited")' });
    await until('it is as it was', () => notebook.record(second).code === 'print("as it was")');
    executions.delete(second);
    await until('it is there again', () => notebook.status(second) === 'requested');
    assert.deepEqual(await Promise.all([first, second].map(async (id) => (await notebook.ended(id)).status)), ['ok', 'ok']);
    await until('its output', () => notebook.text('c1') === 'as it was\n');
    // One that has run does not run again, whoever says so.
    for (const origin of ['edit', 'execute'] as const) {
      notebook.as(origin).executions.update(second, { status: { status: 'requested' } });
      assert.equal((await notebook.ended(second)).status, 'abort');
    }
    assert.equal(notebook.text('c1'), 'as it was\n');
  });

  it('X3.7 a cell that is edited, copied, moved or deleted while it runs', async () => {
    const code = 'import time\nfor i in range(6):\n    print(i, flush=True)\n    time.sleep(0.1)';
    const { notebook, run } = await opened(code, code, 'print(1)');
    const edit = notebook.as('edit').cells;
    const first = await run('c0');
    await until('it prints', () => notebook.text('c0') !== '');
    edit.update('c0', { text: 'print("edited")' });
    notebook.doc.transact(() => {
      const cells = notebook.doc.getArray<Y.Map<unknown>>('cells');
      const [moved, copy] = [cells.get(0).clone(), cells.get(0).clone()];
      copy.set('id', 'copy');
      cells.delete(0);
      cells.push([moved, copy]);
    }, 'edit');
    assert.equal((await notebook.ended(first)).status, 'ok');
    assert.equal(notebook.text('c0'), '0\n1\n2\n3\n4\n5\n');
    assert.equal(notebook.text('copy').startsWith('0\n'), true);
    assert.equal(notebook.text('copy').includes('5'), false);
    const second = await run('c1');
    await until('it prints', () => notebook.text('c1') !== '');
    edit.delete('c1');
    assert.equal((await notebook.ended(second)).status, 'ok');
    const shown = notebook
      .record(second)
      .displays.map((display) => (display.type === 'stream' ? display.text : ''))
      .join('');
    assert.ok(shown.endsWith('4\n5\n'), shown);
    assert.equal((await notebook.ended(await run('c2'))).status, 'ok');
  });

  it('X3.8 interrupts', async () => {
    const { executions, notebook, kernel, run } = await opened('import time; print("on", flush=True)\ntime.sleep(60)', '1');
    for (const way of ['api', 'record'] as const) {
      const ids = [await run('c0'), await run('c1')] as const;
      await until('it runs', () => notebook.text('c0') === 'on\n');
      if (way === 'api') await executions.interrupt(kernel);
      else notebook.as('execute').executions.update(ids[0], { interrupt: true });
      const [first, second] = await Promise.all(ids.map((id) => notebook.ended(id)));
      assert.equal(first?.status === 'error' && first.ename, 'KeyboardInterrupt');
      assert.equal(second?.status, 'abort');
    }
  });

  it('X3.9 restarts: all is aborted with a word, and what is asked for afterwards runs in the new life', async () => {
    const { executions, notebook, kernel, run } = await opened('x = 1\nimport time; time.sleep(60)', 'print(x)', 'print("new")');
    const ids = [await run('c0'), await run('c1')];
    await until('it runs', () => notebook.status(ids[0] ?? '') === 'in progress');
    await executions.restart(kernel);
    for (const id of ids) assert.deepEqual(await notebook.ended(id), { status: 'abort', message: 'The kernel was restarted.' });
    const after = [await run('c1'), await run('c2', { owner: 'bob' })];
    assert.equal((await notebook.ended(after[0] ?? '')).status, 'error');
    assert.equal((await notebook.ended(after[1] ?? '')).status, 'ok');
    assert.deepEqual(notebook.record(after[1] ?? '').kernel, { id: kernel, session: 1 });
    const stale = notebook.as('execute').executions.create({ code: '1', kernel: { id: kernel, session: 0 } });
    assert.deepEqual(await notebook.ended(stale), { status: 'abort', message: 'The kernel was restarted.' });
  });

  it('X3.9 somebody else restarts the kernel, or ends it', async () => {
    const { notebook, kernel, run } = await opened('import time; time.sleep(60)', 'print("again")');
    const first = await run('c0');
    await until('it runs', () => notebook.status(first) === 'in progress');
    await server.ask('POST', `api/kernels/${kernel}/restart`);
    assert.deepEqual(await notebook.ended(first), { status: 'abort', message: 'The kernel was restarted.' });
    assert.equal((await notebook.ended(await run('c1'))).status, 'ok');
    const last = await run('c0');
    await until('it runs', () => notebook.status(last) === 'in progress');
    await server.ask('DELETE', `api/kernels/${kernel}`);
    assert.deepEqual(await notebook.ended(last), { status: 'abort', message: 'There is no such kernel any more.' });
    await assert.rejects(run('c1'), isOf('kernel_not_found'));
  });

  it('X3.10 a kernel that dies in the middle of a cell', async () => {
    const { notebook, run } = await opened(
      'import os, signal, time\nprint("on", flush=True); time.sleep(0.2)\nos.kill(os.getpid(), signal.SIGKILL)',
      'print("again")',
    );
    const ids = [await run('c0'), await run('c1')];
    for (const id of ids) assert.deepEqual(await notebook.ended(id), { status: 'abort', message: 'The kernel died.' });
    assert.equal(notebook.text('c0'), 'on\n');
    assert.equal((await notebook.ended(await run('c1'))).status, 'ok');
  });

  it('X3.11 asks for input, and takes it from the document, or a password from elsewhere', async () => {
    const { executions, notebook, run } = await opened(
      'print(input("name? ") + "!")',
      'import getpass; print(len(getpass.getpass("key? ")))',
    );
    const first = await run('c0');
    const { stdin } = notebook.as('execute');
    await until('it asks', () => stdin.records.get().length === 1);
    const [question] = stdin.records.get();
    assert.deepEqual([question?.prompt, question?.isPassword, question?.execution], ['name? ', false, first]);
    notebook.as('edit').stdin.update(question?.id ?? '', { answer: 'nobody' });
    notebook.as('execute').stdin.update(question?.id ?? '', { answer: 'ada' });
    assert.equal((await notebook.ended(first)).status, 'ok');
    assert.equal(notebook.text('c0'), 'name? ada\nada!\n');
    assert.equal(notebook.as('server').stdin.ids.get().length, 0);

    const second = await run('c1');
    await until('it asks', () => notebook.as('server').stdin.ids.get().length === 1);
    const [id = ''] = notebook.as('server').stdin.ids.get();
    notebook.as('execute').stdin.update(id, { answer: 'secret' });
    await until('it is taken away', () => notebook.as('server').stdin.get(id)?.answer === null);
    executions.answerStdin('doc', id, 'secret');
    assert.equal((await notebook.ended(second)).status, 'ok');
    assert.equal(notebook.text('c1'), 'key? ········\n6\n');
    const refused = await notebook.ended(await run('c0', { allowStdin: false }));
    assert.equal(refused.status === 'error' && refused.ename, 'StdinNotImplementedError');
  });

  it('X3.12 goes on after a restart of its own: nothing is lost, nothing runs twice', async () => {
    const file = join(server.folder, 'room');
    const kernel = await server.startKernel();
    const room = await RelayRoom.open(file);
    const code = 'n = globals().get("n", 0) + 1\nimport time\nfor i in range(4):\n    print(i, n, flush=True)\n    time.sleep(0.3)\n"end"';
    const before = new SharedNotebook([code, 'm = globals().get("m", 0) + 1; print("m", m)'], room);
    const one = start();
    one.attach('doc', room);
    const ids = [await one.request('doc', { cell: 'c0', kernel, owner: '' }), await one.request('doc', { cell: 'c1', kernel, owner: '' })];
    await until('it prints', () => before.text('c0') !== '');
    one.close();
    await room.close();

    const again = await RelayRoom.open(file);
    const notebook = new SharedNotebook([], again);
    assert.deepEqual(
      ids.map((id) => notebook.status(id)),
      ['in progress', 'requested'],
    );
    const two = start();
    two.attach('doc', again);
    for (const id of ids) assert.equal((await notebook.ended(id)).status, 'ok');
    // The Jupyter server may lose what the kernel says while a connection breaks: then it is said, and only then may something lack.
    const lines = notebook.text('c0').split('\n');
    const said = lines.filter((line) => !line.startsWith('[The connection to the kernel was lost'));
    const all = ['0 1', '1 1', '2 1', '3 1', ''];
    assert.deepEqual(said, said.length === lines.length ? all : all.filter((line) => said.includes(line)));
    assert.deepEqual(notebook.data('c0'), [{ 'text/plain': "'end'" }]);
    assert.equal(notebook.text('c1'), 'm 1\n');
    two.close();
    await again.close();
  });

  it('X3.13 aborts with a word what nobody can vouch for after a restart, and what was lost', async () => {
    const kernel = await server.startKernel();
    const notebook = new SharedNotebook(['1', '2', '3']);
    const ref = { id: kernel, session: 0 };
    const { executions } = notebook.as('server');
    const unsealed = executions.create({ code: '1', kernel: ref });
    const one = start();
    one.attach('doc', notebook.shared);
    assert.match(JSON.stringify(await notebook.ended(unsealed)), /Nobody can tell/);
    // In progress, and never sent: the kernel knows nothing of it.
    const id = await one.request('doc', { cell: 'c0', kernel, owner: '' });
    await notebook.ended(id);
    await until('it is over', () => !one.isBusy('doc'));
    one.close();
    executions.update(id, { status: { status: 'in progress' } });
    notebook.as('server').cells.update('c0', { executionState: 'running' });
    notebook.as('server').cells.update('c2', { executionState: 'running' });
    const two = start();
    two.attach('doc', notebook.shared);
    assert.equal(notebook.as('server').cells.get('c2')?.executionState, 'idle');
    assert.deepEqual(await notebook.ended(id), {
      status: 'abort',
      message: 'The connection to the kernel was lost while it ran; outputs since then are lost.',
    });
    assert.equal(notebook.as('server').cells.get('c0')?.executionState, 'idle');
    // Set back by somebody while no server was there: it ran once, and does not again.
    two.close();
    executions.update(id, { status: { status: 'requested' } });
    start().attach('doc', notebook.shared);
    assert.match(JSON.stringify(await notebook.ended(id)), /changed after it was accepted/);
  });

  it('X3.13 takes the word of a server that ended before it was safe for what it is', async () => {
    const { notebook, kernel, run } = await opened('1', '2');
    const before = notebook.as('execute');
    // As a client brings it that has heard what never came to the log.
    notebook.doc.transact(() => {
      before.cells.update('c0', { execution: 'unsafe', executionState: 'running' });
      before.executions.create(
        { code: '1', kernel: { id: kernel, session: 0 }, cell: 'c0', status: { status: 'in progress' } },
        { id: 'unsafe' },
      );
    }, 'execute');
    assert.deepEqual(await notebook.ended('unsafe'), { status: 'abort', message: 'The server stopped before it began.' });
    assert.equal(notebook.as('server').cells.get('c0')?.executionState, 'idle');
    const id = await run('c1');
    const end = await notebook.ended(id);
    notebook.as('execute').executions.update(id, { status: { status: 'in progress' } });
    assert.deepEqual(await notebook.ended(id), end);
  });

  it('X3.14 keeps the last three records of a cell', async () => {
    const { notebook, run } = await opened('1');
    for (let count = 0; count < 5; count++) await notebook.ended(await run('c0'));
    await until('the oldest are gone', () => notebook.as('server').executions.ids.get().length === 3);
  });

  it('X3.15 shows rich output: display ids, clearing, widgets, pages, what is proposed for the next cell', async () => {
    const { notebook, run } = await opened(
      'from IPython.display import display, clear_output, HTML\nprint("gone"); clear_output(wait=True)\nh = display(HTML("<b>1</b>"), display_id=True)',
      'h.update(HTML("<b>2</b>"))',
      'from IPython import get_ipython; get_ipython().set_next_input("proposed")',
      'display({"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "w"}, raw=True)',
      'print?',
    );
    await notebook.ended(await run('c0'));
    assert.deepEqual(
      notebook.data('c0').map((data) => data['text/html']),
      ['<b>1</b>'],
    );
    await notebook.ended(await run('c1'));
    assert.deepEqual(
      notebook.data('c0').map((data) => data['text/html']),
      ['<b>2</b>'],
    );
    await notebook.ended(await run('c2'));
    assert.equal(notebook.as('server').cells.records.get()[3]?.text, 'proposed');
    await notebook.ended(await run('c3'));
    assert.deepEqual(notebook.data('c3')[0]?.['application/vnd.jupyter.widget-view+json'], { model_id: 'm' });
    await notebook.ended(await run('c4'));
    assert.match(JSON.stringify(notebook.data('c4')), /Prints the values to a stream/);
  });

  it('X4.1 completes and inspects for members that may execute', async () => {
    const { notebook, kernel } = await opened('1');
    const ref = { id: kernel, session: 0 };
    const { completions, inspections } = notebook.as('execute');
    const complete = completions.create({ kernel: ref, code: 'import itert', cursor: 12 });
    const inspect = inspections.create({ kernel: ref, code: 'print', cursor: 5 });
    const forbidden = notebook.as('edit').completions.create({ kernel: ref, code: 'import itert', cursor: 12 });
    await until('the answers', () => [complete, forbidden].every((id) => completions.get(id)?.status !== 'requested'));
    await until('the other', () => inspections.get(inspect)?.status !== 'requested');
    const { status, matches, start, end } = completions.get(complete) ?? {};
    assert.deepEqual([status, matches, start, end], ['done', ['itertools'], 7, 12]);
    assert.match(JSON.stringify(inspections.get(inspect)?.result?.data), /Prints the values/);
    assert.deepEqual([completions.get(forbidden)?.status, completions.get(forbidden)?.matches], ['failed', []]);
  });

  it('X4.2 keeps the state of comms, until they or their kernel end', async () => {
    const code = `
from comm import create_comm
a = create_comm(target_name='jupyter.widget', data={'state': {'value': 1, 'name': 'a', 'image': None}, 'buffer_paths': [['image']]}, buffers=[b'abc'])
b = create_comm(target_name='other', data={})
a.send({'method': 'update', 'state': {'value': 2}, 'buffer_paths': []})`;
    const { executions, notebook, kernel, run } = await opened(code, 'b.close(); a.send({"method": "update", "state": {"value": 3}})');
    await notebook.ended(await run('c0'));
    const { comms } = notebook.as('server');
    await until('they are there', () => comms.records.get().length === 2);
    const [a, b] = comms.records.get();
    assert.deepEqual([a?.target, b?.target, a?.isOpen], ['jupyter.widget', 'other', true]);
    assert.deepEqual(a?.data, {
      state: { value: 2, name: 'a', image: null },
      buffers: [{ encoding: 'base64', path: ['image'], data: 'YWJj' }],
    });
    await notebook.ended(await run('c1'));
    await until('it is closed', () => comms.get(b?.id ?? '')?.isOpen === false);
    assert.match(JSON.stringify(comms.get(a?.id ?? '')?.data), /"value":3/);
    await executions.restart(kernel);
    await until('it is closed', () => comms.get(a?.id ?? '')?.isOpen === false);
  });
});
