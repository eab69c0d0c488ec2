import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Seeded } from '../fakes/seeded.ts';
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

/** What is killed in a round, and how long after a launch was asked for. */
interface Round {
  readonly number: number;
  readonly target: (typeof TARGETS)[number];
  readonly afterMs: number;
}

function rounds(): Round[] {
  const seeded = new Seeded(SEED);
  return Array.from({ length: ROUNDS }, (_, number) => {
    const target = seeded.one(TARGETS);
    return { number, target, afterMs: seeded.below(1500) };
  });
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
  let hub: HubProcess;
  before(async () => {
    plain.commit({ 'data.txt': 'data\n' });
    mkdirSync(cache);
    // What comes and goes there meanwhile makes cp fail; what is missing then is fetched anew.
    for (const name of ['tools', 'uv-cache', 'bytecode']) spawnSync('cp', ['-al', join(SHARED_CACHE, name), cache], { stdio: 'ignore' });
    hub = await HubProcess.start(state, cache);
  });
  after(async () => {
    await hub.kill('SIGINT');
    rmSync(state, { recursive: true, force: true });
    folder[Symbol.dispose]();
  });

  it(`leaves nothing behind in ${ROUNDS} rounds (SEED=${SEED})`, { timeout: 900_000 }, async (t) => {
    let passed = 0;
    for (const round of rounds()) {
      const name = `round ${round.number}, ${round.target} after ${round.afterMs} ms (SEED=${SEED})`;
      await t.test(name, async () => {
        await crash(round).catch(async (error: unknown) => {
          throw new Error(`${name}: ${(error as Error).message}\n${await situation()}`, { cause: error });
        });
        passed += 1;
      });
      if (passed === round.number) return; // what comes after a failure tells nothing
    }
  });

  async function crash({ number, target, afterMs }: Round): Promise<void> {
    const ready = (await hub.follow(await hub.create(plain.url))).at(-1);
    assert.equal(ready?.phase, 'ready', `the launch ends: ${JSON.stringify(ready)}`);
    const { sessionId, url, token } = ready as { sessionId: string; url: string; token: string };
    const path = new URL(url).pathname;
    const headers = { authorization: `token ${token}` };
    const body = JSON.stringify({ type: 'file', format: 'text', content: `round ${number}` });
    const put = await fetch(`${url}api/contents/kept-${number}.txt`, { method: 'PUT', headers, body });
    assert.equal(put.status, 201, `a file is written: ${put.status} ${await put.text()}`);
    built.commit({ postBuild: `#!/bin/sh\necho ${number}-${SEED} > made.txt\nsleep 0.3\n` });
    const other = await hub.create(target === 'builder' ? built.url : plain.url);
    const following = hub.follow(other);
    following.catch(() => {}); // looked at below
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const victims = victimsOf(target);
    if (target === 'hub') await hub.kill('SIGKILL');
    else victims.forEach(kill);
    await until('the killed are gone', () => victims.every((pid) => !existsSync(`/proc/${pid}`) || isZombie(pid)));
    if (target === 'hub') hub = await HubProcess.start(state, cache);
    else {
      const last = (await following).at(-1);
      assert.ok(['ready', 'failed'].includes(last?.phase ?? ''), `the other launch ends: ${JSON.stringify(last)}`);
    }
    await converged();

    const expected = ELSEWHERE.includes(target) ? 'running' : 'ended';
    const mine = async (): Promise<string | undefined> => (await hub.sessions()).find(({ id }) => id === sessionId)?.state;
    await until(`session ${sessionId} is ${expected}`, async () => (await mine()) === expected, { seen: () => hub.sessions() });
    if (expected === 'running') {
      const kept = await fetch(`${hub.url}${path}api/contents/kept-${number}.txt`, { headers });
      assert.match(await kept.text(), new RegExp(`"content": ?"round ${number}"`), `answered by its old token: ${kept.status}`);
    } else await savedHas(sessionId, number);
    for (const { id, state: now } of await hub.sessions()) {
      if (now !== 'running') continue;
      const stopped = await hub.ask(`/api/v1/sessions/${id}`, { method: 'DELETE' });
      assert.ok(stopped.ok, `session ${id} is stopped: ${stopped.status} ${await stopped.text()}`);
    }
    const allEnded = async (): Promise<boolean> => (await hub.sessions()).every((session) => session.state === 'ended');
    await until('all sessions end', allEnded, { seen: () => hub.sessions() });
    await savedHas(sessionId, number);
    const ours = (): Running[] =>
      processes(state).filter(
        ({ pid, command }) => pid !== hub.child.pid && /bwrap|enclose|supervise|serve\.py|herd\.py/.test(command) && !isHerd(pid),
      );
    await until('no process is left', () => ours().length === 0, { seen: ours });
  }

  /** For whoever reads of a failure elsewhere: what the hub said last, and what is there. */
  async function situation(): Promise<string> {
    const told = await hub.sessions().catch((error: unknown) => String(error));
    const folders = readdirSync(join(state, 'sessions')).flatMap((id) => {
      const ended = content(join(state, 'sessions', id, 'ended.json'));
      const files = readdirSync(join(state, 'sessions', id)).join(' ');
      return ended ? [] : [`${id}: supervised by ${supervisorOf(id)}: ${files}: ${content(join(state, 'sessions', id, 'supervisor.log'))}`];
    });
    const said = hub.said().slice(-1500);
    return `hub: ${said}\nnot ended: ${folders.join('\n')}\nsessions: ${JSON.stringify(told).slice(0, 1500)}`;
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
  async function converged(): Promise<void> {
    await until('every session lives or has ended', async () => {
      const listed = await hub.sessions();
      return readdirSync(join(state, 'sessions')).every((id) => {
        const supervised = supervisorOf(id) !== undefined;
        const ended = existsSync(join(state, 'sessions', id, 'ended.json'));
        const shown = listed.find((session) => session.id === id)?.state;
        return ended ? !supervised && (shown === 'ended' || shown === undefined) : supervised && shown === 'running';
      });
    });
    const unfinished = (name: string): boolean => name.includes('.part.');
    const environments = (): string[] => readdirSync(join(cache, 'environments')).filter(unfinished);
    await until('no half-built environment', () => environments().length === 0, { seen: environments });
  }

  async function savedHas(id: string, round: number): Promise<void> {
    const response = await hub.ask(`/api/v1/sessions/${id}/saved`);
    if (response.status !== 200) assert.fail(`the changed files of ${id} are not kept: ${response.status} ${await response.text()}`);
    const listing = execFileSync('tar', ['-tz'], { input: Buffer.from(await response.arrayBuffer()), encoding: 'utf8' });
    assert.match(listing, new RegExp(`^kept-${round}\\.txt$`, 'm'));
  }
});
