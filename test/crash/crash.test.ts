import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isAlive, type ProcessIdentity } from '../../packages/bindery/src/base/process-identity.ts';
import { HubProcess } from '../fakes/hub-process.ts';
import { SHARED_CACHE } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { until } from '../fakes/until.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 50);
const TARGETS = ['hub', 'builder', 'supervisor', 'session', 'server', 'herd'] as const;
/** Of these a session that runs knows nothing. */
const ELSEWHERE: readonly string[] = ['hub', 'builder', 'herd'];
const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);

/** mulberry32: small, seeded, good enough to choose moments. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Running {
  readonly pid: number;
  readonly command: string;
}

/** Processes whose command line or working folder names `mark`. */
function processes(mark: string): Running[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command.includes(mark) && !/ Z /.test(readFileSync(`/proc/${name}/stat`, 'utf8')) ? [{ pid: Number(name), command }] : [];
    } catch {
      return [];
    }
  });
}

const content = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
const parentOf = (pid: number): number => Number(/^PPid:\s*(\d+)$/m.exec(content(`/proc/${pid}/status`))?.[1]);
const isServer = (pid: number): boolean => content(`/proc/${pid}/comm`) === 'jupyter-lab\n';

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself in between
  }
};

describe('kill -9 at any moment (I3)', () => {
  const folder = new TemporaryFolder();
  const state = mkdtempSync(join(tmpdir(), 'bindery-crash-'));
  /** Its own, since what is killed here must be nobody else's; what others have fetched is linked into it. */
  const cache = join(state, 'cache');
  const plain = new Repository(`${folder.path}/plain`);
  const built = new Repository(`${folder.path}/built`);
  const next = random(SEED);
  let hub: HubProcess;
  before(async () => {
    plain.commit({ 'data.txt': 'data\n' });
    mkdirSync(cache);
    for (const name of ['tools', 'uv-cache', 'bytecode'])
      if (existsSync(join(SHARED_CACHE, name))) execFileSync('cp', ['-al', join(SHARED_CACHE, name), cache]);
    hub = await HubProcess.start(state, cache);
  });
  after(async () => {
    await hub.kill('SIGINT');
    rmSync(state, { recursive: true, force: true });
    folder[Symbol.dispose]();
  });

  it(`leaves nothing behind in ${ROUNDS} rounds (SEED=${SEED})`, { timeout: 900_000 }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const target = TARGETS[Math.floor(next() * TARGETS.length)] ?? 'hub';
      await crash(target, round);
    }
  });

  async function crash(target: (typeof TARGETS)[number], round: number): Promise<void> {
    const note = `round ${round}, ${target} (SEED=${SEED})`;
    const ready = (await hub.follow(await hub.create(plain.url))).at(-1);
    assert.equal(ready?.phase, 'ready', `${note}: ${JSON.stringify(ready)}`);
    const { sessionId, url, token } = ready as { sessionId: string; url: string; token: string };
    const path = new URL(url).pathname;
    const put = await fetch(`${url}api/contents/kept-${round}.txt`, {
      method: 'PUT',
      headers: { authorization: `token ${token}` },
      body: JSON.stringify({ type: 'file', format: 'text', content: `round ${round}` }),
    });
    assert.equal(put.status, 201, note);
    built.commit({ postBuild: `#!/bin/sh\necho ${round}-${SEED} > made.txt\nsleep 0.3\n` });
    const other = await hub.create(target === 'builder' ? built.url : plain.url);
    const following = hub.follow(other).catch(() => []);
    await new Promise((resolve) => setTimeout(resolve, next() * 1500));
    const victims = victimsOf(target);
    if (target === 'hub') await hub.kill('SIGKILL');
    else victims.forEach(kill);
    await until(`${note}: the killed are gone`, () => victims.every((pid) => !existsSync(`/proc/${pid}`) || isZombie(pid)));
    const events = await following;
    if (target === 'hub') hub = await HubProcess.start(state, cache);
    else
      assert.ok(
        ['ready', 'failed'].includes(events.at(-1)?.phase ?? ''),
        `${note}: the other launch ends: ${JSON.stringify(events.at(-1))}`,
      );
    await converged(note);

    const expected = ELSEWHERE.includes(target) ? 'running' : 'ended';
    await until(
      `${note}: its session is ${expected}`,
      async () => (await hub.sessions()).find(({ id }) => id === sessionId)?.state === expected,
      { seen: () => hub.sessions() },
    );
    const sessions = await hub.sessions();
    const mine = sessions.find(({ id }) => id === sessionId);
    assert.ok(mine, `${note}: the session is known`);
    if (ELSEWHERE.includes(target)) {
      assert.equal(mine.state, 'running', note);
      const kept = await fetch(`${hub.url}${path}api/contents/kept-${round}.txt`, { headers: { authorization: `token ${token}` } });
      assert.equal(((await kept.json()) as { content?: string }).content, `round ${round}`, `${note}: adopted, by its old token`);
    } else {
      assert.equal(mine.state, 'ended', note);
      await savedHas(sessionId, round, note);
    }
    for (const { id, state: now } of sessions)
      if (now === 'running') assert.ok((await hub.ask(`/api/v1/sessions/${id}`, { method: 'DELETE' })).ok, note);
    await until(`${note}: all sessions end`, async () => (await hub.sessions()).every((session) => session.state === 'ended'), {
      seen: () => hub.sessions(),
    });
    await savedHas(sessionId, round, note);
    const ours = (): Running[] =>
      processes(state).filter(
        ({ pid, command }) => pid !== hub.child.pid && /bwrap|enclose|supervise|serve\.py|herd\.py/.test(command) && !isHerd(pid),
      );
    await until(`${note}: no process is left`, () => ours().length === 0, { seen: ours });
  }

  /** The process that supervisors and servers are forked from. */
  function isHerd(pid: number): boolean {
    return parentOf(pid) === hub.child.pid && content(`/proc/${pid}/cmdline`).includes('herd.py');
  }

  function supervisorOf(id: string): number | undefined {
    const path = join(state, 'sessions', id, 'process.json');
    const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity) : undefined;
    return known && isAlive(known) ? known.pid : undefined;
  }

  function victimsOf(target: (typeof TARGETS)[number]): number[] {
    if (target === 'builder') return processes('enclose.py').flatMap(({ pid, command }) => (command.includes(cache) ? [pid] : []));
    if (target === 'supervisor') return readdirSync(join(state, 'sessions')).flatMap((id) => supervisorOf(id) ?? []);
    if (target === 'herd') return processes(state).flatMap(({ pid }) => (isHerd(pid) ? [pid] : []));
    if (target === 'server') return processes(state).flatMap(({ pid }) => (isServer(pid) ? [pid] : []));
    if (target === 'session') return processes(state).flatMap(({ pid, command }) => (command.startsWith('bwrap') ? [pid] : []));
    return [];
  }

  /** What the disk says and what runs agree: each session lives and is known to the hub, or has ended and says so. */
  async function converged(note: string): Promise<void> {
    await until(`${note}: every session lives or has ended`, async () => {
      const listed = await hub.sessions();
      return readdirSync(join(state, 'sessions')).every((id) => {
        const supervised = supervisorOf(id) !== undefined;
        const ended = existsSync(join(state, 'sessions', id, 'ended.json'));
        const shown = listed.find((session) => session.id === id)?.state;
        return ended ? !supervised && (shown === 'ended' || shown === undefined) : supervised && shown === 'running';
      });
    });
    const unfinished = (name: string): boolean => name.includes('.part.');
    await until(`${note}: no half-built environment`, () => !readdirSync(join(cache, 'environments')).some(unfinished));
  }

  async function savedHas(id: string, round: number, note: string): Promise<void> {
    const response = await hub.ask(`/api/v1/sessions/${id}/saved`);
    assert.equal(response.status, 200, `${note}: changed files are kept`);
    const listing = execFileSync('tar', ['-tz'], { input: Buffer.from(await response.arrayBuffer()), encoding: 'utf8' });
    assert.match(listing, new RegExp(`^kept-${round}\\.txt$`, 'm'), note);
  }
});
