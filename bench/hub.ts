import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spread, type Row } from './row.ts';

const RUNS = 7;
const LAUNCHES = 400;
const AT_ONCE = 32;
const SESSIONS = 100;
/** Clock ticks of /proc a second. */
const TICKS = 100;

interface Started {
  readonly url: string;
  readonly key: string;
  readonly pid: number;
}

/** What a launch costs the hub alone: engine and pipeline do nothing, one client process drives it over HTTP. */
export async function* rows(): AsyncGenerator<Row> {
  // The first start fills the cache of compiled code that a hub has, too (main.ts).
  const warm = spawnHub();
  await started(warm);
  await end(warm);
  const child = spawnHub();
  try {
    const hub = await started(child);
    await drive(hub, SESSIONS);
    const rss = residentMB(hub.pid);
    const rates: number[] = [];
    const costs: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const cpu = cpuMs(hub.pid);
      const since = performance.now();
      await drive(hub, LAUNCHES);
      rates.push((LAUNCHES * 1000) / (performance.now() - since));
      costs.push((cpuMs(hub.pid) - cpu) / LAUNCHES);
    }
    const [rate, cost] = [spread(rates), spread(costs)];
    yield* [
      {
        name: 'hub: launches with a null launcher (at least)',
        value: rate.median,
        unit: '1/s',
        ours: rate,
        target: 200,
        met: rate.median >= 200,
      },
      { name: 'hub: CPU of a cached launch', value: cost.median, unit: 'ms', ours: cost, target: 5, met: cost.median <= 5 },
      { name: `hub: memory with ${SESSIONS} sessions`, value: rss, unit: 'MB', ours: spread([rss]), target: 150, met: rss <= 150 },
    ];
  } finally {
    await end(child);
  }
}

function spawnHub(): ChildProcess {
  const program = new URL('null-hub-process.ts', import.meta.url).pathname;
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'bindery-bench-compiled') };
  return spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'], env });
}

async function end(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await once(child, 'exit');
}

async function started(child: ChildProcess): Promise<Started> {
  if (!child.stdout) throw new Error('the hub has no output');
  for await (const line of createInterface(child.stdout)) return JSON.parse(line) as Started;
  throw new Error('the hub did not start');
}

async function drive(hub: Started, launches: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let left = launches;
  const client = async (): Promise<void> => {
    while (left-- > 0) await launch(hub, agent);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  agent.destroy();
}

/** As the page and the command line do it: create the launch, then follow its events to `ready`. */
async function launch(hub: Started, agent: Agent): Promise<void> {
  const { id } = JSON.parse(await ask(hub, agent, '/api/v1/launches', '{"link":"user/repo"}')) as { id: string };
  const events = await ask(hub, agent, `/api/v1/launches/${id}/events`);
  if (!events.includes('"phase":"ready"')) throw new Error(`a launch did not get ready: ${events}`);
}

function ask({ url, key }: Started, agent: Agent, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const req = request(url + path, { agent, method: body === undefined ? 'GET' : 'POST', headers }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => (text += chunk));
      res.on('end', () => resolve(text));
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** CPU time of a process, user and system, in milliseconds. */
function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

function residentMB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
