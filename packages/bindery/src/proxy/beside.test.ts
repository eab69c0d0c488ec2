// What another server answers in a session's place (rule G1).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { join, dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { ID, listening, OTHER, proxiedSession, type ProxiedSession } from '../../../../test/fakes/proxied-session.ts';
import type { Beside } from './routes.ts';

let world: ProxiedSession;
const seen: IncomingMessage[] = [];
const beside = createServer((req, res) => {
  seen.push(req);
  req.pipe(res);
});
const there = Promise.withResolvers<Awaited<ReturnType<Beside['ready']>>>();
const besides = (ready: ReturnType<Beside['ready']>): Beside => ({
  takes: (method, tail, query) => tail.startsWith('api/shared/') || (method === 'PATCH' && query === 'a=1'),
  ready: () => ready,
});

before(async () => {
  world = await proxiedSession();
  new WebSocketServer({ server: beside }).on('connection', (socket) =>
    socket.on('message', (data: Buffer) => socket.send(`beside ${data.toString()}`)),
  );
  const { socketPath } = world;
  const route = (id: string) => ({ id, prefix: `/s/${id}/`, target: { socketPath }, authorization: 'token inner' });
  world.proxy.addRoute({ ...route(ID), beside: besides(there.promise) });
  world.proxy.addRoute({ ...route(OTHER), beside: besides(Promise.resolve(undefined)) });
});

after(async () => {
  await world.close();
  beside.closeAllConnections();
  beside.close();
});

test('G1: waits for it, and brings its own authorization', async () => {
  const headers = { authorization: `token ${world.proxy.mintToken(ID)}` };
  const asked = world.ask(`/s/${ID}/api/shared/x?b=2`, { method: 'PUT', headers, body: 'waited' });
  const own = await world.ask(`/s/${ID}/api/other`, { method: 'POST', headers, body: 'own' });
  assert.deepEqual([own.status, world.seen.at(-1)?.headers.authorization, seen.length], [200, 'token inner', 0]);
  const socketPath = join(dirname(world.socketPath), 'b.sock');
  await listening(beside, socketPath);
  there.resolve({ target: { socketPath }, authorization: 'Bearer theirs' });
  assert.equal((await asked).body, 'waited');
  assert.deepEqual([seen[0]?.url, seen[0]?.headers.authorization], [`/s/${ID}/api/shared/x?b=2`, 'Bearer theirs']);
  const { 'x-bindery-role': role, 'x-bindery-path': path, 'x-bindery-visitor': visitor } = seen[0]?.headers ?? {};
  assert.deepEqual([role, path, visitor], ['admin', '', 'admin']);
  assert.equal((await world.ask(`/s/${ID}/x?a=1`, { method: 'PATCH', headers, body: 'by query' })).body, 'by query');
  assert.equal(seen.at(-1)?.method, 'PATCH');
  const socket = new WebSocket(`ws://127.0.0.1:${world.port}/s/${ID}/api/shared/ws`, {
    headers: { ...headers, host: `localhost:${world.port}` },
  });
  await once(socket, 'open');
  socket.send('hello');
  const [said] = (await once(socket, 'message')) as [Buffer];
  assert.equal(said.toString(), 'beside hello');
  socket.close();
});

test('G1: without a token it answers nobody', async () => {
  const before = seen.length;
  assert.equal((await world.ask(`/s/${ID}/api/shared/x`)).status, 403);
  assert.equal((await world.ask(`/s/${ID}/api/shared/x`, { headers: { authorization: 'Bearer theirs' } })).status, 403);
  assert.equal(seen.length, before);
});

test('G1: where it can not be had, the session answers', async () => {
  const headers = { authorization: `token ${world.proxy.mintToken(OTHER)}` };
  assert.equal((await world.ask(`/s/${OTHER}/api/shared/x`, { method: 'PUT', headers, body: 'session' })).body, 'session');
  assert.equal(world.seen.at(-1)?.headers.authorization, 'token inner');
});
