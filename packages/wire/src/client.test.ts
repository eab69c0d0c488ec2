import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { HubClient } from './client.ts';
import { BinderyError } from './errors.ts';

const servers: { close(): void; closeAllConnections(): void }[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const at = '2026-01-31T12:00:00.000Z';
const info = (seq: number) =>
  `id: ${seq}\ndata: ${JSON.stringify({ seq, at, phase: 'building', kind: 'info', message: `step ${seq}` })}\n\n`;
const failed = (seq: number) =>
  `id: ${seq}\ndata: ${JSON.stringify({ seq, at, phase: 'failed', during: 'building', code: 'build_failed', message: 'no', hint: 'h', retryable: false })}\n\n`;

async function rejection(promise: Promise<unknown>): Promise<BinderyError> {
  const error = await promise.then(
    () => assert.fail('expected a rejection'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof BinderyError);
  return error;
}

async function collect(url: string, patienceMs = 30_000): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of new HubClient({ url }).follow('abcdefghabcdefgh', { launchKey: 'k', patienceMs })) seen.push(event.seq);
  return seen;
}

describe('following a launch', () => {
  it('takes a cut stream up after the last entry and shows each entry once', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.headers['last-event-id'] as string | undefined);
      assert.equal(request.headers['x-launch-key'], 'k');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (asked.length === 1) response.write(`: hello\n\n${info(0)}${info(1)}${info(2).slice(0, 10)}`, () => response.destroy());
      else if (asked.length === 2) response.end(info(1) + info(2));
      else response.end(info(3) + failed(4) + info(5));
    });
    assert.deepEqual(await collect(url), [0, 1, 2, 3, 4]);
    assert.deepEqual(asked, [undefined, '1', '2']);
  });

  it('gives up when the hub says why, at once', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      asked++;
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 'launch_not_found', message: 'Gone.', hint: 'Again.', retryable: false } }));
    });
    const error = await rejection(collect(url));
    assert.deepEqual([error.code, error.message, error.hint, asked], ['launch_not_found', 'Gone.', 'Again.', 1]);
  });

  it('gives up on a hub that stays away, and on one that sends nonsense', async () => {
    const url = await serve((_request, response) => response.destroy());
    assert.equal((await rejection(collect(url, 300))).code, 'hub_unreachable');
    const odd = await serve((_request, response) => response.end('data: {"seq":-1}\n\n'));
    assert.equal((await rejection(collect(odd))).code, 'internal');
  });

  it('has patience anew after each stream that brought something, however long that one lived, and tells of cuts', async () => {
    let asked = 0;
    const url = await serve((_request, response) => {
      const seq = asked++;
      response.write(': hello\n\n', () => setTimeout(() => response.end(seq === 3 ? failed(seq) : info(seq)), 20));
    });
    const states: string[] = [];
    const seen: number[] = [];
    const onState = (state: string): void => void states.push(state);
    for await (const event of new HubClient({ url }).follow('abcdefghabcdefgh', { patienceMs: 5, onState })) seen.push(event.seq);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.deepEqual(states, ['open', 'cut', 'open', 'cut', 'open', 'cut', 'open']);
  });

  it('ends when the signal aborts', async () => {
    const url = await serve((_request, response) => response.write(info(0)));
    const stop = new AbortController();
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const event of new HubClient({ url }).follow('abcdefghabcdefgh', { signal: stop.signal })) {
        seen.push(event.seq);
        stop.abort();
      }
    });
    assert.deepEqual(seen, [0]);
  });
});

describe('the client', () => {
  it('sends the key, and parses what comes back', async () => {
    const url = await serve((request, response) => {
      const right = request.headers.authorization === 'Bearer secret' && request.url === '/api/v1/sessions';
      response.writeHead(right ? 200 : 500, { 'content-type': 'application/json' });
      response.end('{"sessions":[]}');
    });
    assert.deepEqual(await new HubClient({ url, key: 'secret' }).sessions(), []);
  });

  it('says that it is no hub of ours when the answer has another shape', async () => {
    const url = await serve((_request, response) => response.end('<html>'));
    assert.match((await rejection(new HubClient({ url }).info())).message, /not as a Bindery hub/);
  });

  it('keeps an error readable when it has a code of a later version, or no body', async () => {
    const url = await serve((request, response) => {
      response.writeHead(418, { 'content-type': 'application/json' });
      response.end(
        request.url?.endsWith('/info')
          ? JSON.stringify({ error: { code: 'teapot', message: 'Tea.', hint: 'Milk?', retryable: true } })
          : '',
      );
    });
    const known = await rejection(new HubClient({ url }).info());
    assert.deepEqual([known.code, known.message, known.hint, known.retryable], ['internal', 'Tea.', 'Milk?', true]);
    assert.match((await rejection(new HubClient({ url }).sessions())).message, /status 418/);
  });

  it('says that nobody answers', async () => {
    const url = await serve(() => {});
    const closed = servers.pop();
    closed?.close();
    const error = await rejection(new HubClient({ url }).info());
    assert.equal(error.code, 'hub_unreachable');
    assert.ok(error.message.includes(url));
  });
});
