import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { enterNotes, titles, untilRoom, type NotesRoom } from '../../../../test/fakes/notes-room.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const base = await mkdtemp(join(tmpdir(), 'relay-cli-'));
after(() => rm(base, { recursive: true }));
let count = 0;
const children: ChildProcess[] = [];
const rooms: NotesRoom[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) room.close();
  for (const child of children.splice(0)) await end(child, 'SIGKILL');
});

function bindery(...words: string[]) {
  const env = { PATH: process.env['PATH'] ?? '', HOME: base, XDG_CONFIG_HOME: base };
  const child = spawn(process.execPath, [MAIN, ...words], { env, cwd: base, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  child.stdout.setEncoding('utf8');
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

/** What a command writes, all of it. */
async function said(...words: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> {
  const child = bindery(...words, '--json');
  let text = '';
  child.stdout.on('data', (more: string) => (text += more));
  await once(child, 'close');
  return { code: child.exitCode, answer: JSON.parse(text) as Record<string, unknown> };
}

async function relayOn(state: string, port = '0') {
  const child = bindery('relay', '--json', '--state', state, '--port', port);
  const [line] = (await once(child.stdout, 'data')) as [string];
  return { child, ...(JSON.parse(line) as { url: string; pid: number; keyFile: string }) };
}

async function link(state: string, ...words: string[]): Promise<string> {
  const { code, answer } = await said('share', 'notes', '--state', state, ...words);
  assert.equal(code, 0);
  return String(answer['url']);
}

const enter = (url: string): Promise<NotesRoom> => enterNotes(url, rooms);

describe('bindery relay', () => {
  it('loses nothing that it acknowledged when it is killed, and everybody goes on with the next one', async () => {
    const state = join(base, `state-${count++}`);
    const first = await relayOn(state);
    const url = await link(state);
    const [a, b] = [await enter(url), await enter(url)];
    const acknowledged: string[] = [];
    const write = async (room: NotesRoom, name: string): Promise<void> => {
      for (let index = 0; ; index++) {
        room.tables.notes.create({ title: `${name} ${index}` });
        await room.saved();
        acknowledged.push(`${name} ${index}`);
      }
    };
    const writing = Promise.allSettled([write(a, 'a'), write(b, 'b')]);
    await untilRoom(a, () => titles(a).filter((title) => title.startsWith('b')).length >= 20);
    first.child.kill('SIGKILL');
    await untilRoom(a, () => a.state.get().phase === 'offline');
    // They are gone with all that they know: what is there then, the disk alone has kept.
    for (const room of [a, b]) room.close();
    await writing;
    await end(first.child, 'SIGKILL');

    const second = await relayOn(state, new URL(first.url).port);
    assert.equal(second.url, first.url);
    const c = await enter(url);
    const kept = titles(c);
    assert.deepEqual(
      acknowledged.filter((title) => !kept.includes(title)),
      [],
    );
    assert.ok(acknowledged.length >= 20 && new Set(kept).size === kept.length);

    // Those who stay get over it by themselves.
    const d = await enter(await link(state, '--role', 'read'));
    await end(second.child, 'SIGKILL');
    c.tables.notes.create({ title: 'meanwhile' });
    const third = await relayOn(state, new URL(first.url).port);
    await Promise.all([c.saved(), untilRoom(d, () => titles(d).includes('meanwhile'))]);
    assert.throws(() => d.tables.notes.create({ title: 'no' }), { code: 'room_read_only' });
    assert.equal(await end(third.child, 'SIGINT'), 0);
  });

  it('lets in who has the key or a link, and tells others why not', async () => {
    const state = join(base, `state-${count++}`);
    const { url, keyFile, pid } = await relayOn(state);
    const http = url.replace('ws', 'http');
    assert.deepEqual(await (await fetch(`${http}/health`)).json(), { ok: true });
    assert.equal((await fetch(`${http}/room/notes`)).status, 404);
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
    const key = (await readFile(keyFile, 'utf8')).trim();
    assert.equal((await enter(`${url}/room/notes?key=${key}`)).state.get().role, 'admin');
    const good = await link(state, '--role', 'execute', '--for', '60');
    assert.equal((await enter(good)).state.get().role, 'execute');
    for (const [bad, why] of [
      [good.replace('execute', 'admin'), /link was changed/],
      [good.replace('/notes', '/others'), /another room/],
      [`${url}/room/notes`, /needs a share link/],
      [`${url}/room/notes?key=${key.slice(1)}x`, /not the key/],
    ] as const) {
      const { phase, error } = (await enter(bad)).state.get();
      assert.deepEqual([phase, error?.code], ['ended', 'room_refused']);
      assert.match(error?.message ?? '', why);
    }
    // One relay a folder; another folder's moves on from a port that is taken.
    const again = await said('relay', '--state', state, '--port', '0');
    assert.deepEqual([again.code, (again.answer['error'] as { code: string }).code], [1, 'relay_locked']);
    assert.match(JSON.stringify(again.answer), new RegExp(`process ${pid}`));
    const other = await relayOn(join(base, `state-${count++}`), new URL(url).port);
    assert.ok(Number(new URL(other.url).port) > Number(new URL(url).port));
  });

  it('says what is wrong with a command', async () => {
    const state = join(base, `state-${count++}`);
    const codeOf = async (...words: string[]): Promise<string> =>
      ((await said(...words, '--state', state)).answer['error'] as { code: string }).code;
    assert.equal(await codeOf('share', 'notes'), 'relay_unreachable');
    assert.equal(await codeOf('share', '..'), 'request_invalid');
    assert.equal(await codeOf('relay', '--set', 'relay.host=0.0.0.0'), 'config_invalid');
  });
});
