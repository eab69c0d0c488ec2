// Our relay beside y-websocket and hocuspocus, on this machine, in one run: each a process of its own, the clients another.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FanOutJob } from './collaboration/fan-out.ts';
import type { Job, Measured } from './collaboration/load.ts';
import { IDLE_SECONDS, NAMES, pinned, startServer, type Name, type Server, type Without } from './collaboration/servers.ts';
import { spread, type Row } from './row.ts';

const ROUNDS = Math.max(5, Number(process.env['ROUNDS'] ?? 5));
const SECONDS = 4;
/** What hocuspocus waits before it stores, and more, until a document is stored and let go of. */
const LET_GO_MS = 2000 + IDLE_SECONDS * 1000 + 2000;
const LOAD = join(import.meta.dirname, 'collaboration/load.ts');

/** The cases of the study, with what is wanted of them: p99 and CPU, as parts of the better peer's. */
const CASES = [
  { docs: 1, clients: 50, rate: 100, cpu: 0.8 },
  { docs: 1, clients: 50, rate: 400, cpu: 1 },
  { docs: 1, clients: 200, rate: 100, cpu: 1 },
  { docs: 20, clients: 10, rate: 50, cpu: 1 },
  { docs: 20, clients: 10, rate: 200, cpu: 0.8, p99: 0.5 },
  { docs: 100, clients: 3, rate: 20, cpu: 0.8 },
] as const;
const HEAVY = CASES[4];

type Figures<N extends string> = Record<N, number[]>;

/** Latency at the clients and CPU of the server, by delivery, in six mixtures of documents, clients and updates. */
export async function* fanOuts(): AsyncGenerator<Row> {
  for (const { docs, clients, rate, ...wanted } of CASES) {
    const job = fanOutJob({ docs, clients, rate });
    const runs = await interleaved(NAMES, (server) => measured(server, job), { ...job, seconds: 1 });
    const name = `${docs}×${clients}@${rate}`;
    yield compared(`${name}: median latency, ms`, of(runs, 'p50'));
    yield compared(`${name}: p99 latency, ms`, of(runs, 'p99'), 'p99' in wanted ? wanted.p99 : undefined);
    yield compared(`${name}: CPU of the server by delivery, µs`, of(runs, 'cpu'), wanted.cpu);
  }
}

/** What the relay does beside the peers, each left out by itself. */
export async function* costs(): AsyncGenerator<Row> {
  const job = fanOutJob(HEAVY);
  const less: readonly Without[] = ['authentication', 'log', 'acknowledgements', 'all three'];
  const runs = await interleaved(['ours', ...less], (server) => measured(server, job), { ...job, seconds: 1 });
  const cpu = of(runs, 'cpu');
  for (const what of less)
    yield compared(`20×10@200: CPU by delivery, µs, beside itself without ${what}`, { ours: cpu.ours, [what]: cpu[what] });
}

/** As fast as one client can. */
export async function* floods(): AsyncGenerator<Row> {
  for (const [updates, receivers, target] of [
    [20_000, 10, 0.5],
    [3000, 100, undefined],
  ] as const) {
    const runs = await interleaved(NAMES, (server) => measured(server, { kind: 'flood', updates, receivers }));
    yield compared(`flood of ${updates} updates to ${receivers} receivers, ms`, runs, target);
  }
}

/** The whole of a document, to many at once, and from where it is stored. */
export async function* opens(): AsyncGenerator<Row> {
  const runs = await interleaved(NAMES, (server) => measured(server, { kind: 'openers', openers: 20, cells: 1000 }));
  yield alone('20 openers of a notebook of 6.4 MB, s', inSeconds(runs), 0.3);
  const edits = 100_000;
  const kept = await interleaved(['ours', 'hocuspocus 4.7.0'], async (server, round) => {
    const room = `edits-${round}`;
    await measured(server, { kind: 'edits', room, edits });
    await delay(LET_GO_MS);
    return measured(server, { kind: 'reopened', room, edits });
  });
  yield alone(`first complete sync after ${edits} edits, from what is stored, ms`, kept, 50);
}

/** Memory of documents that are connected and do nothing. */
export async function* idles(): AsyncGenerator<Row> {
  const docs = 500;
  const runs = await interleaved(NAMES, async (server) => {
    // What is in use, garbage collected: of the memory that the process has from the system, most was grown for earlier ones.
    const earlier = await begun(server, { kind: 'idle', docs });
    await delay(LET_GO_MS);
    await earlier.end();
    await delay(LET_GO_MS);
    const before = await server.memory();
    const { end } = await begun(server, { kind: 'idle', docs });
    await delay(LET_GO_MS);
    const after = await server.memory();
    await end();
    return (after.used - before.used) / docs / 1000;
  });
  yield alone('memory in use for an idle document with one client, kB', runs, 60);
}

/** One client more, that never reads. */
export async function* deafs(): AsyncGenerator<Row> {
  const job = { ...fanOutJob({ docs: 1, clients: 50, rate: 60 }), seconds: 10, letters: 16_384, isStaying: true };
  const runs = await interleaved(NAMES, async (server, round) => {
    const staid = async (isOneDeaf: boolean): Promise<{ readonly p99: number; readonly rss: number }> => {
      const said = await staying(server, { ...job, isOneDeaf });
      await delay(LET_GO_MS);
      return said;
    };
    // Who comes second finds a server that is warm and has grown: each does, in turn.
    const isDeafFirst = round % 2 === 1;
    const [first, second] = [await staid(isDeafFirst), await staid(!isDeafFirst)];
    const [without, beside] = isDeafFirst ? [second, first] : [first, second];
    return { p99: beside.p99 / without.p99, rss: (beside.rss - without.rss) / 1e6 };
  });
  yield alone('1×50@60 of 16 KiB, beside one that never reads: memory, MB more than without it', of(runs, 'rss'), 8);
  yield alone('1×50@60 of 16 KiB, beside one that never reads: p99 of the others, parts of that without it', of(runs, 'p99'), 1.1);
}

async function staying(server: Server, job: FanOutJob): Promise<{ readonly p99: number; readonly rss: number }> {
  const { said, end } = await begun(server, job);
  const { rss } = await server.memory();
  await end();
  return { p99: said.p99, rss };
}

function fanOutJob({ docs, clients, rate }: { docs: number; clients: number; rate: number }): FanOutJob {
  return { kind: 'fanOut', docs, clients, rate, seconds: SECONDS, letters: 0, isOneDeaf: false, isStaying: false };
}

/** In turn, and who begins changes from round to round: what disturbs the machine disturbs all of them. */
async function interleaved<N extends Name | Without, T>(
  names: readonly N[],
  measure: (server: Server, round: number) => Promise<T>,
  warmUp?: Job,
): Promise<Record<N, T[]>> {
  const servers: { readonly name: N; readonly server: Server }[] = [];
  const runs = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<N, T[]>;
  try {
    for (const name of names) servers.push({ name, server: await startServer(name) });
    for (const { server } of servers) if (warmUp) await measured(server, warmUp);
    for (let round = 0; round < ROUNDS; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const next = servers[(round + turn) % servers.length];
        if (next) runs[next.name].push(await measure(next.server, round));
      }
    }
  } finally {
    for (const { server } of servers) await server.stop();
  }
  return runs;
}

async function measured<J extends Job>(server: Server, job: J): Promise<Measured<J>> {
  const clients = loadProcess(server, job);
  const [said] = await Promise.all([text(clients.stdout), once(clients, 'exit')]);
  if (clients.exitCode !== 0) throw new Error(`${server.name}: ${JSON.stringify(job)} failed`);
  return JSON.parse(said) as Measured<J>;
}

/** A job that stays when it is done. */
async function begun<J extends Job>(server: Server, job: J): Promise<{ readonly said: Measured<J>; readonly end: () => Promise<void> }> {
  const clients = loadProcess(server, job);
  const [line] = (await once(createInterface({ input: clients.stdout }), 'line')) as [string];
  return {
    said: JSON.parse(line) as Measured<J>,
    end: async () => {
      const gone = once(clients, 'exit');
      clients.kill('SIGKILL');
      await gone;
    },
  };
}

function loadProcess({ pid, port, key, speech }: Server, job: Job) {
  const [command, ...args] = [...pinned(1), process.execPath, LOAD, JSON.stringify({ pid, port, key, speech }), JSON.stringify(job)];
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

function of<N extends string, T>(runs: Record<N, T[]>, figure: keyof T): Figures<N> {
  const names = Object.keys(runs) as N[];
  return Object.fromEntries(names.map((name) => [name, runs[name].map((run) => run[figure] as number)])) as Figures<N>;
}

function inSeconds<N extends string>(runs: Figures<N>): Figures<N> {
  const names = Object.keys(runs) as N[];
  return Object.fromEntries(names.map((name) => [name, runs[name].map((ms) => ms / 1000)])) as Figures<N>;
}

/** Beside the peer whose median is the better one, pair by pair. */
function compared(name: string, { ours, ...others }: { readonly ours: number[] } & Record<string, number[]>, target?: number): Row {
  const peers = Object.entries(others);
  const [, best = []] = peers.toSorted(([, a], [, b]) => spread(a).median - spread(b).median)[0] ?? [];
  const value = spread(ours.map((one, round) => one / (best[round] ?? Number.NaN))).median;
  return {
    name,
    value,
    unit: 'of the better peer',
    ours: spread(ours),
    peers: spreads(peers),
    target,
    met: target === undefined ? undefined : value <= target,
  };
}

/** Against a figure; the peers stand beside it. */
function alone(name: string, { ours, ...others }: { readonly ours: number[] } & Record<string, number[]>, target: number): Row {
  const value = spread(ours).median;
  return { name, value, unit: '', ours: spread(ours), peers: spreads(Object.entries(others)), target, met: value <= target };
}

function spreads(peers: readonly [string, number[]][]): Row['peers'] {
  return Object.fromEntries(peers.map(([name, values]) => [name, spread(values)]));
}
