import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import type { Address } from '../../packages/bindery/src/contracts/engine.ts';

interface Message {
  readonly parent_header: { readonly msg_id?: string };
  readonly header: { readonly msg_type: string };
  readonly content: { readonly text?: string; readonly execution_state?: string; readonly traceback?: readonly string[] };
}

/** Runs code in a fresh kernel of a session, as a notebook would, and returns what it prints. Throws with the traceback of one that fails. */
export async function runInKernel({ socketPath, token, basePath }: Address, code: string): Promise<string> {
  const headers = { authorization: `token ${token}` };
  const asked = request({
    socketPath,
    path: `${basePath}api/kernels`,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
  });
  asked.end('{}');
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const { id } = JSON.parse(await text(answer)) as { id: string };
  const socket = new WebSocket(`ws+unix:${socketPath}:${basePath}api/kernels/${id}/channels`, { headers });
  await once(socket, 'open');
  const msg_id = randomUUID();
  const header = {
    msg_id,
    msg_type: 'execute_request',
    username: '',
    session: randomUUID(),
    date: new Date().toISOString(),
    version: '5.3',
  };
  const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false, stop_on_error: true };
  socket.send(JSON.stringify({ header, parent_header: {}, metadata: {}, content, buffers: [], channel: 'shell' }));
  try {
    return await output(socket, msg_id);
  } finally {
    socket.close();
  }
}

function output(socket: WebSocket, msgId: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the kernel ended after: ${printed.slice(-1000)}`)));
    socket.on('message', (data: Buffer) => {
      const { parent_header, header, content } = JSON.parse(data.toString()) as Message;
      if (parent_header.msg_id !== msgId) return;
      if (header.msg_type === 'stream') printed += content.text ?? '';
      if (header.msg_type === 'error') reject(new Error((content.traceback ?? []).join('\n')));
      if (header.msg_type === 'status' && content.execution_state === 'idle') resolve(printed);
    });
  });
}
