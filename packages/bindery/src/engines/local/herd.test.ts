import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { realHub } from '../../../../../test/fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../../../../../test/fakes/repository.ts';
import { until } from '../../../../../test/fakes/until.ts';
import { Herd } from './herd.ts';
import type { Place } from './place.ts';

/** The process of this one's that listens at a socket. */
function herdAt(socket: string): number {
  const isIt = (name: string): boolean => {
    try {
      const [stat, words] = [readFileSync(`/proc/${name}/stat`, 'utf8'), readFileSync(`/proc/${name}/cmdline`, 'utf8')];
      return new RegExp(`\\) . ${process.pid} `).test(stat) && words.includes(socket);
    } catch {
      return false;
    }
  };
  return Number(readdirSync('/proc').find((name) => /^\d+$/.test(name) && isIt(name)));
}

/** Connections that wait to be taken up at a socket: connecting, in the words of proc_net(5). */
async function waitingAt(socket: string): Promise<number> {
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
  return lines.filter((line) => line.endsWith(` ${socket}`) && line.split(/\s+/)[5] === '02').length;
}

test(
  'I3: the hub outlives the process that starts sessions, and a launch that waits for it gets another',
  { timeout: 120_000 },
  async () => {
    using folder = new TemporaryFolder();
    const repository = new Repository(`${folder.path}/repository`);
    repository.commit({ 'data.txt': 'data\n' });
    await using home = await realHub();
    await home.ready(repository.url);
    const socket = join(home.state, 'herd.sock');
    const first = herdAt(socket);
    process.kill(first, 'SIGSTOP');
    const launching = home.ready(repository.url);
    await until('the launch waits', async () => (await waitingAt(socket)) > 0);
    process.kill(first, 'SIGKILL');
    const { url, token } = await launching;
    const answer = await fetch(`${url}api/contents/data.txt`, { headers: { authorization: `token ${token}` } });
    assert.equal(((await answer.json()) as { content: string }).content, 'data\n');
    assert.notEqual(herdAt(socket), first);
  },
);

test('I3: a supervisor that comes when a hub has given its session up starts nothing', { timeout: 60_000 }, async () => {
  using folder = new TemporaryFolder();
  const place = { isolated: false, python: { path: 'python3' }, config: { folders: { state: folder.path } } } as unknown as Place;
  const herd = new Herd(place, () => Promise.reject(new Error('no runtime')));
  await writeFile(join(folder.path, 'taken.json'), '{}');
  const told: unknown[] = [];
  const { pid, ended } = await herd.supervise(folder.path, (event) => told.push(event));
  await ended;
  herd.close();
  assert.deepEqual([pid, told, existsSync(join(folder.path, 'supervisor.log'))], [undefined, [], false]);
});
