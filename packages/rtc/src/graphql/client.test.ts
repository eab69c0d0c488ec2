// How the GraphQL client takes what a server, or something before it, says. What it asks of a real one: bindery/src/graphql.
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import { GraphqlClient } from './client.ts';
import * as operations from './operations.gen.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const isOf = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  error instanceof BinderyError && error.code === code && (message?.test(error.message) ?? true);

async function serving(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = new GraphqlClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`, token: 'a b', retryMs: 1 });
  ends.push(() => client.close());
  return { server, client };
}

/** Answers everything with this. */
const saying = async (status: number, body: string) => (await serving((_request, response) => response.writeHead(status).end(body))).client;

describe('the GraphQL client', () => {
  it('says what a refusal says, with its code', async () => {
    const errors = [{ message: 'Not you.', extensions: { code: 'forbidden', hint: 'Ask somebody.', retryable: false } }];
    const client = await saying(200, JSON.stringify({ data: { me: null }, errors }));
    await assert.rejects(
      client.query(operations.Me),
      (error) => isOf('forbidden', /^Not you\.$/)(error) && (error as BinderyError).hint === 'Ask somebody.',
    );
  });

  it('takes a code that it does not know for a fault of the server', async () => {
    await assert.rejects(
      (await saying(400, '{"errors":[{"message":"x","extensions":{"code":"constructor"}}]}')).query(operations.Me),
      isOf('internal', /x/),
    );
    await assert.rejects((await saying(400, '{"errors":[{"message":"x"}]}')).query(operations.Me), isOf('internal', /x/));
  });

  it('understands what stands before the server', async () => {
    const proxy = '{"message":"No.","error":{"code":"session_ended","message":"It has ended."}}';
    await assert.rejects((await saying(424, proxy)).query(operations.Me), isOf('session_ended', /ended/));
    await assert.rejects((await saying(403, '{"message":"No."}')).query(operations.Me), isOf('forbidden', /No/));
    for (const body of ['', '<html>', '[]', '{}', '{"data":1}', 'null'])
      await assert.rejects((await saying(502, body)).query(operations.Me), isOf('session_unreachable'), body);
    const { client, server } = await serving((request) => request.destroy());
    await assert.rejects(client.query(operations.Me), isOf('session_unreachable'));
    server.close();
  });

  it('sends the token, the variables and nothing of the page', async () => {
    const seen: unknown[] = [];
    const { client } = await serving((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push(
          request.method,
          request.headers.authorization,
          request.headers['content-type'],
          JSON.parse(Buffer.concat(chunks).toString()),
        );
        response.end('{"data":{"deleteCell":"a"}}');
      });
    });
    assert.deepEqual(await client.mutate(operations.DeleteCell, { path: 'p', cell: 'a' }), { deleteCell: 'a' });
    const { name, text } = operations.DeleteCell;
    assert.deepEqual(seen, [
      'POST',
      'token a b',
      'application/json',
      { operationName: name, query: text, variables: { path: 'p', cell: 'a' } },
    ]);
  });

  it('follows over one connection, comes again when it is lost, and ends with an error that is one', { timeout: 10_000 }, async () => {
    const { client, server } = await serving((_request, response) => response.end());
    const sockets = new WebSocketServer({ server });
    const urls: string[] = [];
    sockets.on('connection', (socket, { url = '' }) => {
      urls.push(url);
      const say = (message: object): void => socket.send(JSON.stringify(message));
      socket.on('message', (data: Buffer) => {
        const { type, id } = JSON.parse(data.toString()) as { type: string; id: string };
        if (type === 'connection_init') say({ type: 'connection_ack' });
        if (type !== 'subscribe') return;
        say({ type: 'next', id, payload: { data: { kernels: [{ id: String(urls.length) }] } } });
        if (urls.length < 3) socket.terminate();
        else say({ type: 'error', id, payload: [{ message: 'Not any more.', extensions: { code: 'forbidden' } }] });
      });
    });
    const heard: string[] = [];
    const error = await new Promise<unknown>((resolve) =>
      client.subscribe(operations.KernelChanges, {}, { next: ({ kernels }) => heard.push(kernels[0]?.id ?? ''), error: resolve }),
    );
    assert.ok(isOf('forbidden', /any more/)(error));
    assert.deepEqual(heard, ['1', '2', '3']);
    assert.deepEqual(new Set(urls), new Set(['/graphql?token=a+b']));
  });

  it('is told nothing any more when it has ended a subscription', { timeout: 10_000 }, async () => {
    const { client, server } = await serving((_request, response) => response.end());
    const sockets = new WebSocketServer({ server });
    const completed = new Promise<string>((resolve) => {
      sockets.on('connection', (socket) => {
        const say = (message: object): void => socket.send(JSON.stringify(message));
        socket.on('message', (data: Buffer) => {
          const { type, id } = JSON.parse(data.toString()) as { type: string; id: string };
          if (type === 'connection_init') say({ type: 'connection_ack' });
          if (type === 'subscribe') for (let sent = 0; sent < 3; sent++) say({ type: 'next', id, payload: { data: { kernels: [] } } });
          if (type === 'complete') resolve(id);
        });
      });
    });
    let count = 0;
    const end = client.subscribe(
      operations.KernelChanges,
      {},
      {
        next: () => {
          count += 1;
          end();
        },
      },
    );
    assert.ok(await completed);
    assert.equal(count, 1);
  });
});
