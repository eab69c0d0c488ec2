import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { WebSocketServer, type WebSocket } from 'ws';
import { listening } from '../../../../test/fakes/proxied-session.ts';
import { SharedNotebook } from '../../../../test/fakes/shared-notebook.ts';
import { until } from '../../../../test/fakes/until.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';
import { decodeMessage, encodeMessage, PROTOCOL, type KernelMessage } from './kernel-messages.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A kernel that answers everything at once, behind a server that loses the messages for which `isLost` says so, by connection (0, 1 …). */
async function weakKernel(
  isLost: (message: KernelMessage, connection: number) => boolean,
  isHeld: (message: KernelMessage, connection: number) => boolean = () => false,
): Promise<{ url: string; executed: string[]; heard: string[] }> {
  const executed: string[] = [];
  const heard: string[] = [];
  const held: (() => void)[] = [];
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  const answer = (socket: WebSocket, { header, content: { code } }: KernelMessage): void => {
    if (header.msg_type === 'execute_request') executed.push(code as string);
    const say = (channel: 'shell' | 'iopub', type: string, content: KernelMessage['content']): void => {
      const said = { msg_id: `k_${executed.length}`, msg_type: type, session: 'kernel', username: '', date: '', version: '5.4' };
      const parent = { msg_id: header.msg_id, msg_type: header.msg_type };
      socket.send(encodeMessage({ channel, header: said, parent, metadata: {}, content, buffers: [] }, PROTOCOL));
    };
    say('shell', header.msg_type.replace('_request', '_reply'), { status: 'ok', execution_count: executed.length });
    say('iopub', 'status', { execution_state: 'idle' });
  };
  let connections = 0;
  sockets.on('connection', (socket) => {
    const connection = connections++;
    socket.on('message', (data: Buffer, isBinary) => {
      const asked = decodeMessage(data, isBinary, PROTOCOL);
      heard.push(`${connection} ${asked.header.msg_type}`);
      if (isLost(asked, connection)) return;
      held.push(() => answer(socket, asked));
      if (isHeld(asked, connection)) return;
      for (const each of held.splice(0)) each();
    });
  });
  const port = await listening(server);
  ends.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/`, executed, heard };
}

function started(url: string, { state = 'busy', doubtMs = 20 } = {}): Executions {
  const executions = new Executions({
    server: { address: { url, token: '' }, ask: async () => ({ status: 200, type: '', text: `{"execution_state": "${state}"}` }) },
    secret: 'a secret',
    blobs: new FolderBlobs(join(tmpdir(), 'nowhere'), String),
    doubtMs,
  });
  ends.push(() => executions.close());
  return executions;
}

function attached(url: string, state?: string): { notebook: SharedNotebook; run: (cell: string) => Promise<string> } {
  const [executions, notebook] = [started(url, state === undefined ? {} : { state }), new SharedNotebook(['1', '2'])];
  executions.attach('doc', notebook.shared);
  return { notebook, run: (cell) => executions.request('doc', { cell, kernel: 'k', owner: '' }) };
}

/** True for the first message of a type. */
function first(type: string): (message: KernelMessage) => boolean {
  let isOver = false;
  return ({ header }) => header.msg_type === type && !isOver && (isOver = true);
}

test('X3.13 a kernel whose answer to who it is was lost is asked again', async () => {
  const { url, executed } = await weakKernel(first('kernel_info_request'));
  const { notebook, run } = attached(url);
  assert.equal((await notebook.ended(await run('c0'))).status, 'ok');
  assert.deepEqual(executed, ['1']);
});

test('X3.13 what was lost on the way to the kernel is aborted with a word, and the next one runs', async () => {
  const { url, executed } = await weakKernel(first('execute_request'));
  const { notebook, run } = attached(url);
  const [lost, next] = [await run('c0'), await run('c1')];
  assert.match(JSON.stringify(await notebook.ended(lost)), /"abort".*was lost/);
  assert.equal((await notebook.ended(next)).status, 'ok');
  assert.deepEqual(executed, ['2']);
});

test('X3.13 where nothing gets through although the kernel has nothing to do, the connection is made anew', async () => {
  const { url, executed } = await weakKernel((_message, connection) => connection === 0);
  const { notebook, run } = attached(url, 'idle');
  assert.equal((await notebook.ended(await run('c0'))).status, 'ok');
  assert.deepEqual(executed, ['1']);
});

test('X3.13 what is taken up while the kernel is asked who it is, has a question of its own', async () => {
  const isOfFirst = (message: KernelMessage, connection: number): boolean =>
    connection === 0 && message.header.msg_type === 'execute_request';
  let asked = 0;
  const isHeld = ({ header }: KernelMessage, connection: number): boolean =>
    connection > 0 && header.msg_type === 'kernel_info_request' && asked++ === 0;
  const { url, executed, heard } = await weakKernel(isOfFirst, isHeld);
  const patient = { doubtMs: 60_000 };
  const [one, notebook] = [started(url, patient), new SharedNotebook(['1'])];
  one.attach('doc', notebook.shared);
  const lost = await one.request('doc', { cell: 'c0', kernel: 'k', owner: '' });
  await until('it is sent', () => heard.includes('0 execute_request'));
  one.close();
  const [two, other] = [started(url, patient), new SharedNotebook(['2'])];
  two.attach('other', other.shared);
  const next = await two.request('other', { cell: 'c0', kernel: 'k', owner: '' });
  await until('the kernel is asked', () => heard.includes('1 kernel_info_request'));
  two.attach('doc', notebook.shared);
  assert.match(JSON.stringify(await notebook.ended(lost)), /"abort".*was lost/);
  assert.equal((await other.ended(next)).status, 'ok');
  assert.deepEqual(executed, ['2']);
});
