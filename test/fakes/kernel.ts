import { randomUUID } from 'node:crypto';

/** Where a session is reached, as the `ready` event tells it. */
export interface Door {
  readonly url: string;
  readonly token: string;
}

interface Message {
  readonly parent_header?: { readonly msg_id?: string };
  readonly header: { readonly msg_type: string };
  readonly content: Record<string, unknown>;
}

/** Starts a kernel over HTTP and keeps its WebSocket, with explicit tokens only: what thebe does from another site. */
export class Kernel implements Disposable {
  readonly id: string;
  readonly #socket: WebSocket;

  private constructor(id: string, socket: WebSocket) {
    this.id = id;
    this.#socket = socket;
  }

  static async start({ url, token }: Door): Promise<Kernel> {
    const response = await fetch(`${url}api/kernels`, {
      method: 'POST',
      body: '{}',
      headers: { authorization: `token ${token}`, 'content-type': 'application/json' },
    });
    if (response.status !== 201) throw new Error(`no kernel: ${response.status} ${await response.text()}`);
    const { id } = (await response.json()) as { id: string };
    const socket = new WebSocket(`${url.replace('http', 'ws')}api/kernels/${id}/channels?token=${token}`);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new Kernel(id, socket);
  }

  /** Runs code; everything it printed, with an error's name and text at the end. */
  execute(code: string, timeoutMs = 120_000): Promise<string> {
    const id = randomUUID();
    const header = { msg_id: id, msg_type: 'execute_request', username: '', session: id, version: '5.3', date: '' };
    const content = { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true };
    return new Promise((resolve, reject) => {
      let output = '';
      const timer = setTimeout(() => reject(new Error(`no end of: ${code}\n${output}`)), timeoutMs);
      const listen = ({ data }: MessageEvent): void => {
        const message = JSON.parse(String(data)) as Message;
        if (message.parent_header?.msg_id !== id) return;
        const { msg_type: type } = message.header;
        if (type === 'stream') output += String(message.content['text']);
        if (type === 'error') output += `${String(message.content['ename'])}: ${String(message.content['evalue'])}\n`;
        if (type !== 'status' || message.content['execution_state'] !== 'idle') return;
        clearTimeout(timer);
        this.#socket.removeEventListener('message', listen);
        resolve(output.trim());
      };
      this.#socket.addEventListener('message', listen);
      this.#socket.send(JSON.stringify({ header, parent_header: {}, metadata: {}, channel: 'shell', buffers: [], content }));
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
