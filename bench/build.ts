import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { realHub, SHARED_CACHE, type RealHub } from '../test/fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../test/fakes/repository.ts';
import { paired } from './launch.ts';
import { spread, type Row } from './row.ts';

const RUNS = 7;
const PACKAGES = ['numpy', 'pandas', 'matplotlib'];
const MORE = 'requests';

/** Builds against `python -m venv` and pip, in turn, each from nothing, bytecode on both sides. */
export async function* rows(): AsyncGenerator<Row> {
  await using warm = await realHub(); // makes sure of uv and the server runtime
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  await warm.launch(repository.commit({ 'README.md': 'nothing' }) && repository.url, { buildOnly: true });
  const cold: number[] = [];
  const pip: number[] = [];
  const second: number[] = [];
  const fromLock: number[] = [];
  const disk: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const cache = mkdtempSync(join(tmpdir(), 'bindery-bench-cache-'));
    chmodSync(cache, 0o755); // a hub of root lets others read it
    cpSync(join(SHARED_CACHE, 'tools'), join(cache, 'tools'), { recursive: true });
    {
      await using hub = await realHub({ cache });
      const python = await coldBuild(hub, repository, cold);
      await secondBuild(hub, repository, { second, fromLock, disk });
      pip.push(withPip(python));
    }
    rmSync(cache, { recursive: true, force: true });
  }
  folder[Symbol.dispose]();
  const ratio = paired(cold, pip);
  const [next, again, own] = [spread(second), spread(fromLock), spread(disk)];
  yield* [
    {
      name: `cold build of ${PACKAGES.join(', ')} and a kernel`,
      value: ratio,
      unit: '× venv + pip',
      ours: spread(cold),
      peer: spread(pip),
      target: 0.35,
      met: ratio <= 0.35,
    },
    {
      name: 'second environment, one package more, lock included',
      value: next.median / 1000,
      unit: 's',
      ours: next,
      target: 2,
      met: next.median <= 2000,
    },
    { name: 'the same from its lock', value: again.median / 1000, unit: 's', ours: again, target: 1, met: again.median <= 1000 },
    { name: 'disk of the second environment', value: own.median, unit: 'MB', ours: own, target: 30, met: own.median <= 30 },
  ];
}

/** Returns the interpreter that was taken. */
async function coldBuild(hub: RealHub, repository: Repository, times: number[]): Promise<string> {
  repository.commit({ 'requirements.txt': `${PACKAGES.join('\n')}\n` });
  times.push(spent(await hub.launch(repository.url, { buildOnly: true }), ['locking', 'building']));
  const locks = join(hub.engine.cacheFolder, 'locks');
  const name = readdirSync(locks).find((file) => file.endsWith('.json')) ?? '';
  return (JSON.parse(readFileSync(join(locks, name), 'utf8')) as { python: { path: string } }).python.path;
}

async function secondBuild(
  hub: RealHub,
  repository: Repository,
  into: { second: number[]; fromLock: number[]; disk: number[] },
): Promise<void> {
  repository.commit({ 'requirements.txt': `${MORE}\n` });
  await hub.launch(repository.url, { buildOnly: true }); // now the package is in the store
  repository.commit({ 'requirements.txt': `${[...PACKAGES, MORE].join('\n')}\n` });
  const events = await hub.launch(repository.url, { buildOnly: true });
  into.second.push(spent(events, ['locking', 'building']));
  const id = environmentOf(events);
  for await (const one of hub.engine.builder.list()) if (one.id === id) into.disk.push(one.bytes / 2 ** 20);
  await hub.engine.builder.remove(id);
  into.fromLock.push(spent(await hub.launch(repository.url, { buildOnly: true }), ['locking', 'building']));
}

function withPip(python: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'bindery-bench-pip-'));
  const env = { ...process.env, HOME: folder, PIP_NO_CACHE_DIR: '1', PYTHONDONTWRITEBYTECODE: '' };
  const since = performance.now();
  execFileSync(python, ['-m', 'venv', join(folder, 'venv')], { env });
  execFileSync(join(folder, 'venv/bin/pip'), ['install', '--quiet', '--disable-pip-version-check', ...PACKAGES, 'ipykernel'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const took = performance.now() - since;
  mkdirSync(folder, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  return took;
}

/** Milliseconds of the given phases, by the launch's own log. */
function spent(events: readonly LaunchEvent[], phases: readonly string[]): number {
  const last = events.at(-1);
  if (last?.phase !== 'ready') throw new Error(JSON.stringify(last));
  return events.reduce(
    (sum, event) => ('kind' in event && event.kind === 'done' && phases.includes(event.phase) ? sum + (event.ms ?? 0) : sum),
    0,
  );
}

function environmentOf(events: readonly LaunchEvent[]): string {
  const last = events.at(-1);
  return last?.phase === 'ready' ? last.environmentId : '';
}
