// From the request to the first output, at a second client of the shared document and at one client of the kernel's own WebSocket.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../packages/rtc/src/room/connect.ts';
import type { Room } from '../packages/rtc/src/room/room.ts';
import { NOTEBOOK_TABLES } from '../packages/rtc/src/tables/jupyter.ts';
import { OWN } from '../packages/bindery/src/relay/dialect.ts';
import { Relay } from '../packages/bindery/src/relay/relay.ts';
import { FolderBlobs } from '../packages/bindery/src/supernode/blobs.ts';
import { Executions } from '../packages/bindery/src/supernode/executions.ts';
import { JupyterServer as JupyterApi } from '../packages/bindery/src/supernode/jupyter-server.ts';
import { KernelChannel } from '../packages/bindery/src/supernode/kernel-channel.ts';
import { freePort } from '../test/fakes/free-port.ts';
import { JupyterServer } from '../test/fakes/jupyter-server.ts';
import { SharedNotebook } from '../test/fakes/shared-notebook.ts';
import { spread, type Row } from './row.ts';

const ROUNDS = 5;
const RUNS = 40;
/** Between two runs: until what the last one left to be done is done. */
const PAUSE_MS = 20;

type Measure = () => Promise<number>;
type Client = Room<typeof NOTEBOOK_TABLES>;

/** The medians of rounds of runs, one after the other, so that what disturbs the machine disturbs all of them. */
export async function* rows(): AsyncGenerator<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-execute-'));
  const [socket, tcp] = [await JupyterServer.start(), await JupyterServer.start([], await freePort())];
  const ours = await shared(socket, join(folder, 'rooms'));
  const direct = await alone(socket);
  const stock = await alone(tcp);
  try {
    const medians: Record<'ours' | 'direct' | 'stock', number[]> = { ours: [], direct: [], stock: [] };
    for (let round = 0; round < ROUNDS; round++) {
      medians.ours.push(await median(ours.measure));
      medians.direct.push(await median(direct.measure));
      medians.stock.push(await median(stock.measure));
    }
    const figure = (name: string, peer: readonly number[], target: number): Row => {
      const value = spread(medians.ours.map((one, round) => one / (peer[round] ?? Number.NaN))).median;
      return { name, value, unit: 'of the peer', ours: spread(medians.ours), peer: spread(peer), target, met: value <= target };
    };
    yield figure('execute → output at a second client, ms, beside the kernel WebSocket without Nagle’s delay', medians.direct, 1.1);
    yield figure('execute → output at a second client, ms, beside the kernel WebSocket as it is, over TCP', medians.stock, 0.25);
  } finally {
    await ours.close();
    direct.close();
    stock.close();
    for (const server of [socket, tcp]) await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }
}

/** Two clients of one room, with relay and supernode: the first writes the request, the second sees the output. */
async function shared(server: JupyterServer, folder: string): Promise<{ measure: Measure; close: () => Promise<void> }> {
  const api = new JupyterApi(server);
  const executions = new Executions({ server: api, secret: 'secret', blobs: new FolderBlobs(join(folder, 'blobs'), String) });
  const relay = new Relay({
    folder,
    admit: async () => ({ room: 'notebook', role: 'execute', user: {}, dialect: OWN }),
    occupy: async (name, room) => {
      void new SharedNotebook(['print(1)'], room);
      executions.attach(name, room);
      return { isBusy: () => true, save: async () => 'skipped', leave: async () => executions.detach(name) };
    },
  });
  const http = createServer({ noDelay: true });
  http.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/room/notebook`;
  const [first, second] = [enter(url), enter(url)];
  await Promise.all([first, second].map((client) => when(client, () => client.state.get().phase === 'open')));
  const kernel = { id: await server.startKernel(), session: 0 };
  let count = 0;
  const measure = async (): Promise<number> => {
    const text = `run ${count++}\n`;
    const begun = performance.now();
    const id = first.tables.executions.create({ code: `print(${JSON.stringify(text.trim())})`, kernel, cell: 'c0' });
    await when(second, () => JSON.stringify(second.tables.cells.get('c0')?.outputs ?? []).includes(text.trim()));
    const took = performance.now() - begun;
    await when(second, () => second.tables.executions.get(id)?.status.status === 'ok');
    await delay(PAUSE_MS);
    return took;
  };
  const close = async (): Promise<void> => {
    first.close();
    second.close();
    executions.close();
    await relay.close();
    http.close();
    await api.close();
  };
  return { measure, close };
}

function enter(url: string): Client {
  return connect({ url, tables: NOTEBOOK_TABLES });
}

/** Comes as soon as it is so: looks whenever something changes. */
function when(client: Client, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const { cells, executions } = client.tables;
    const stops = [client.state, cells.records, executions.records].map((each) => each.subscribe(() => look()));
    const look = (): void => {
      if (!isTrue()) return;
      for (const stop of stops) stop();
      resolve();
    };
    look();
  });
}

/** One client of the kernel's WebSocket. */
async function alone(server: JupyterServer): Promise<{ measure: Measure; close: () => void }> {
  const kernel = await server.startKernel();
  let heard: (type: string, parent: string) => void = () => undefined;
  let opened: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => (opened = resolve));
  const channel = new KernelChannel({
    address: { url: server.url, token: server.token, socketPath: server.socketPath },
    kernel,
    session: 'bench',
    listener: {
      opened,
      lost: () => undefined,
      gone: () => undefined,
      message: ({ header, parent, channel }) => heard(channel === 'shell' ? 'reply' : header.msg_type, parent.msg_id ?? ''),
    },
  });
  await isOpen;
  const measure = (): Promise<number> =>
    new Promise((resolve) => {
      let took = 0;
      const begun = performance.now();
      const id = channel.send('shell', 'execute_request', {
        code: 'print(1)',
        silent: false,
        store_history: true,
        user_expressions: {},
        allow_stdin: false,
        stop_on_error: true,
      });
      heard = (type, parent) => {
        if (parent !== id) return;
        if (type === 'stream') took = performance.now() - begun;
        if (type === 'reply') setTimeout(() => resolve(took), PAUSE_MS);
      };
    });
  return { measure, close: () => channel.close() };
}

async function median(measure: Measure): Promise<number> {
  const all: number[] = [];
  for (let run = 0; run < RUNS; run++) all.push(await measure());
  return spread(all).median;
}
