import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HubProcess } from '../test/fakes/hub-process.ts';
import { Kernel } from '../test/fakes/kernel.ts';
import { SHARED_CACHE } from '../test/fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../test/fakes/repository.ts';
import { spread, type Row } from './row.ts';
import { StockLab } from './stock.ts';

const RUNS = 9;
const BURSTS = 7;
const AT_ONCE = 25;
const TICKS = 100;

/** A hub and stock JupyterLab, with one repository. */
async function* beside(rows: (hub: HubProcess, repository: Repository, stock: StockLab) => AsyncIterable<Row>): AsyncGenerator<Row> {
  const state = mkdtempSync(join(tmpdir(), 'bindery-bench-'));
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  const hub = await HubProcess.start(state);
  try {
    repository.commit({ 'unique.txt': 'first\n' });
    await stopped(hub, await launched(hub, repository.url));
    const stock = new StockLab(join(SHARED_CACHE, 'tools'));
    try {
      yield* rows(hub, repository, stock);
    } finally {
      stock.remove();
    }
  } finally {
    await hub.kill('SIGINT');
    rmSync(state, { recursive: true, force: true });
    folder[Symbol.dispose]();
  }
}

/** Cached launches against stock JupyterLab, in turn: first answer, first cell. */
export const single = (): AsyncIterable<Row> => beside(oneByOne);
/** Many cached launches at once against as many stock servers. */
export const bursts = (): AsyncIterable<Row> => beside(atOnce);

interface Started {
  readonly id: string;
  readonly url: string;
  readonly token: string;
  readonly since: number;
  readonly answered: number;
}

/** From the request to the first 200 of the session's own /api/status; the answer must come from a server younger than the request. */
async function launched(hub: HubProcess, link: string): Promise<Started> {
  const asked = Date.now();
  const since = performance.now();
  const events = await hub.follow(await hub.create(link));
  const last = events.at(-1);
  if (last?.phase !== 'ready' || !last.url || !last.token) throw new Error(JSON.stringify(last));
  const response = await fetch(`${last.url}api/status?token=${last.token}`);
  const { started } = (await response.json()) as { started: string };
  const answered = performance.now() - since;
  if (response.status !== 200 || Date.parse(started) < asked) throw new Error('not a server of this launch');
  return { id: last.sessionId ?? '', url: last.url, token: last.token, since, answered };
}

async function stopped(hub: HubProcess, { id }: { id: string }): Promise<void> {
  await (await hub.ask(`/api/v1/sessions/${id}`, { method: 'DELETE' })).arrayBuffer();
}

async function* oneByOne(hub: HubProcess, repository: Repository, stock: StockLab): AsyncGenerator<Row> {
  const ours: number[] = [];
  const peers: number[] = [];
  const oursCell: number[] = [];
  const peersCell: number[] = [];
  const cpu: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const text = `run ${run}, ${Date.now()}\n`;
    repository.commit({ 'unique.txt': text });
    await stopped(hub, await launched(hub, repository.url)); // the commit is fetched: what follows is a cached launch
    const before = cpuMs(hub.child.pid ?? 0);
    const mine = await launched(hub, repository.url);
    cpu.push(cpuMs(hub.child.pid ?? 0) - before);
    ours.push(mine.answered);
    oursCell.push(await firstCell(mine));
    const contents = (await (await fetch(`${mine.url}api/contents/unique.txt?token=${mine.token}`)).json()) as { content: string };
    if (contents.content !== text) throw new Error('not the content of this commit');
    await stopped(hub, mine);

    const server = await stock.start(repository.path);
    peers.push(await server.answers());
    peersCell.push(await firstCell(server));
    await server.stop();
  }
  const answer = paired(ours, peers);
  const cell = paired(oursCell, peersCell);
  const hubCpu = spread(cpu);
  yield* [
    {
      name: 'cached launch: request → first 200 of /api/status',
      value: answer,
      unit: '× stock',
      ours: spread(ours),
      peer: spread(peers),
      target: 0.4,
      met: answer <= 0.4,
    },
    {
      name: 'cached launch: request → output of the first cell',
      value: cell,
      unit: '× stock',
      ours: spread(oursCell),
      peer: spread(peersCell),
      target: 0.55,
      met: cell <= 0.55,
    },
    {
      name: 'cached launch: CPU of the hub process, local engine',
      value: hubCpu.median,
      unit: 'ms',
      ours: hubCpu,
      target: 5,
      met: hubCpu.median <= 5,
    },
  ];
}

/** Milliseconds from the request to the output of a cell. */
async function firstCell(door: { url: string; token: string; since: number }): Promise<number> {
  using kernel = await Kernel.start(door);
  const output = await kernel.execute('print(6 * 7)');
  if (output !== '42') throw new Error(output);
  return performance.now() - door.since;
}

async function* atOnce(hub: HubProcess, repository: Repository, stock: StockLab): AsyncGenerator<Row> {
  const ours: number[] = [];
  const peers: number[] = [];
  for (let run = 0; run < BURSTS; run++) {
    const since = performance.now();
    const mine = await Promise.all(Array.from({ length: AT_ONCE }, () => launched(hub, repository.url)));
    ours.push(performance.now() - since);
    await Promise.all(mine.map((one) => stopped(hub, one)));

    const begun = performance.now();
    const servers = await Promise.all(Array.from({ length: AT_ONCE }, () => stock.start(repository.path)));
    await Promise.all(servers.map((server) => server.answers()));
    peers.push(performance.now() - begun);
    await Promise.all(servers.map((server) => server.stop()));
  }
  const value = paired(ours, peers);
  yield {
    name: `${AT_ONCE} cached launches at once, until all answer`,
    value,
    unit: '× stock',
    ours: spread(ours),
    peer: spread(peers),
    target: 0.5,
    met: value <= 0.5,
  };
}

/** Median of the ratios pair by pair: a machine that gets slower in between harms neither. */
export function paired(ours: readonly number[], peers: readonly number[]): number {
  return spread(ours.map((value, index) => value / (peers[index] ?? Number.NaN))).median;
}

function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}
