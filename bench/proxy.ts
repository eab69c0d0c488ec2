// Our proxy beside configurable-http-proxy, on this machine, in one run: CPU per request and memory per idle WebSocket.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, openSockets, type MakeRequest } from './proxy/load.ts';
import { cpuOf, helper, memoryOf } from './proxy/process.ts';

const PEER = 'configurable-http-proxy@5.3.0';
const ROUTES = 1000;
const ROUNDS = 7;
/** Requests before measuring, until the code is compiled. */
const WARM_UP = 20_000;
const REQUESTS = 5000;
const CONNECTIONS = 64;
const SOCKETS = 1000;

export interface Row {
  name: string;
  /** Median of the ratios ours / peer. */
  value: number;
  /** Of `ours` and `peer`. */
  unit: string;
  ours: Figure;
  peer: Figure;
  /** `value` is to be at most this. */
  target: number;
  met: boolean;
}

export interface Figure {
  median: number;
  min: number;
  max: number;
}

interface Proxy {
  readonly pid: number;
  readonly port: number;
  readonly cookies: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

const HERE = import.meta.dirname;

/** Rows (e) of the table: proxy CPU per request, memory per idle WebSocket. */
export async function* rows(): AsyncGenerator<Row> {
  const peerFolder = installPeer();
  const backend = await helper([join(HERE, 'proxy/backend.ts')], process.env, portLine);
  try {
    yield await cpu(backend.said.port, peerFolder);
    yield await memory(backend.said.port, peerFolder);
  } finally {
    await backend.stop();
  }
}

/** The peer is fetched once for each version, into the folder for temporary files. */
function installPeer(): string {
  const folder = join(tmpdir(), `bench-${PEER.replace('@', '-')}`);
  if (!existsSync(join(folder, 'node_modules/configurable-http-proxy/bin/configurable-http-proxy')))
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', PEER], { stdio: 'ignore' });
  return folder;
}

async function cpu(backend: number, peerFolder: string): Promise<Row> {
  const [ours, peer] = [await startOurs(backend), await startPeer(backend, peerFolder)];
  const cost = async (proxy: Proxy, requests: number): Promise<number> => {
    const before = cpuOf(proxy.pid);
    await load(proxy.port, requests, CONNECTIONS, requestOf(proxy, ours.cookies));
    return (cpuOf(proxy.pid) - before) / requests;
  };
  const pairs: [number, number][] = [];
  try {
    for (const proxy of [ours, peer]) await cost(proxy, WARM_UP);
    for (let round = 0; round < ROUNDS; round++) {
      // Whoever comes first changes from round to round.
      const first = round % 2 === 0 ? await cost(ours, REQUESTS) : 0;
      const other = await cost(peer, REQUESTS);
      pairs.push([first || (await cost(ours, REQUESTS)), other]);
    }
  } finally {
    await Promise.all([ours.stop(), peer.stop()]);
  }
  return rowOf('proxy CPU per request, 1000 routes, cookie checked, activity on', 'µs', pairs, 0.4);
}

async function memory(backend: number, peerFolder: string): Promise<Row> {
  const cost = async (start: () => Promise<Proxy>, cookies: Proxy['cookies'] | undefined): Promise<[number, Proxy['cookies']]> => {
    const proxy = await start();
    try {
      const make = upgradeOf(proxy, cookies ?? proxy.cookies);
      // Memory that was grown for earlier connections is no cost of the next ones.
      const earlier = await openSockets(proxy.port, SOCKETS, make);
      for (const socket of earlier) socket.destroy();
      const before = memoryOf(proxy.pid);
      const sockets = await openSockets(proxy.port, SOCKETS, make);
      const after = memoryOf(proxy.pid);
      for (const socket of sockets) socket.destroy();
      return [(after - before) / SOCKETS / 1024, proxy.cookies];
    } finally {
      await proxy.stop();
    }
  };
  const pairs: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [ours, cookies] = await cost(() => startOurs(backend), undefined);
    const [peer] = await cost(() => startPeer(backend, peerFolder), cookies);
    pairs.push([ours, peer]);
  }
  return rowOf('proxy memory per idle WebSocket', 'KiB', pairs, 0.5);
}

async function startOurs(backend: number): Promise<Proxy> {
  const { pid, said, stop } = await helper([join(HERE, 'proxy/ours.ts'), String(backend), String(ROUTES)], process.env, portLine);
  return { pid, ...said, stop };
}

async function startPeer(backend: number, folder: string): Promise<Proxy> {
  const script = join(folder, 'node_modules/configurable-http-proxy/bin/configurable-http-proxy');
  const [port, api] = [await freePort(), await freePort()];
  const argv = [
    script,
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--api-ip',
    '127.0.0.1',
    '--api-port',
    String(api),
    '--log-level',
    'warn',
  ];
  const { pid, stop } = await helper(argv, { ...process.env, CONFIGPROXY_AUTH_TOKEN: 'bench' }, undefined);
  const headers = { authorization: 'token bench' };
  await answering(`http://127.0.0.1:${api}/api/routes`, { headers });
  for (let index = 0; index < ROUTES; index++) {
    const body = JSON.stringify({ target: `http://127.0.0.1:${backend}` });
    const { status } = await fetch(`http://127.0.0.1:${api}/api/routes/s/session-${index}`, { method: 'POST', headers, body });
    if (status !== 201) throw new Error(`A route was answered ${status}.`);
  }
  return { pid, port, cookies: {}, stop };
}

async function answering(url: string, init: RequestInit): Promise<void> {
  const until = performance.now() + 20_000;
  while (
    !(await fetch(url, init).then(
      (res) => res.ok,
      () => false,
    ))
  ) {
    if (performance.now() > until) throw new Error(`${url} does not answer.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function requestOf({ port }: Proxy, cookies: Proxy['cookies']): MakeRequest {
  return (index) => {
    const id = `session-${(index * 7919) % ROUTES}`;
    const path = `/s/${id}/api/kernels/3f2504e0-4f89-11d3-9a0c-0305e82c3301?${index}`;
    const body = index % 10 === 0 ? '{"path":"a.ipynb","type":"notebook"}' : '';
    return `${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${headersOf(id, port, cookies)}${body && `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`}\r\n${body}`;
  };
}

function upgradeOf({ port }: Proxy, cookies: Proxy['cookies']): MakeRequest {
  return (index) => {
    const id = `session-${index % ROUTES}`;
    const line = `GET /s/${id}/api/kernels/3f2504e0-4f89-11d3-9a0c-0305e82c3301/channels HTTP/1.1\r\n`;
    return `${line}${headersOf(id, port, cookies)}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  };
}

/** What a browser sends along. */
function headersOf(id: string, port: number, cookies: Proxy['cookies']): string {
  const origin = `http://${id}.localhost:${port}`;
  return [
    `Host: ${id}.localhost:${port}`,
    `Cookie: _xsrf=2|1234abcd|0123456789abcdef0123456789abcdef|1700000000; ${cookies[id] ?? ''}`,
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
    'Accept: */*',
    'Accept-Encoding: gzip, deflate',
    'Accept-Language: en-US,en;q=0.9',
    `Origin: ${origin}`,
    `Referer: ${origin}/s/${id}/lab/tree/index.ipynb`,
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: cors',
    'Sec-Fetch-Dest: empty',
    '',
  ].join('\r\n');
}

/** What a helper says first: its port, and ours the cookies too. */
function portLine(output: string): { port: number; cookies: Proxy['cookies'] } | undefined {
  const end = output.indexOf('\n');
  return end < 0 ? undefined : (JSON.parse(output.slice(0, end)) as { port: number; cookies: Proxy['cookies'] });
}

function rowOf(name: string, unit: string, pairs: readonly (readonly [number, number])[], target: number): Row {
  const value = figure(pairs.map(([ours, peer]) => ours / peer)).median;
  return {
    name,
    value,
    unit,
    ours: figure(pairs.map(([ours]) => ours)),
    peer: figure(pairs.map(([, peer]) => peer)),
    target,
    met: value <= target,
  };
}

function figure(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => Number((sorted[index] ?? 0).toPrecision(3));
  return { median: at(Math.floor(sorted.length / 2)), min: at(0), max: at(sorted.length - 1) };
}
