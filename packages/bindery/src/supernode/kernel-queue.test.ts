import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { listening } from '../../../../test/fakes/proxied-session.ts';
import { SharedNotebook } from '../../../../test/fakes/shared-notebook.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';
import { decodeMessage, encodeMessage, PROTOCOL, type KernelMessage } from './kernel-messages.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A kernel that answers everything at once, behind a server that loses the messages for which `isLost` says so, by connection (0, 1 …). */
async function weakKernel(isLost: (message: KernelMessage, connection: number) => boolean): Promise<{ url: string; executed: string[] }> {
  const executed: string[] = [];
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  let connections = 0;
  sockets.on('connection', (socket) => {
    const connection = connections++;
    socket.on('message', (data: Buffer, isBinary) => {
      const asked = decodeMessage(data, isBinary, PROTOCOL);
      if (isLost(asked, connection)) return;
      const { header } = asked;
      if (header.msg_type === 'execute_request') executed.push(asked.content['code'] as string);
      const say = (channel: 'shell' | 'iopub', type: string, content: KernelMessage['content']): void => {
        const id = `k_${executed.length}`;
        const said = { msg_id: id, msg_type: type, session: 'kernel', username: '', date: '', version: '5.4' };
        const parent = { msg_id: header.msg_id, msg_type: header.msg_type };
        socket.send(encodeMessage({ channel, header: said, parent, metadata: {}, content, buffers: [] }, PROTOCOL));
      };
      say('shell', header.msg_type.replace('_request', '_reply'), { status: 'ok', execution_count: executed.length });
      say('iopub', 'status', { execution_state: 'idle' });
    });
  });
  const port = await listening(server);
  ends.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/`, executed };
}

function attached(url: string, state = 'busy'): { notebook: SharedNotebook; run: (cell: string) => Promise<string> } {
  const executions = new Executions({
    server: { address: { url, token: '' }, ask: async () => ({ status: 200, type: '', text: `{"execution_state": "${state}"}` }) },
    secret: 'a secret',
    blobs: new FolderBlobs(join(tmpdir(), 'nowhere'), String),
    doubtMs: 20,
  });
  ends.push(() => executions.close());
  const notebook = new SharedNotebook(['1', '2']);
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
