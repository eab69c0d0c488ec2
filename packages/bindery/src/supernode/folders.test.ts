import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect } from '@bindery/rtc/room/connect.ts';
import type { Role, Room } from '@bindery/rtc/room/room.ts';
import { FILE, FILE_TABLES, FOLDER, FOLDER_TABLES, ROOT_FOLDER, TEXT_TABLES } from '@bindery/rtc/tables/files.ts';
import type { Definitions } from '@bindery/rtc/tables/table.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { served } from '../../../../test/fakes/served.ts';
import { until } from '../../../../test/fakes/until.ts';
import { makeLog } from '../base/log.ts';
import { Collaboration } from './collaboration.ts';

let jupyter: JupyterServer;
before(async () => {
  jupyter = await JupyterServer.start();
});
after(() => jupyter[Symbol.asyncDispose]());
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

type FolderRoom = Room<typeof FOLDER_TABLES> & { close(): void };
let count = 0;
const onDisk = (path: string): string => join(jupyter.folder, 'root', path);

/** What is in a folder, but for what the server keeps there itself. */
async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(onDisk(folder))).filter((name) => name !== '.ipynb_checkpoints').toSorted();
}

/** A folder of its own for a test. */
async function newFolder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = `folder-${count++}`;
  await mkdir(onDisk(folder));
  for (const [name, content] of Object.entries(files)) await writeFile(onDisk(`${folder}/${name}`), content);
  return folder;
}

/** The documents of the Jupyter server, whose members come as the address says: `/<role>/<owner>/<path>/base/…`. */
class Edge {
  readonly folder: string;
  readonly port: number;
  readonly close: () => Promise<void>;

  private constructor(folder: string, port: number, close: () => Promise<void>) {
    this.folder = folder;
    this.port = port;
    this.close = close;
  }

  static async open(folder?: string): Promise<Edge> {
    const own = folder ?? (await mkdtemp(join(tmpdir(), 'folders-')));
    if (folder === undefined) ends.push(() => rm(own, { recursive: true }));
    const who = /^\/(?<role>\w+)\/(?<owner>\w+)\/(?<path>[^/]*)(?=\/base\/)/;
    const told = new WeakMap<object, Record<string, string>>();
    const collaboration = await Collaboration.open({
      address: jupyter,
      folder: own,
      guestOf: (request) => {
        const { role, owner, path = '' } = told.get(request) ?? {};
        return { role: role as Role, owner, path: decodeURIComponent(path) };
      },
      log: makeLog('silent'),
      saveMs: 20,
      watchMs: 20,
    });
    const take = <T extends { url?: string | undefined }>(request: T): T => {
      told.set(request, { ...who.exec(request.url ?? '')?.groups });
      request.url = request.url?.replace(who, '');
      return request;
    };
    const { port, close } = await served({
      handle: (request, response) => collaboration.handle(take(request), response),
      upgrade: (request, socket, head) => collaboration.upgrade(take(request), socket, head),
      close: () => collaboration.close(),
    });
    ends.push(close);
    return new Edge(own, port, close);
  }

  async session(path: string, format: string, type: string, role: Role = 'admin', below = ''): Promise<{ status: number; room: string }> {
    const url = `http://127.0.0.1:${this.port}/${role}/x/${encodeURIComponent(below)}/base/api/collaboration/session/${encodeURIComponent(path)}`;
    const answer = await fetch(url, { method: 'PUT', body: JSON.stringify({ format, type }) });
    const { fileId } = (await answer.json()) as { fileId?: string };
    return { status: answer.status, room: `${format}:${type}:${fileId}` };
  }

  enter<D extends Definitions>(room: string, tables: D, role: Role = 'execute', owner = 'ada', below = ''): Room<D> & { close(): void } {
    const url = `ws://127.0.0.1:${this.port}/${role}/${owner}/${encodeURIComponent(below)}/base/api/bindery/room/${encodeURIComponent(room)}`;
    const open = connect({ url, tables });
    ends.push(() => open.close());
    return open;
  }

  async folderRoom(path: string, role: Role = 'execute', owner = 'ada'): Promise<FolderRoom> {
    const { room } = await this.session(path, 'json', 'directory');
    const open = this.enter(room, FOLDER_TABLES, role, owner);
    await until('the folder is told', () => open.tables.folders.get(FOLDER) !== undefined);
    return open;
  }
}

const names = ({ tables }: FolderRoom): readonly string[] => tables.folders.get(FOLDER)?.content ?? [];

/** Asks by a record, and waits for its end. */
async function asked(room: FolderRoom, order: Parameters<FolderRoom['tables']['operations']['create']>[0]) {
  const id = room.tables.operations.create(order);
  await until('it has ended', () => ['ok', 'error'].includes(room.tables.operations.get(id)?.status.status ?? ''));
  const record = room.tables.operations.get(id);
  assert.ok(record);
  const { status } = record;
  return {
    id,
    record,
    ...(status.status === 'ok' ? { path: status.path, room: status.room } : { path: undefined, room: '' }),
    why: status.status === 'error' ? status.message : '',
  };
}

describe('the folders of a Jupyter server', () => {
  it('F1.1, F1.2 are told to who looks at them: what is there, and what others change', async () => {
    const edge = await Edge.open();
    const folder = await newFolder({ 'b.txt': 'bb', 'a.ipynb': '{}' });
    await mkdir(onDisk(`${folder}/sub`));
    const room = await edge.folderRoom(folder);
    assert.deepEqual(names(room), ['a.ipynb', 'b.txt', 'sub']);
    const { contents } = room.tables;
    assert.deepEqual(
      [contents.get('b.txt')?.type, contents.get('b.txt')?.size, contents.get('b.txt')?.path],
      ['file', 2, `${folder}/b.txt`],
    );
    assert.deepEqual([contents.get('a.ipynb')?.type, contents.get('sub')?.type], ['notebook', 'directory']);
    await writeFile(onDisk(`${folder}/new.txt`), '');
    await rm(onDisk(`${folder}/b.txt`));
    await rename(onDisk(`${folder}/sub`), onDisk(`${folder}/over`));
    await until('it is told', () => names(room).join() === 'a.ipynb,new.txt,over');
    assert.deepEqual(contents.ids.get().toSorted(), ['a.ipynb', 'new.txt', 'over']);
    await writeFile(onDisk(`${folder}/new.txt`), 'grown');
    await until('it is told', () => contents.get('new.txt')?.size === 5);
    await rm(onDisk(folder), { recursive: true });
    await until('it is told', () => room.tables.folders.get(FOLDER)?.error !== '');
    assert.deepEqual([room.tables.folders.get(FOLDER)?.error, names(room)], ['There is no such folder any more.', []]);
    await mkdir(onDisk(folder));
    await until('it is told', () => room.tables.folders.get(FOLDER)?.error === '');
  });

  it('A2, F1.3 have a root that everybody knows, and write nothing where nothing changed', async () => {
    const edge = await Edge.open();
    const folder = await newFolder();
    const root = edge.enter(ROOT_FOLDER, FOLDER_TABLES);
    await until('it is told', () => names(root).includes(folder));
    assert.equal((await edge.session('', 'json', 'directory')).room, ROOT_FOLDER);
    let updates = 0;
    root.doc.on('update', () => (updates += 1));
    const before = (await asked(root, { kind: 'open', name: folder })).room;
    assert.match(before, /^json:directory:/);
    await until('its room is told', () => root.tables.contents.get(folder)?.content === before);
    updates = 0;
    await asked(root, { kind: 'open', name: folder });
    // The record, its acceptance, its beginning and its end.
    assert.ok(updates <= 4, String(updates));
  });

  it('F3.1, F3.6, F3.7 make, rename, copy and delete what members ask for', async () => {
    const edge = await Edge.open();
    const folder = await newFolder({ 'a.txt': 'a' });
    const room = await edge.folderRoom(folder);
    const made = await asked(room, { kind: 'create', type: 'notebook', name: 'N\u00e9.ipynb' });
    assert.deepEqual([made.path, made.record.owner, made.record.endedAt !== ''], [`${folder}/N\u00e9.ipynb`, 'ada', true]);
    // Whoever is told that it is done, sees it.
    assert.ok(names(room).includes('N\u00e9.ipynb'));
    const { nbformat, cells } = JSON.parse(await readFile(onDisk(`${folder}/N\u00e9.ipynb`), 'utf8')) as Record<string, unknown>;
    assert.deepEqual([nbformat, cells], [4, []]);
    assert.match((await asked(room, { kind: 'create', type: 'notebook', name: 'Ne\u0301.ipynb' })).why, /is there already/);
    assert.equal((await asked(room, { kind: 'create', type: 'notebook' })).path, `${folder}/Untitled.ipynb`);
    assert.equal((await asked(room, { kind: 'create', type: 'directory', name: 'sub' })).path, `${folder}/sub`);
    assert.equal((await asked(room, { kind: 'rename', name: 'a.txt', to: 'b.txt' })).path, `${folder}/b.txt`);
    assert.match((await asked(room, { kind: 'rename', name: 'b.txt', to: 'sub' })).why, /already exists/);
    assert.equal((await asked(room, { kind: 'rename', name: 'b.txt', to: `/${folder}/sub/b.txt` })).path, `${folder}/sub/b.txt`);
    assert.equal((await asked(room, { kind: 'copy', name: 'Untitled.ipynb' })).path, `${folder}/Untitled-Copy1.ipynb`);
    assert.equal((await asked(room, { kind: 'copy', name: 'Untitled.ipynb', to: 'sub' })).path, `${folder}/sub/Untitled.ipynb`);
    assert.match((await asked(room, { kind: 'rename', name: 'sub', to: `/${folder}/sub/in` })).why, /put into itself/);
    assert.equal((await asked(room, { kind: 'delete', name: 'Untitled.ipynb' })).path, `${folder}/Untitled.ipynb`);
    assert.match((await asked(room, { kind: 'delete', name: 'Untitled.ipynb' })).why, /not exist|No such/i);
    assert.match((await asked(room, { kind: 'rename', name: 'gone.txt', to: 'x.txt' })).why, /not exist|No such|not found/i);
    assert.deepEqual(names(room), ['N\u00e9.ipynb', 'Untitled-Copy1.ipynb', 'sub']);
    assert.deepEqual(await filesIn(`${folder}/sub`), ['Untitled.ipynb', 'b.txt']);
  });

  it('F3.7, F3.8 take uploads, and say where those go that are too large', async () => {
    const edge = await Edge.open();
    const room = await edge.folderRoom(await newFolder({ 'there.bin': 'old' }));
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const content = bytes.toString('base64');
    const up = await asked(room, { kind: 'upload', name: 'new.bin', content });
    assert.deepEqual(await readFile(onDisk(up.path ?? '')), bytes);
    assert.equal(up.record.content, '');
    assert.match((await asked(room, { kind: 'upload', name: 'there.bin', content })).why, /is there already/);
    await asked(room, { kind: 'upload', name: 'there.bin', content, replace: true });
    await until('its size is told', () => room.tables.contents.get('there.bin')?.size === bytes.length);
    assert.match((await asked(room, { kind: 'upload', name: 'odd.bin', content: 'no base64!' })).why, /no base64/);
    const large = await asked(room, { kind: 'upload', name: 'large.bin', content: 'A'.repeat(6 * 1024 * 1024) });
    assert.match(large.why, /more than 4 MiB.*PUT api\/contents\/folder-\d+\/large\.bin/);
    assert.ok(!names(room).includes('large.bin'));
  });

  it('F3.7 refuse names that lead elsewhere, or that nobody can read', async () => {
    const edge = await Edge.open();
    const folder = await newFolder({ 'a.txt': 'a' });
    const room = await edge.folderRoom(folder);
    const bad = [
      '..',
      '.',
      '../x',
      'a/b',
      '/etc/x',
      'a\\b',
      'a\nb',
      'a\0b',
      '\u202etxt.exe',
      ' a',
      'x'.repeat(256),
      '\u00e9'.repeat(128),
      '\ud800',
    ];
    for (const name of bad) {
      const { why } = await asked(room, { kind: 'create', type: 'file', name });
      assert.ok(why !== '', JSON.stringify(name));
      assert.ok(!/[\n\0\u202e]/.test(why), JSON.stringify(why));
      if (!name.startsWith('/'))
        assert.ok((await asked(room, { kind: 'rename', name: 'a.txt', to: name })).why !== '', JSON.stringify(name));
    }
    for (const name of ['..', '', 'a/../../x', '../a.txt', '/etc/passwd'])
      for (const kind of ['delete', 'copy', 'open', 'rename'])
        assert.match((await asked(room, { kind, name, to: 'x' })).why, /no name of something/, `${kind} ${name}`);
    assert.match((await asked(room, { kind: 'rename', name: 'a.txt', to: '/../x' })).why, /no name/);
    assert.match((await asked(room, { kind: 'create', type: 'fifo', name: 'x' })).why, /can't be made/);
    assert.ok((await asked(room, { kind: 'create', type: 'file', name: '.hidden' })).why !== '');
    assert.deepEqual(await filesIn(folder), ['a.txt']);
    assert.deepEqual(names(room), ['a.txt']);
  });

  it('F2.2, F2.3, F3.1, F3.2 are changed by those who may execute only, each in his own name, and by nobody twice', async () => {
    const edge = await Edge.open();
    const folder = await newFolder({ 'a.txt': 'a' });
    const room = await edge.folderRoom(folder);
    const editor = await edge.folderRoom(folder, 'edit', 'eve');
    const reader = await edge.folderRoom(folder, 'read', 'rob');
    assert.throws(() => reader.tables.operations.create({ kind: 'delete', name: 'a.txt' }), /read/);
    const tried = await asked(editor, { kind: 'delete', name: 'a.txt', owner: 'ada' });
    assert.deepEqual([tried.why, tried.record.owner], ['Who asked for it may edit here, and not change files.', 'eve']);
    // What claims to have been done was not asked for.
    editor.tables.operations.create(
      { kind: 'delete', owner: 'ada', status: { status: 'ok', path: 'x', room: '' }, endedAt: 'now' },
      { id: 'claim' },
    );
    await until('it is told', () => editor.tables.operations.get('claim')?.status.status === 'error');
    // What is there is the server's to say.
    editor.tables.contents.delete('a.txt');
    editor.tables.contents.create({ name: 'fake' }, { id: 'fake' });
    editor.tables.folders.update(FOLDER, { content: { index: 0, remove: 1, values: ['fake'] }, error: 'x' });
    await until('it is taken back', () => names(room).join() === 'a.txt' && room.tables.contents.ids.get().join() === 'a.txt');
    assert.equal(room.tables.folders.get(FOLDER)?.error, '');
    const done = await asked(room, { kind: 'create', type: 'file', name: 'b.txt' });
    await rm(onDisk(`${folder}/b.txt`));
    editor.tables.operations.update(done.id, { status: { status: 'requested' } });
    room.tables.operations.update(done.id, { name: 'c.txt' });
    await until(
      'it is taken back',
      () => room.tables.operations.get(done.id)?.name === 'b.txt' && room.tables.operations.get(done.id)?.status.status === 'ok',
    );
    room.tables.operations.delete(done.id);
    await room.saved();
    room.tables.operations.create({ kind: 'create', type: 'file', name: 'b.txt' }, { id: done.id });
    await until('it is refused', () => room.tables.operations.get(done.id)?.status.status === 'error');
    assert.deepEqual(await filesIn(folder), ['a.txt']);
  });

  it('F2.1 are seen by those with whom they are shared', async () => {
    const edge = await Edge.open();
    const [shared, other] = [await newFolder({ 'a.txt': '' }), await newFolder()];
    const mine = await edge.session(shared, 'json', 'directory', 'read', shared);
    assert.equal(mine.status, 201);
    const room = edge.enter(mine.room, FOLDER_TABLES, 'read', 'rob', shared);
    await until('it is told', () => names(room).join() === 'a.txt');
    assert.equal((await edge.session(other, 'json', 'directory', 'read', shared)).status, 403);
    for (const name of [ROOT_FOLDER, (await edge.session(other, 'json', 'directory')).room]) {
      const refused = edge.enter(name, FOLDER_TABLES, 'edit', 'eve', shared);
      await until('it is refused', () => refused.state.get().phase === 'ended');
      assert.match(String(refused.state.get().error?.message), /not shared with you/);
      assert.deepEqual(refused.tables.folders.ids.get(), []);
    }
  });

  it('F4 open what is in them: bytes, which are told as they are, and texts', async () => {
    const edge = await Edge.open();
    const folder = await newFolder({ 'a.txt': 'text', 'big.bin': '' });
    await writeFile(onDisk(`${folder}/a.bin`), Buffer.from([0, 255, 1]));
    await writeFile(onDisk(`${folder}/big.bin`), Buffer.alloc(16 * 1024 * 1024 + 1));
    const room = await edge.folderRoom(folder);
    const bytes = edge.enter((await asked(room, { kind: 'open', name: 'a.bin', format: 'base64' })).room, FILE_TABLES, 'edit', 'eve');
    await until('it is told', () => bytes.tables.base64_content.get(FILE)?.content === 'AP8B');
    assert.deepEqual([bytes.tables.contents.get(FILE)?.size, bytes.tables.contents.get(FILE)?.href], [3, `files/${folder}/a.bin`]);
    await writeFile(onDisk(`${folder}/a.bin`), Buffer.from([1, 2, 3, 4]));
    await until('it is told', () => bytes.tables.base64_content.get(FILE)?.content === 'AQIDBA==');
    bytes.tables.base64_content.update(FILE, { content: 'nonsense' });
    await bytes.saved();
    await until('it is taken back', () => bytes.tables.base64_content.get(FILE)?.content === 'AQIDBA==');
    await asked(room, { kind: 'rename', name: 'a.bin', to: 'c.bin' });
    await until('its path is told', () => bytes.tables.contents.get(FILE)?.path === `${folder}/c.bin`);
    await rm(onDisk(`${folder}/c.bin`));
    await until('it is told', () => bytes.tables.contents.get(FILE)?.error === 'There is no such file any more.');
    const big = edge.enter((await asked(room, { kind: 'open', name: 'big.bin', format: 'base64' })).room, FILE_TABLES);
    await until('it is told', () => /had by HTTP only/.test(big.tables.contents.get(FILE)?.error ?? ''));
    assert.equal(big.tables.base64_content.get(FILE)?.content, '');
    const text = edge.enter((await asked(room, { kind: 'open', name: 'a.txt' })).room, TEXT_TABLES);
    await until('it is told', () => text.tables.text_content.get(FILE)?.content === 'text');
    text.tables.text_content.update(FILE, { content: 'text, edited' });
    await until('it is saved', async () => (await readFile(onDisk(`${folder}/a.txt`), 'utf8')) === 'text, edited');
  });

  it('F3.9 move a folder in which something is open: what is edited goes where it went', async () => {
    const edge = await Edge.open();
    const folder = await newFolder();
    await mkdir(onDisk(`${folder}/in`));
    await writeFile(onDisk(`${folder}/in/a.txt`), 'one');
    const room = await edge.folderRoom(folder);
    const inner = await edge.folderRoom(`${folder}/in`);
    const text = edge.enter((await asked(inner, { kind: 'open', name: 'a.txt' })).room, TEXT_TABLES);
    await until('it is told', () => text.tables.text_content.get(FILE)?.content === 'one');
    text.tables.text_content.update(FILE, { content: 'one, two' });
    const order = { path: `${folder}/in/a.ipynb`, name: 'a', type: 'notebook', kernel: { id: await jupyter.startKernel() } };
    const { id } = (await jupyter.ask('POST', 'api/sessions', order)) as { id: string };
    await asked(room, { kind: 'rename', name: 'in', to: 'out' });
    assert.equal(((await jupyter.ask('GET', `api/sessions/${id}`)) as { path: string }).path, `${folder}/out/a.ipynb`);
    text.tables.text_content.update(FILE, { content: 'one, two, three' });
    await until('it is saved there', async () => (await readFile(onDisk(`${folder}/out/a.txt`), 'utf8')) === 'one, two, three');
    await until('the folder knows', () => inner.tables.folders.get(FOLDER)?.path === `${folder}/out`);
    await asked(inner, { kind: 'create', type: 'file', name: 'b.txt' });
    assert.deepEqual(await filesIn(`${folder}/out`), ['a.txt', 'b.txt']);
    assert.deepEqual(await filesIn(folder), ['out']);
  });
});
