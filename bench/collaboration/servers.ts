import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from '../../test/fakes/free-port.ts';
import type { Memory } from '../../test/fakes/relay-process.ts';
import type { SPEECHES } from './speech.ts';

const ROOT = join(import.meta.dirname, '../..');
const PEERS = ['y-websocket@2.1.0', '@hocuspocus/server@4.7.0', 'yjs@13.6.33'];
const SAID = z.object({ url: z.string(), keyFile: z.string().optional() });

/** What is measured: ours, the two peers, and ours with something left out, to see what that costs. */
export const NAMES = ['ours', 'y-websocket 2.1.0', 'hocuspocus 4.7.0'] as const;
export type Name = (typeof NAMES)[number];
export type Without = 'authentication' | 'log' | 'acknowledgements' | 'all three';

/** A server in a process of its own, on the first processor where there are two. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly key: string;
  readonly speech: keyof typeof SPEECHES;
  /** What it takes when all garbage is collected. */
  memory(): Promise<Memory>;
  stop(): Promise<void>;
}

/** Seconds after which our relay lets go of what nobody uses, where it matters. */
export const IDLE_SECONDS = 1;

export async function startServer(name: Name | Without): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-collaboration-'));
  const gone = async (): Promise<void> => rm(folder, { recursive: true, force: true });
  if (name === 'ours') {
    const sets = [`relay.folder=${folder}`, 'relay.host=127.0.0.1', `relay.idle=${IDLE_SECONDS}`].flatMap((set) => ['--set', set]);
    const main = join(ROOT, 'packages/bindery/src/main.ts');
    return served(name, [main, 'relay', '--json', '--port', '0', ...sets], 'own', gone);
  }
  if (name === 'y-websocket 2.1.0') {
    const port = await freePort();
    const env = { HOST: '127.0.0.1', PORT: String(port) };
    return served(name, [join(peers(), 'node_modules/y-websocket/bin/server.cjs')], 'yWebsocket', gone, { env, port });
  }
  if (name === 'hocuspocus 4.7.0') return served(name, [join(import.meta.dirname, 'hocuspocus.ts'), peers(), folder], 'hocuspocus', gone);
  return served(name, [join(import.meta.dirname, 'relay-without.ts'), folder, name], 'own', gone);
}

/** The peers are fetched once for these versions, into the folder for temporary files. */
function peers(): string {
  const folder = join(tmpdir(), `bench-${PEERS.join('-').replaceAll(/[@/]/g, '-')}`);
  if (!existsSync(join(folder, 'node_modules/@hocuspocus/server/package.json')))
    execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', ...PEERS], { stdio: 'ignore' });
  return folder;
}

async function served(
  name: string,
  argv: readonly string[],
  speech: Server['speech'],
  gone: () => Promise<void>,
  known: { readonly env?: Record<string, string>; readonly port?: number } = {},
): Promise<Server> {
  const probe = ['--expose-gc', '--import', join(ROOT, 'test/fakes/memory-probe.ts')];
  const [command = '', ...args] = [
    ...pinned(0),
    process.execPath,
    ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? []),
    ...probe,
    ...argv,
  ];
  const env = { ...process.env, NODE_ENV: 'production', ...known.env };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const line = await firstLine(child, name);
  const { url, keyFile } = known.port === undefined ? SAID.parse(JSON.parse(line)) : { url: '', keyFile: undefined };
  return {
    name,
    pid: child.pid ?? 0,
    port: known.port ?? Number(new URL(url).port),
    key: keyFile === undefined ? '' : readFileSync(keyFile, 'utf8').trim(),
    speech,
    async memory() {
      const answer = once(child, 'message', { signal: AbortSignal.timeout(60_000) });
      child.send('memory');
      return ((await answer) as [Memory])[0];
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await gone();
    },
  };
}

function firstLine(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${text}`)));
  });
}

/** What binds a process to one processor, so that server and clients do not take it from each other; nothing where that can't be. */
export function pinned(processor: number): string[] {
  const isThere =
    availableParallelism() > 1 && (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'taskset')));
  return isThere ? ['taskset', '-c', String(processor)] : [];
}
