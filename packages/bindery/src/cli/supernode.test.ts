import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cellsOf, readNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';
import { connect } from '@bindery/rtc/room/connect.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { WebSocket } from 'ws';
import type * as Y from 'yjs';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { LabClient } from '../../../../test/fakes/lab-client.ts';
import { addressOf, SupernodeProcess } from '../../../../test/fakes/supernode-process.ts';
import { until } from '../../../../test/fakes/until.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const base = await mkdtemp(join(tmpdir(), 'supernode-cli-'));
let jupyter: JupyterServer;
before(async () => {
  jupyter = await JupyterServer.start();
});
after(async () => {
  await jupyter[Symbol.asyncDispose]();
  await rm(base, { recursive: true });
});
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});
let count = 0;

async function start(
  words: readonly string[] = [],
  { folder = join(base, `s${count++}`), server = jupyter, env = {} } = {},
): Promise<SupernodeProcess> {
  const supernode = await SupernodeProcess.start(folder, server, words, env);
  ends.push(async () => supernode.kill('all'));
  return supernode;
}

async function notebook(name: string, source: string, server = jupyter): Promise<string> {
  const cells = [{ cell_type: 'code', id: 'a', metadata: {}, outputs: [], execution_count: null, source }];
  const metadata = { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } };
  await writeFile(join(server.folder, 'root', name), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }));
  return name;
}

async function enter(supernode: SupernodeProcess, path: string) {
  const room = connect({ url: supernode.room(await supernode.find(path), 'room'), tables: NOTEBOOK_TABLES });
  ends.push(() => room.close());
  await until('is there', () => room.state.get().phase === 'open', { seen: () => room.state.get() });
  return room;
}

const shown = (doc: Y.Doc): string => JSON.stringify(readNotebook(doc).cells.flatMap(({ outputs }) => outputs));
const onDisk = async (name: string, server = jupyter): Promise<string> => readFile(join(server.folder, 'root', name), 'utf8');

/** What a command says that fails. */
async function failed(
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: string; message: string; hint: string }> {
  const child = spawn(process.execPath, [MAIN, ...words, '--json', '--set', `supernode.folder=${join(base, `f${count++}`)}`], {
    env: { PATH: process.env['PATH'] ?? '', HOME: base, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await textOf(child.stdout);
  return (JSON.parse(said) as { error: { code: string; message: string; hint: string } }).error;
}

describe('bindery supernode', () => {
  it('shares a notebook of a Jupyter server, runs its cells, saves, and goes on after kill -9', async () => {
    const folder = join(base, `s${count++}`);
    const name = await notebook('all.ipynb', 'print(6 * 7)');
    const first = await start([], { folder });
    const a = await enter(first, name);
    const lab = new LabClient(first.room(await first.find(name), 'lab'), {});
    ends.push(() => lab.close());
    await lab.synced;
    const { id: kernel } = (await (await first.ask('POST', 'api/kernels', {})).json()) as { id: string };
    const source = (doc: Y.Doc): Y.Text => (cellsOf(doc).get(0) as Y.Map<Y.Text>).get('source') as Y.Text;
    a.transact(() => source(a.doc).insert(0, 'print("typed")\n'));
    await a.saved();
    await until('the other sees it', () => source(lab.doc).toJSON().startsWith('print("typed")'));
    const document_id = `json:notebook:${(await first.find(name)).fileId}`;
    const run = async (supernode: SupernodeProcess): Promise<void> => {
      const answer = await supernode.ask('POST', `api/kernels/${kernel}/execute`, { document_id, cell_id: 'a' });
      assert.equal(answer.status, 200, await answer.clone().text());
    };
    await run(first);
    await until('all see what it shows', () => [a.doc, lab.doc].every((doc) => shown(doc).includes('typed\\n42')), {
      seen: () => shown(lab.doc),
    });
    await until('it is in the file', async () => (await onDisk(name)).includes('"42\\n"'));
    a.transact(() => source(a.doc).insert(0, '# not in the file yet\n'));
    await a.saved();
    a.close();
    await first.kill('all');

    const second = await start([], { folder });
    assert.equal(second.key, first.key);
    const b = await enter(second, name);
    assert.equal(source(b.doc).toJSON(), '# not in the file yet\nprint("typed")\nprint(6 * 7)');
    await run(second);
    await until('it ran again', () => readNotebook(b.doc).cells[0]?.executionCount === 2, { seen: () => readNotebook(b.doc).cells });
    await until('it is in the file', async () => (await onDisk(name)).includes('# not in the file yet'));
    b.transact(() => source(b.doc).insert(0, '# at the last moment\n'));
    await b.saved();
    assert.equal(await second.end('SIGTERM'), 0);
    assert.match(await onDisk(name), /# at the last moment/);
  });

  it('passes everything else on to the server, for who has a key, a token or a link', async () => {
    const supernode = await start();
    for (const key of [supernode.key, jupyter.token]) {
      const answer = await supernode.ask('GET', 'api/status', undefined, key);
      assert.equal(answer.status, 200);
      assert.ok('kernels' in ((await answer.json()) as object));
    }
    assert.equal((await supernode.ask('GET', 'api/status', undefined, 'wrong')).status, 403);
    assert.equal((await fetch(`${supernode.url}api/status`)).status, 403);
    const kernel = ((await (await supernode.ask('POST', 'api/kernels', {})).json()) as { id: string }).id;
    const socket = new WebSocket(`${supernode.url.replace('http', 'ws')}api/kernels/${kernel}/channels?token=${supernode.key}`);
    await once(socket, 'open');
    socket.close();

    // A browser: the link lets it in once, and then its cookie does, from its own pages.
    const opened = await fetch(supernode.enterUrl, { redirect: 'manual' });
    assert.deepEqual([opened.status, opened.headers.get('location')], [303, '/base/lab']);
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
    assert.equal((await fetch(supernode.enterUrl, { redirect: 'manual' })).status, 410);
    const asked = async (headers: Record<string, string>, method = 'GET'): Promise<number> =>
      (await fetch(`${supernode.url}api/kernels`, { method, headers: { cookie, ...headers } })).status;
    assert.equal(await asked({}), 200);
    assert.equal(await asked({ origin: 'http://evil.example' }, 'POST'), 403);
    assert.equal(await asked({ origin: new URL(supernode.url).origin }, 'POST'), 201);
    // JupyterLab says the server's token beside it.
    assert.equal(await asked({ authorization: `token ${jupyter.token}` }), 200);
    // Who opens the address with a token gets a cookie for it.
    const page = request(`${supernode.url}lab?token=${jupyter.token}`, { headers: { 'sec-fetch-mode': 'navigate' }, agent: false }).end();
    const [{ statusCode, headers }] = (await once(page, 'response')) as [IncomingMessage];
    const way = new URL(headers.location ?? '');
    assert.equal(statusCode, 303);
    assert.deepEqual([way.pathname, way.searchParams.get('next')], ['/base/-/open', 'lab']);
  });

  it('makes links to one file, in a role', async () => {
    const state = join(base, `state${count++}`);
    const name = await notebook('shared.ipynb', '1');
    await notebook('other.ipynb', '1');
    const supernode = await SupernodeProcess.start(join(state, 'supernode'), jupyter);
    ends.push(async () => supernode.kill('all'));
    const words = ['share', name, '--role', 'edit', '--server', addressOf(jupyter), '--state', state];
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH: process.env['PATH'] ?? '', HOME: base },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const link = new URL((await textOf(child.stdout)).trim());
    assert.equal(link.searchParams.get('next'), `-/notebook?path=${name}`);
    const token = link.searchParams.get('share') ?? '';
    const status = async (method: string, path: string, body?: unknown): Promise<number> =>
      (await supernode.ask(method, path, body, token)).status;
    const kind = { format: 'json', type: 'notebook' };
    assert.equal(await status('PUT', `api/collaboration/session/${name}`, kind), 201);
    assert.equal(await status('PUT', 'api/collaboration/session/other.ipynb', kind), 403);
    assert.equal(await status('GET', `api/contents/${name}`), 200);
    assert.equal(await status('GET', 'api/contents/other.ipynb'), 403);
    assert.equal(await status('POST', 'api/kernels', {}), 403);
    assert.equal((await fetch(link, { redirect: 'manual' })).status, 303);
    const nobody = await failed(['share', name, '--server', 'http://localhost:1/', '--state', state]);
    assert.equal(nobody.code, 'supernode_unreachable');
  });

  it('finds the token that a server of the same user has noted', async () => {
    const supernode = await start([], { env: { BINDERY_SUPERNODE_TOKEN: '', JUPYTER_RUNTIME_DIR: join(jupyter.folder, 'run') } });
    assert.equal((await supernode.ask('GET', 'api/status')).status, 200);
  });

  it('serves a server that asks for no token', async () => {
    const server = await JupyterServer.start([], undefined, '');
    ends.push(async () => server[Symbol.asyncDispose]());
    const name = await notebook('open.ipynb', '1', server);
    const tokenFile = join(base, 'no-token');
    await writeFile(tokenFile, '\n');
    const supernode = await start(['--token-file', tokenFile], { server });
    const room = await enter(supernode, name);
    room.tables.cells.update('a', { text: 'print(6 * 7)' });
    await until('it is in the file', async () => (await onDisk(name, server)).includes('6 * 7'));
    const kernel = await server.startKernel();
    const execution = room.tables.executions.create({ code: 'print("ran")', kernel: { id: kernel, session: 0 }, cell: 'a' });
    await until('it ran', () => shown(room.doc).includes('ran'), { seen: () => room.tables.executions.get(execution) });
  });

  it('says what is wrong', async () => {
    const address = addressOf(jupyter);
    const nobody = await failed(['supernode', '--server', 'http://localhost:1/']);
    assert.equal(nobody.code, 'jupyter_unreachable');
    assert.match(nobody.message, /http:\/\/localhost:1\/: connect ECONNREFUSED/);
    const wrong = await failed(['supernode', '--server', address], { BINDERY_SUPERNODE_TOKEN: 'wrong' });
    assert.deepEqual([wrong.code, /does not accept the token/.test(wrong.message)], ['jupyter_refused', true]);
    const none = await failed(['supernode', '--server', address]);
    assert.deepEqual([none.code, /none was given/.test(none.message)], ['jupyter_refused', true]);
    const elsewhere = await failed(['supernode', '--server', address.replace(/base\/$/, 'lab/')]);
    assert.deepEqual([elsewhere.code, /is no Jupyter server/.test(elsewhere.message)], ['jupyter_unreachable', true]);
    assert.equal((await failed(['supernode', '--server', 'ftp://localhost/'])).code, 'request_invalid');
    assert.equal((await failed(['supernode', '--server', address, '--token-file', join(base, 'absent')])).code, 'config_invalid');
    assert.equal((await failed(['supernode', '--server', address, '--set', 'supernode.host=0.0.0.0'])).code, 'config_invalid');
    // As jupyter_server 1 and notebook 6 answer.
    const old = createServer((request, response) =>
      response.writeHead(request.url === '/api' ? 200 : 404).end(request.url === '/api' ? '{"version": "6.5.6"}' : ''),
    );
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
    ends.push(() => old.close());
    const { code, message } = await failed(['supernode', '--server', `127.0.0.1:${(old.address() as AddressInfo).port}`]);
    assert.deepEqual([code, /6\.5\.6/.test(message)], ['jupyter_too_old', true]);
    // One a server; its documents are no others'.
    const folder = join(base, `s${count++}`);
    await start([], { folder });
    await assert.rejects(start([], { folder }), /already uses|supernode_locked/);
  });
});
