// What is told to those who follow, and to those who do not read it.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import type { BinderyError } from '@bindery/wire/errors.ts';
import type { GraphqlClient } from '@bindery/rtc/graphql/client.ts';
import type { Operation } from '@bindery/rtc/graphql/operation.ts';
import * as operations from '@bindery/rtc/graphql/operations.gen.ts';
import { connect } from '@bindery/rtc/room/connect.ts';
import { GraphqlServer, tokenOf } from '../../../../test/fakes/graphql-server.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { until } from '../../../../test/fakes/until.ts';

/** Everything that a subscription says. */
class Heard<T> {
  readonly all: T[] = [];
  error: BinderyError | undefined;
  isComplete = false;
  readonly end: () => void;

  constructor(client: GraphqlClient, operation: Operation<'subscription', T, never>, variables: unknown) {
    this.end = client.subscribe(operation as Operation<'subscription', T, unknown>, variables, {
      next: (data) => this.all.push(data),
      error: (error) => (this.error = error),
      complete: () => (this.isComplete = true),
    });
  }
}

describe('GraphQL subscriptions', () => {
  let jupyter: JupyterServer;
  let server: GraphqlServer;
  let client: GraphqlClient;
  before(async () => {
    jupyter = await JupyterServer.start();
    await mkdir(join(jupyter.folder, 'root/shared'));
    server = await GraphqlServer.open(jupyter);
    client = server.client();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await jupyter[Symbol.asyncDispose]();
  });

  let count = 0;
  const notebook = async (...sources: string[]): Promise<{ path: string; id: string; cells: string[] }> => {
    const path = `shared/follow-${count++}.ipynb`;
    const { id } = (await client.mutate(operations.CreateNotebook, { path })).createNotebook;
    const cells: string[] = [];
    for (const source of sources) cells.push((await client.mutate(operations.InsertCell, { path, source })).insertCell.id);
    return { path, id, cells };
  };
  const change = (path: string, cell: string | undefined, source: string) =>
    client.mutate(operations.ChangeCell, { path, cell: cell ?? '', source });

  it('S2 S3 tells of a notebook cell by cell, to a reader too', async () => {
    const { path, cells } = await notebook('a', 'b', 'c');
    const heard = new Heard(server.client('read', 'shared'), operations.NotebookChanges, { path });
    await until('it says what is', () => heard.all.length > 0);
    const [first] = heard.all;
    assert.deepEqual(first?.notebook.order, cells);
    assert.deepEqual(
      first?.notebook.cells.map(({ source }) => source),
      ['a', 'b', 'c'],
    );
    await change(path, cells[1], 'b2');
    await until('the cell is told', () => heard.all.some(({ notebook }) => notebook.cells.some(({ source }) => source === 'b2')));
    const told = heard.all.slice(1).flatMap(({ notebook }) => notebook.cells.map(({ id }) => id));
    assert.deepEqual([...new Set(told)], [cells[1]]);
    assert.ok(heard.all.slice(1).every(({ notebook }) => notebook.order === null));
    await client.mutate(operations.MoveCell, { path, cell: cells[2] ?? '', at: 0 });
    await client.mutate(operations.DeleteCell, { path, cell: cells[0] ?? '' });
    const last = () => heard.all.findLast(({ notebook }) => notebook.order)?.notebook;
    await until('the order is told', () => last()?.order?.join() === [cells[2], cells[1]].join());
    assert.deepEqual(
      heard.all.flatMap(({ notebook }) => notebook.removed),
      [cells[0]],
    );
    await until('it is saved', () => heard.all.at(-1)?.notebook.notebook.isDirty === false);
    heard.end();
  });

  it('S3 tells of a large notebook in parts', async () => {
    const { path } = await notebook();
    const all = Array.from({ length: 250 }, (_, index) => `a${index}: insertCell(path: $path, source: "${index}") { id }`);
    for (let at = 0; at < all.length; at += 50) {
      const { errors } = await server.ask(`mutation($path: String!) { ${all.slice(at, at + 50).join(' ')} }`, { path });
      assert.deepEqual(errors, []);
    }
    const heard = new Heard(client, operations.NotebookChanges, { path });
    const told = () => heard.all.flatMap(({ notebook }) => notebook.cells);
    await until('all are told', () => told().length >= 250);
    assert.ok(heard.all.every(({ notebook }) => notebook.cells.length <= 100));
    assert.deepEqual(
      told().map(({ source }) => Number(source)),
      Array.from({ length: 250 }, (_, index) => index),
    );
    assert.equal(heard.all[0]?.notebook.order?.length, 250);
    heard.end();
  });

  it('S4 follows one cell until it is gone', async () => {
    const { path, cells } = await notebook('a', 'b');
    const [cell = ''] = cells;
    const heard = new Heard(server.client('read', path), operations.CellChanges, { path, cell });
    await until('it says what is', () => heard.all.length > 0);
    await change(path, cells[1], 'other');
    await change(path, cell, 'mine');
    await until('it is told', () => heard.all.at(-1)?.cell.source === 'mine');
    assert.ok(heard.all.every((each) => each.cell.id === cell));
    await client.mutate(operations.DeleteCell, { path, cell });
    await until('it ends', () => heard.isComplete);
    const none = new Heard(client, operations.CellChanges, { path, cell });
    await until('it is refused', () => none.error?.code === 'cell_not_found');
  });

  it('S2 follows kernels and who is there', async () => {
    const { path, id } = await notebook('1');
    const kernels = new Heard(client, operations.KernelChanges, {});
    const people = new Heard(server.client('read', 'shared'), operations.PresenceChanges, { path });
    await until('both say what is', () => kernels.all.length > 0 && people.all.length > 0);
    assert.deepEqual(people.all[0], { presence: [] });
    const kernel = await jupyter.startKernel();
    await until('the kernel is told', () => kernels.all.at(-1)?.kernels.some((each) => each.id === kernel) === true);
    const url = new URL(`api/bindery/room/${encodeURIComponent(id)}?token=${tokenOf('edit', path)}`, server.url.replace('http', 'ws'));
    const room = connect({ url: url.href, tables: {} });
    room.awareness.setLocalState({ user: { name: 'Ada', color: '#123456' } });
    await until('she is told', () => people.all.at(-1)?.presence[0]?.name === 'Ada');
    assert.equal(people.all.at(-1)?.presence[0]?.color, '#123456');
    room.close();
    await until('she has left', () => people.all.at(-1)?.presence.length === 0);
    kernels.end();
    people.end();
  });

  it('Q2 S1 only for those who may', async () => {
    const { path } = await notebook('secret');
    const reader = server.client('read', 'other');
    const edit = server.client('edit', path);
    const refused = [
      new Heard(reader, operations.NotebookChanges, { path }),
      new Heard(reader, operations.CellChanges, { path, cell: 'a' }),
      new Heard(reader, operations.ExecutionChanges, { path, execution: 'a' }),
      new Heard(reader, operations.PresenceChanges, { path }),
      new Heard(edit, operations.PresenceChanges, {}),
      new Heard(edit, operations.KernelChanges, {}),
    ];
    await until('all are refused', () => refused.every(({ error }) => error?.code === 'forbidden'));
    assert.ok(refused.every(({ all }) => all.length === 0));
    const closed = async (protocol: string[], headers = {}) =>
      new Promise((resolve) =>
        new WebSocket(server.url.replace('http', 'ws'), protocol, { headers }).on('close', resolve).on('error', resolve),
      );
    assert.equal(await closed(['graphql-transport-ws']), 4401);
    assert.equal(await closed([], { authorization: 'token read:' }), 4406);
    assert.match(String(await closed(['graphql-ws'], { authorization: 'token read:' })), /subprotocol|4406/);
  });

  it('S5 ends where the file is renamed out of what is shared', async () => {
    const { path, cells } = await notebook('a');
    const reader = new Heard(server.client('read', 'shared'), operations.NotebookChanges, { path });
    const owner = new Heard(client, operations.NotebookChanges, { path });
    await until('both say what is', () => reader.all.length > 0 && owner.all.length > 0);
    const to = `private-${count}.ipynb`;
    await client.mutate(operations.RenameNotebook, { path, to });
    await change(to, cells[0], 'private');
    await until('the reader is told that it ends', () => reader.error?.code === 'forbidden');
    await until('the owner sees it go on', () =>
      owner.all.some(({ notebook }) => notebook.cells.some(({ source }) => source === 'private')),
    );
    assert.ok(!JSON.stringify(reader.all).includes('private'));
    assert.equal(owner.all.at(-1)?.notebook.notebook.path, to);
    owner.end();
  });

  /** A connection that is written to by hand. */
  const raw = async (): Promise<{
    socket: WebSocket;
    send: (message: object) => void;
    said: { type: string; id?: string; payload?: unknown }[];
  }> => {
    const socket = new WebSocket(server.url.replace('http', 'ws'), ['graphql-transport-ws'], {
      headers: { authorization: 'token admin:' },
    });
    const said: { type: string; id?: string }[] = [];
    socket.on('message', (data: Buffer) => said.push(JSON.parse(data.toString()) as { type: string }));
    const send = (message: object): void => socket.send(JSON.stringify(message));
    await new Promise((resolve) => socket.once('open', resolve));
    send({ type: 'connection_init' });
    await until('it is taken', () => said.some(({ type }) => type === 'connection_ack'));
    return { socket, send, said };
  };
  const text = operations.CellChanges.text;

  it('S6 has only so many operations at once, and ends with whoever asked', async () => {
    const { path, cells } = await notebook('a');
    const { socket, send, said } = await raw();
    const payload = { query: text, variables: { path, cell: cells[0] } };
    for (let id = 0; id < 40; id++) send({ type: 'subscribe', id: String(id), payload });
    await until('all are answered', () => new Set(said.map(({ id }) => id)).size > 40);
    const refused = said.filter(({ type }) => type === 'error');
    assert.equal(refused.length, 10);
    assert.match(JSON.stringify(refused[0]), /rate_limited/);
    // One that was ended makes room for another.
    send({ type: 'complete', id: '0' });
    send({ type: 'subscribe', id: 'again', payload });
    await until('it is answered', () => said.some(({ id, type }) => id === 'again' && type === 'next'));
    socket.terminate();
  });

  it('S1 ends who says what is no message, and harms nobody else', async () => {
    for (const bad of [
      'x',
      '{}',
      '[]',
      '{"type":"subscribe"}',
      '{"type":"subscribe","id":"1","payload":{"query":1}}',
      '"',
      '\0',
      '['.repeat(1e6),
    ]) {
      const { socket } = await raw();
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.send(bad);
      assert.equal(await closed, 4400, bad.slice(0, 40));
    }
    const { socket } = await raw();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.send(' '.repeat(5 * 1024 * 1024));
    assert.equal(await closed, 1009);
    const early = new WebSocket(server.url.replace('http', 'ws'), ['graphql-transport-ws'], { headers: { authorization: 'token admin:' } });
    early.on('open', () => early.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } })));
    assert.equal(await new Promise((resolve) => early.once('close', resolve)), 4401);
    assert.deepEqual(await client.query(operations.Me), { me: { role: 'admin', path: '' } });
  });

  it('S2 one who does not read costs nothing, and hears in the end what is then', async () => {
    const { path, cells } = await notebook('begin');
    const [cell = ''] = cells;
    const { socket, send, said } = await raw();
    const ids = ['a', 'b', 'c', 'd', 'e'];
    for (const id of ids) send({ type: 'subscribe', id, payload: { query: text, variables: { path, cell } } });
    await until('all say what is', () => ids.every((each) => said.some(({ id }) => id === each)));
    socket.pause();
    const before = said.length;
    const other = new Heard(server.client('read', path), operations.CellChanges, { path, cell });
    const big = 'x'.repeat(512 * 1024);
    for (let round = 0; round < 60; round++) await change(path, cell, `${round} ${big}`);
    await change(path, cell, 'end');
    await until('who reads hears the end', () => other.all.at(-1)?.cell.source === 'end');
    socket.resume();
    await until('all hear the end', () =>
      ids.every((each) => JSON.stringify(said.findLast(({ id }) => id === each)).includes('"source":"end"')),
    );
    // Of 300 changes of half a megabyte each: what went before it was seen that nobody reads, and what lay in the machine's buffers.
    const told = JSON.stringify(said.slice(before)).length;
    assert.ok(told < 20 * 1024 * 1024, `${told} bytes for one who did not read`);
    socket.terminate();
    other.end();
  });

  it('comes again when the connection is lost, and says what is then', async () => {
    const { path, cells } = await notebook('a');
    const heard = new Heard(server.client('read', path), operations.NotebookChanges, { path });
    await until('it says what is', () => heard.all.length > 0);
    const old = server;
    await old.close();
    server = await GraphqlServer.open(jupyter, old);
    client = server.client();
    await change(path, cells[0], 'after');
    await until('it is told', () => heard.all.at(-1)?.notebook.cells[0]?.source === 'after');
    assert.equal(heard.error, undefined);
    heard.end();
  });
});
