import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listening } from '../../../../test/fakes/proxied-session.ts';
import { systemClock } from '../base/clock.ts';
import { makeLog } from '../base/log.ts';
import { Activity, type Taps } from './activity.ts';
import { isUserMessage, readStatus } from './messages.ts';
import { createProxy } from './proxy.ts';

const V1 = 'v1.kernel.websocket.jupyter.org';
const header = (type: string, id = 'h'): object => ({
  msg_id: id,
  msg_type: type,
  session: 's',
  username: 'u',
  version: '5.4',
  date: '2026-01-01',
});

/** A message in the binary form: count, offsets, channel, header, parent header, metadata, content. */
function binary(type: string, parent: object, content: object): Buffer {
  const parts = ['iopub', JSON.stringify(header(type)), JSON.stringify(parent), '{}', JSON.stringify(content)].map((part) =>
    Buffer.from(part),
  );
  const offsets = [8 * (parts.length + 2)];
  for (const part of parts) offsets.push((offsets.at(-1) ?? 0) + part.length);
  const index = Buffer.alloc(8 * (offsets.length + 1));
  [offsets.length, ...offsets].forEach((value, at) => index.writeBigUInt64LE(BigInt(value), at * 8));
  return Buffer.concat([index, ...parts]);
}

const json = (type: string, parent: object, content: object): Buffer =>
  Buffer.from(JSON.stringify({ buffers: [], channel: 'shell', content, header: header(type), metadata: {}, parent_header: parent }));

test('V3, V5: what a user causes is told from what a page asks, in both forms', () => {
  for (const make of [json, binary]) {
    for (const type of [
      'execute_request',
      'input_reply',
      'comm_open',
      'comm_msg',
      'comm_close',
      'complete_request',
      'inspect_request',
      'is_complete_request',
      'debug_request',
    ])
      assert.equal(isUserMessage(make(type, {}, { code: 'x' })), true, type);
    for (const type of ['kernel_info_request', 'comm_info_request', 'history_request', 'interrupt_request', 'shutdown_request'])
      assert.equal(isUserMessage(make(type, {}, { text: '"msg_type": "execute_request", \\"msg_type\\":\\"comm_msg\\"' })), false, type);
  }
});

test('V4, V5: status messages are read in both forms, other messages and broken ones are not', () => {
  const busy = { execution_state: 'busy' };
  for (const [make, protocol] of [
    [json, undefined],
    [binary, V1],
  ] as const) {
    assert.deepEqual(readStatus(make('status', header('execute_request', 'p'), busy), protocol), { state: 'busy', work: 'p' });
    assert.deepEqual(readStatus(make('status', header('kernel_info_request', 'p'), busy), protocol), { state: 'busy', work: undefined });
    assert.deepEqual(readStatus(make('status', {}, { execution_state: 'starting' }), protocol), { state: 'starting', work: undefined });
    assert.equal(readStatus(make('stream', header('execute_request'), { ...busy, text: '' }), protocol), undefined);
  }
  const good = binary('status', header('execute_request'), busy);
  assert.equal(readStatus(good, undefined), undefined);
  assert.equal(readStatus(Buffer.from('{"execution_state"'), undefined), undefined);
  for (let at = 0; at < 64; at++) {
    const broken = Buffer.from(good);
    broken.fill(0xff, at, at + 8);
    readStatus(broken, V1);
    readStatus(good.subarray(0, good.length - at), V1);
  }
});

const frame = (payload: Buffer): Buffer =>
  Buffer.concat([
    payload.length < 126 ? Buffer.from([0x82, payload.length]) : Buffer.from([0x82, 126, payload.length >> 8, payload.length & 255]),
    payload,
  ]);

type Opened = Taps & { close: () => void };

interface Scene {
  activity: Activity;
  /** Whether a client's message on a connection of this path counts. */
  counts: (tail: string, payload: Buffer | string) => boolean;
  open: (tail: string, protocol?: string) => Opened;
  pass: (ms: number) => void;
}

function scene(): Scene {
  let now = 0;
  const activity = new Activity({ now: () => now, monotonic: () => now });
  activity.add('a');
  const open = (tail: string, protocol?: string): Opened => {
    const connection = activity.connection('a', tail);
    return { ...connection.open(protocol), close: () => connection.close() };
  };
  return {
    activity,
    open,
    pass: (ms) => (now += ms),
    counts: (tail, payload) => {
      const { toSession, close } = open(tail);
      now += 1000;
      toSession?.see(frame(Buffer.from(payload)));
      close();
      return activity.view('a')?.activeAt === now;
    },
  };
}

test('V6: terminals, shared documents and other WebSockets have their own rules', () => {
  const { counts } = scene();
  assert.equal(counts('terminals/websocket/1', '["stdin","l"]'), true);
  assert.equal(counts('terminals/websocket/1', '["set_size",24,80]'), false);
  assert.equal(counts('api/collaboration/room/json:notebook:x', Buffer.from([0, 2, 1, 1])), true);
  assert.equal(counts('api/collaboration/room/json:notebook:x', Buffer.from([0, 0, 1, 1])), false);
  assert.equal(counts('api/collaboration/room/json:notebook:x', Buffer.from([1, 20, 1, 1])), false);
  assert.equal(counts('api/events/subscribe', 'x'.repeat(50)), false);
  assert.equal(counts('proxy/3000/ws', '{"event":"click","at":[1,2]}'), true);
  for (const beat of ['2', '2probe', '{"type":"ping","id":12345}', '{"method":"keepAlive"}', '["heartbeat", 12345678]'])
    assert.equal(counts('proxy/3000/ws', beat), false, beat);
});

test('V7: work that nobody listens to any more is no longer known here, but its last moment counts', () => {
  const { activity, open, pass } = scene();
  const status = (state: string): Buffer => frame(json('status', header('execute_request', 'p'), { execution_state: state }));
  const one = open('api/kernels/k/channels');
  const two = open('api/kernels/k/channels');
  one.toClient?.see(status('busy'));
  two.toClient?.see(status('busy'));
  pass(3_600_000);
  one.close();
  assert.deepEqual(activity.view('a'), { activeAt: 0, busyKernels: 1, connections: 1 });
  two.close();
  assert.deepEqual(activity.view('a'), { activeAt: 3_600_000, busyKernels: 0, connections: 0 });
});

test('V4: a kernel that restarts or dies is not busy; too many kernels or requests are not remembered', () => {
  const { activity, open } = scene();
  const status = (state: string, id: string): Buffer =>
    frame(json('status', state === 'restarting' ? {} : header('execute_request', id), { execution_state: state }));
  const kernel = open('api/kernels/k/channels');
  for (let count = 0; count < 1000; count++) kernel.toClient?.see(status('busy', `p${count}`));
  assert.equal(activity.view('a')?.busyKernels, 1);
  kernel.toClient?.see(status('restarting', ''));
  assert.equal(activity.view('a')?.busyKernels, 0);
  for (let count = 0; count < 1000; count++) open(`api/kernels/${count}/channels`).toClient?.see(status('busy', 'p'));
  assert.equal(activity.view('a')?.busyKernels, 256);
});

test('the hub is told of activity at most every half minute, and what it kept is taken back', () => {
  let now = 0;
  const told: number[] = [];
  const activity = new Activity({ now: () => now, monotonic: () => now }, (_, at) => told.push(at));
  activity.add('a', -5000);
  assert.equal(activity.view('a')?.activeAt, -5000);
  for (now = 0; now < 100_000; now += 1000) activity.touch('a');
  assert.deepEqual(told, [25_000, 55_000, 85_000]);
});

test('V7: the session’s own server is asked for busy kernels, and a bad answer is no answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kernels-'));
  const socketPath = join(folder, 'nb.sock');
  let answer = '[]';
  let asked: string | undefined;
  const server = createServer((req, res) => {
    asked = `${req.url} ${req.headers.authorization}`;
    res.end(answer);
  });
  await listening(server, socketPath);
  const proxy = createProxy({
    clock: systemClock,
    log: makeLog('silent'),
    hosts: { hub: ['localhost'], sessionSuffix: '.localhost', secure: false },
    explain: () => undefined,
    hubUrl: () => 'http://localhost/',
  });
  proxy.addRoute({ id: 'a', prefix: '/s/a/', target: { socketPath }, authorization: 'token t' });
  assert.equal(await proxy.busyKernels('a'), 0);
  assert.equal(asked, '/s/a/api/kernels token t');
  answer = '[{"id":"1","execution_state":"busy"},{"id":"2","execution_state":"idle"},{"id":"3"}]';
  assert.equal(await proxy.busyKernels('a'), 1);
  for (answer of ['', '{}', '[1]', `[${' '.repeat(2 ** 21)}]`]) assert.equal(await proxy.busyKernels('a'), undefined);
  assert.equal(await proxy.busyKernels('nobody'), undefined);
  await proxy.close({ graceMs: 0 });
  server.close();
  assert.equal(await proxy.busyKernels('a'), undefined);
  await rm(folder, { recursive: true });
});
