import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { until } from '../../../../test/fakes/until.ts';
import { KernelChannel } from './kernel-channel.ts';
import { KernelEar } from './kernel-ear.ts';
import type { KernelMessage } from './kernel-messages.ts';

const KEY = 'a-key';
const CONNECTION = { transport: 'ipc', ip: '/elsewhere/kernel-k-ipc', iopub_port: 2, key: KEY, signature_scheme: 'hmac-sha256' };
const GREETING = Buffer.concat([Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]), Buffer.from('NULL'), Buffer.alloc(48)]);
const READY = Buffer.from('\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB');

/** A message as kernels publish it. */
function message(number: number, key = KEY, text = ''): Buffer {
  const pieces = [{ msg_id: `s_1_${number}`, msg_type: 'stream' }, {}, {}, { name: 'stdout', text }].map((part) => JSON.stringify(part));
  const signature = createHmac('sha256', key).update(pieces.join('')).digest('hex');
  const parts = ['topic', '<IDS|MSG>', signature, ...pieces];
  return Buffer.concat(
    parts.map((part, index) => {
      const head = Buffer.alloc(9, index < parts.length - 1 ? 3 : 2);
      head.writeBigUInt64BE(BigInt(part.length), 1);
      return Buffer.concat([head, Buffer.from(part)]);
    }),
  );
}

describe('the ear at a kernel’s socket', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  const place = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'ear-'));
    ends.push(() => rm(folder, { recursive: true }));
    return folder;
  };

  /** A kernel of our own: publishes what it is told. */
  const kernel = async (
    socket: string,
    publish: (to: Socket) => void,
  ): Promise<{ readonly heard: string[]; count: number; server: Server }> => {
    const found = { heard: [] as string[], count: 0, server: createServer() };
    found.server.on('connection', (socket) => {
      found.count += 1;
      let bytes = '';
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        bytes += chunk.toString('latin1');
        found.heard[found.count - 1] = bytes;
        if (bytes.endsWith('\0\x01\x01')) publish(socket);
      });
      socket.write(GREETING);
      socket.write(READY);
    });
    await new Promise<void>((resolve) => found.server.listen(socket, resolve));
    ends.push(() => void found.server.close());
    return found;
  };

  const listen = (folder: string): { heard: KernelMessage[]; words: string[]; ear: KernelEar } => {
    const found = { heard: [] as KernelMessage[], words: [] as string[] };
    const ear = new KernelEar({
      folder,
      kernel: 'k',
      most: 50,
      heard: (news) => void found.heard.push(news),
      interrupted: () => void found.words.push(`interrupted after ${found.heard.length}`),
    });
    ends.push(() => ear.close());
    return { ...found, ear };
  };

  it('X1.6 passes over what is not signed with the key, and says that something is missing', async () => {
    const folder = await place();
    await writeFile(join(folder, 'kernel-k.json'), JSON.stringify(CONNECTION));
    await kernel(join(folder, 'kernel-k-ipc-2'), (to) =>
      to.write(Buffer.concat([message(1), message(2, 'another'), message(3), message(99)])),
    );
    const { heard, words } = listen(folder);
    await until('all is heard', () => heard.length === 3);
    assert.deepEqual(
      heard.map(({ header }) => header.msg_id),
      ['s_1_1', 's_1_3', 's_1_99'],
    );
    assert.deepEqual(words, ['interrupted after 1', 'interrupted after 2']);
  });

  it('X1.6 comes again when the kernel comes again', async () => {
    const folder = await place();
    await writeFile(join(folder, 'kernel-k.json'), JSON.stringify(CONNECTION));
    await kernel(join(folder, 'kernel-k-ipc-2'), (to) => to.end(message(1)));
    const { heard } = listen(folder);
    await until('it was heard three times', () => heard.length >= 3);
  });

  it('X1.6 tries again at once when the kernel is known to speak', async (t) => {
    const folder = await place();
    await writeFile(join(folder, 'kernel-k.json'), JSON.stringify(CONNECTION));
    // No time passes.
    const waits = t.mock.method(globalThis, 'setTimeout', () => ({}) as never);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const { heard, ear } = listen(folder);
    while (waits.mock.callCount() === 0) await turn();
    await kernel(join(folder, 'kernel-k-ipc-2'), (to) => to.write(message(1)));
    ear.hasten();
    while (heard.length === 0) await turn();
    waits.mock.restore();
  });

  it('X1.6 hangs up on a kernel that shouts', async () => {
    const folder = await place();
    await writeFile(join(folder, 'kernel-k.json'), JSON.stringify(CONNECTION));
    const all = Buffer.concat(Array.from({ length: 200 }, (_, index) => message(index)));
    const found = await kernel(join(folder, 'kernel-k-ipc-2'), (to) => to.write(all));
    const { heard, words } = listen(folder);
    await until('it hangs up', () => words.length > 0);
    assert.equal(heard.length, 50);
    assert.equal(found.count, 1);
  });
});

describe('a kernel that is heard on both ways', () => {
  let server: JupyterServer;
  before(async () => {
    server = await JupyterServer.start();
  });
  after(() => server[Symbol.asyncDispose]());

  it('X1.7 X1.8 is heard once and in order, past what its server lets through', async () => {
    const messages: KernelMessage[] = [];
    let isOpen = false;
    const channel = new KernelChannel({
      address: server,
      kernel: await server.startKernel(),
      session: 's',
      listener: {
        opened: () => (isOpen = true),
        lost: () => undefined,
        gone: () => undefined,
        message: (each) => void messages.push(each),
      },
    });
    try {
      await until('it is connected', () => isOpen);
      const run = async (code: string): Promise<string> => {
        const from = messages.length;
        const id = channel.send('shell', 'execute_request', {
          code,
          silent: false,
          store_history: true,
          user_expressions: {},
          allow_stdin: false,
        });
        const of = (type: string): KernelMessage[] =>
          messages.slice(from).filter(({ parent, header }) => parent.msg_id === id && header.msg_type === type);
        await until('it is over', () => of('execute_reply').length === 1 && of('status').length === 2);
        return of('stream')
          .map(({ content }) => content['text'] as string)
          .join('');
      };
      // As much as its server lets through in three seconds, four times over.
      const flood = 'import sys\nfor line in range(12): sys.stdout.write(str(line % 10) * 1_000_000 + "\\n"); sys.stdout.flush()';
      const whole = Array.from({ length: 12 }, (_, line) => `${String(line % 10).repeat(1_000_000)}\n`).join('');
      // A kernel that is just starting may listen at its socket later than it answers.
      await until('its socket is heard', async () => (await run(flood)) === whole);
      const text = await run(flood);
      assert.ok(text === whole, `${text.length} characters`);
    } finally {
      channel.close();
    }
  });
});
