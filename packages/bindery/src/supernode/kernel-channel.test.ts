import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { until } from '../../../../test/fakes/until.ts';
import { KernelChannel, type ChannelListener } from './kernel-channel.ts';
import type { KernelMessage } from './kernel-messages.ts';

/** Writes down what it hears. */
class Heard implements ChannelListener {
  readonly messages: KernelMessage[] = [];
  readonly words: string[] = [];
  opened = (): void => void this.words.push('opened');
  lost = (): void => void this.words.push('lost');
  gone = (): void => void this.words.push('gone');
  message = (message: KernelMessage): void => void this.messages.push(message);

  of(id: string, type: string): KernelMessage[] {
    return this.messages.filter(({ parent, header }) => parent.msg_id === id && header.msg_type === type);
  }

  text(id: string): string {
    return this.of(id, 'stream')
      .map(({ content }) => content['text'] as string)
      .join('');
  }
}

const request = (code: string) => ({
  code,
  silent: false,
  store_history: true,
  user_expressions: {},
  allow_stdin: false,
  stop_on_error: true,
});

for (const form of ['v1', 'JSON'] as const) {
  describe(`the channel of a kernel, ${form} form`, () => {
    let server: JupyterServer;
    const channels: KernelChannel[] = [];
    before(async () => {
      server = await JupyterServer.start(form === 'v1' ? [] : ['--ZMQChannelsWebsocketConnection.kernel_ws_protocol=']);
    });
    after(async () => {
      for (const channel of channels) channel.close();
      await server[Symbol.asyncDispose]();
    });

    const open = async (kernel: string, session: string): Promise<{ channel: KernelChannel; heard: Heard }> => {
      const heard = new Heard();
      const { url, token, socketPath, kernels } = server;
      const address = { url, token, socketPath, ...(form === 'v1' ? { kernels } : {}) };
      const channel = new KernelChannel({ address, kernel, session, listener: heard, waitMs: 20 });
      channels.push(channel);
      await until('the channel is open', () => heard.words.includes('opened'));
      return { channel, heard };
    };

    it('X1.1 runs code and hears what comes, with buffers', async () => {
      const { channel, heard } = await open(await server.startKernel(), 'one');
      const code = `
print('hello')
from comm import create_comm
create_comm(target_name='t', data={'a': 1}, buffers=[b'\\x01\\x02']).close()`;
      const id = channel.send('shell', 'execute_request', request(code));
      await until('the answer', () => heard.of(id, 'execute_reply').length === 1);
      await until('the comm', () => heard.of(id, 'comm_open').length === 1);
      await until('the text', () => heard.text(id) === 'hello\n');
      assert.deepEqual([...(heard.of(id, 'comm_open')[0]?.buffers[0] ?? [])], [1, 2]);
    });

    it('X1.4 hears under the same session what came while it was away, and the answer', async () => {
      const kernel = await server.startKernel();
      const first = await open(kernel, 'same');
      const id = first.channel.send(
        'shell',
        'execute_request',
        request('import time\nprint("a", flush=True)\ntime.sleep(0.6)\nprint("b")'),
      );
      await until('it runs', () => first.heard.text(id) === 'a\n');
      first.channel.close();
      const isIdle = async (): Promise<boolean> =>
        ((await server.ask('GET', `api/kernels/${kernel}`)) as { execution_state: string }).execution_state === 'idle';
      await until('it is over', isIdle);
      const second = await open(kernel, 'same');
      await until('the answer', () => second.heard.of(id, 'execute_reply').length === 1);
      // What the first heard at the kernel's own socket, its server may not have told it: that comes again (X3.12).
      assert.match(second.heard.text(id), form === 'v1' ? /^(a\n)?b\n$/ : /^b\n$/);
      assert.deepEqual(first.heard.words, ['opened']);
    });

    it('X1.5 hears that there is no such kernel', async () => {
      const heard = new Heard();
      channels.push(new KernelChannel({ address: server, kernel: 'b702f852-c6f4-47ac-8fca-7471c8de78b9', session: 's', listener: heard }));
      await until('the word', () => heard.words.length > 0);
      assert.deepEqual(heard.words, ['gone']);
      const kernel = await server.startKernel();
      const { heard: other, channel } = await open(kernel, 's');
      // It is awake, and tells of its end.
      const id = channel.send('shell', 'kernel_info_request', {});
      await until('it answers', () => other.of(id, 'kernel_info_reply').length === 1);
      await server.ask('DELETE', `api/kernels/${kernel}`);
      await until('the word', () => other.words.includes('gone'));
    });
  });
}
