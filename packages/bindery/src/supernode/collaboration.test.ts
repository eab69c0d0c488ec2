import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { request as ask, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import { parseNotebook, writeNotebook } from '@bindery/rtc/notebook/nbformat.ts';
import type { Cell } from '@bindery/rtc/notebook/notebook.ts';
import { cellsOf, readNotebook, sharedCell, sharedOutput } from '@bindery/rtc/notebook/shared-notebook.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import * as Y from 'yjs';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { LabClient } from '../../../../test/fakes/lab-client.ts';
import { served } from '../../../../test/fakes/served.ts';
import { until } from '../../../../test/fakes/until.ts';
import { makeLog } from '../base/log.ts';
import { RelayRoom } from '../relay/relay-room.ts';
import { Collaboration, isOurs } from './collaboration.ts';
import { kindOf, type Kind } from './kinds.ts';
import { SharedFile } from './shared-file.ts';

let jupyter: JupyterServer;
before(async () => {
  jupyter = await JupyterServer.start();
});
after(() => jupyter[Symbol.asyncDispose]());
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

interface Session {
  readonly format: string;
  readonly type: string;
  readonly fileId: string;
  readonly sessionId: string;
}

/** The documents of the Jupyter server, as the proxy reaches them; `?role=` stands for what the proxy knows. */
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
    const own = folder ?? (await mkdtemp(join(tmpdir(), 'collaboration-')));
    if (folder === undefined) ends.push(() => rm(own, { recursive: true }));
    const collaboration = await Collaboration.open({
      address: jupyter,
      folder: own,
      guestOf: ({ headers }) =>
        headers['x-role'] === undefined ? undefined : { role: headers['x-role'] as Role, path: String(headers['x-path'] ?? '') },
      log: makeLog('silent'),
      saveMs: 20,
      watchMs: 20,
    });
    const { port, close } = await served(collaboration);
    ends.push(close);
    return new Edge(own, port, close);
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    role: Role | '' = 'admin',
    below = '',
  ): Promise<{ status: number; said: unknown }> {
    const sent = ask({
      port: this.port,
      host: '127.0.0.1',
      path: `/base/${path}`,
      method,
      agent: false,
      ...(role ? { headers: { 'x-role': role, 'x-path': below } } : {}),
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve).once('error', reject);
    });
    const said = await textOf(answer);
    return { status: answer.statusCode ?? 0, said: said.startsWith('{') ? (JSON.parse(said) as unknown) : said };
  }

  async session(path: string, what = { format: 'json', type: 'notebook' }): Promise<Session> {
    const { status, said } = await this.ask('PUT', `api/collaboration/session/${encodeURIComponent(path)}`, what);
    assert.ok(status === 200 || status === 201, `${status} ${JSON.stringify(said)}`);
    return said as Session;
  }

  room({ format, type, fileId, sessionId }: Session, role: Role = 'admin', below = ''): LabClient {
    const client = new LabClient(
      `ws://127.0.0.1:${this.port}/base/api/collaboration/room/${format}:${type}:${fileId}?sessionId=${sessionId}`,
      { headers: { 'x-role': role, 'x-path': below } },
    );
    ends.push(() => client.close());
    return client;
  }

  async client(path: string, what?: { format: string; type: string }): Promise<LabClient> {
    const client = this.room(await this.session(path, what));
    await client.synced;
    return client;
  }
}

const file = (name: string): string => join(jupyter.folder, 'root', name);
const TEXT = { format: 'text', type: 'file' };
let count = 0;

const cell = (id: string, source: string) => ({ cell_type: 'code', execution_count: null, id, metadata: {}, outputs: [], source });
const content = (...cells: object[]): string =>
  writeNotebook(parseNotebook(JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { a: 1.5 }, cells })).notebook);

async function notebook(...cells: object[]): Promise<string> {
  const name = `book-${count++}.ipynb`;
  await writeFile(file(name), content(...cells));
  return name;
}

async function text(content: string): Promise<string> {
  const name = `text-${count++}.txt`;
  await writeFile(file(name), content);
  return name;
}

const sourceOf = ({ doc }: LabClient, index = 0): Y.Text => (cellsOf(doc).get(index) as Y.Map<Y.Text>).get('source') as Y.Text;
const sources = ({ doc }: LabClient): string[] => readNotebook(doc).cells.map(({ source }) => source);
const stateOf = ({ doc }: LabClient): Record<string, unknown> => doc.getMap('state').toJSON();
const saved = (name: string): Promise<string> => readFile(file(name), 'utf8');

describe('the documents of a Jupyter server', () => {
  it('A1 opens a notebook, and knows it again', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', '1 + 1'));
    const path = `api/collaboration/session/${name}`;
    const first = await edge.ask('PUT', path, { format: 'json', type: 'notebook' });
    const again = await edge.ask('PUT', path, { format: 'json', type: 'notebook' });
    assert.deepEqual([first.status, again.status], [201, 200]);
    assert.deepEqual(first.said, again.said);
    const client = edge.room(first.said as Session);
    await client.synced;
    assert.deepEqual(sources(client), ['1 + 1']);
    const { path: told, dirty, hash } = stateOf(client);
    assert.deepEqual([told, dirty, String(hash).length], [name, false, 64]);
  });

  it('A1 says what there is not, and what can not be', async () => {
    const edge = await Edge.open();
    const put = async (path: string, body: unknown) => edge.ask('PUT', `api/collaboration/session/${path}`, body);
    assert.equal((await put('none.ipynb', { format: 'json', type: 'notebook' })).status, 404);
    assert.equal((await put(await text(''), { format: 'json', type: 'file' })).status, 400);
    assert.equal((await put(await text(''), 'text')).status, 400);
    assert.equal((await edge.ask('GET', 'api/collaboration/timeline/a.ipynb?format=json&&type=notebook')).status, 501);
    assert.equal((await edge.ask('PUT', 'api/collaboration/fork/json:notebook:a')).status, 501);
    assert.equal((await edge.ask('PUT', 'api/collaboration/session/x', TEXT, '')).status, 403);
    assert.equal((await edge.ask('POST', 'api/collaboration/nothing')).status, 404);
  });

  it('A1 tells the page why a notebook can not be opened', async () => {
    const edge = await Edge.open();
    const name = `old-${count++}.ipynb`;
    await writeFile(file(name), '{"nbformat": 4, "cells": [');
    const client = edge.room(await edge.session(name));
    const { code, reason } = await client.closed;
    assert.equal(code, 1003);
    const said = JSON.parse(reason) as { reason: string; errorReason: string };
    assert.equal(said.reason, 'initialization_error');
    assert.match(said.errorReason, /Unreadable|not valid/i);
    const lost = await notebook();
    const session = await edge.session(lost);
    await rm(file(lost));
    await edge.close();
    const next = await Edge.open(edge.folder);
    assert.equal((await next.room(session).closed).code, 4404);
  });

  it('J2 sends away who knows another history', async () => {
    const edge = await Edge.open();
    const session = await edge.session(await notebook(cell('a', '')));
    const client = edge.room({ ...session, sessionId: 'of another time' });
    const { code, reason } = await client.closed;
    assert.deepEqual([code, JSON.parse(reason)], [1003, { reason: 'unknown_session', sessionId: session.sessionId, reloadable: true }]);
    assert.deepEqual(sources(client), []);
  });

  it('A2 has rooms that are no files', async () => {
    const edge = await Edge.open();
    const options = { headers: { 'x-role': 'admin' } };
    const url = `ws://127.0.0.1:${edge.port}/base/api/collaboration/room/`;
    const [one, other] = [
      new LabClient(`${url}JupyterLab:globalAwareness`, options),
      new LabClient(`${url}JupyterLab:globalAwareness`, options),
    ];
    ends.push(
      () => one.close(),
      () => other.close(),
    );
    await Promise.all([one.synced, other.synced]);
    one.doc.getMap('m').set('a', 1);
    await until('the other has it', () => other.doc.getMap('m').get('a') === 1);
    for (const name of ['json:notebook:no-such-file', 'a:b:c:d', 'a%2Fb']) {
      const client = new LabClient(`${url}${name}`, options);
      assert.ok([4401, 4404].includes((await client.closed).code), name);
    }
  });

  it('D1 shares edits, and saves them', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', 'x = 1'));
    const [one, other] = [await edge.client(name), await edge.client(name)];
    sourceOf(one).insert(5, '0');
    await until('the other sees it', () => sources(other)[0] === 'x = 10');
    await until('it is in the file', async () => (await saved(name)) === content(cell('a', 'x = 10')));
    await until('nothing is unsaved', () => stateOf(other)['dirty'] === false);
  });

  it('D1 saves when it is asked to, and answers', async () => {
    const edge = await Edge.open();
    const name = await text('a');
    const client = await edge.client(name, TEXT);
    client.present({ autosave: false });
    client.doc.getText('source').insert(1, 'b');
    await until('it is unsaved', () => stateOf(client)['dirty'] === true);
    client.save();
    await until('the answer', () => client.saves.length === 1);
    assert.deepEqual(client.saves, ['success']);
    assert.equal(await saved(name), 'ab');
  });

  it('D2 brings in what others write to the file, and keeps what was edited', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', 'one'), cell('b', 'two'));
    const client = await edge.client(name);
    sourceOf(client, 0).insert(0, 'mine ');
    await writeFile(file(name), content(cell('a', 'one'), cell('b', 'two of theirs'), cell('c', 'new')));
    await until('both are there', () => sources(client).join() === 'mine one,two of theirs,new');
    await until(
      'both are saved',
      async () => (await saved(name)) === content(cell('a', 'mine one'), cell('b', 'two of theirs'), cell('c', 'new')),
    );
  });

  it('D2, M6 keeps what somebody writes into a cell while its file moves it', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', 'one'), cell('b', 'two'));
    const client = await edge.client(name);
    const [before, late] = [Y.encodeStateVector(client.doc), new Y.Doc()];
    Y.applyUpdate(late, Y.encodeStateAsUpdate(client.doc));
    ((cellsOf(late).get(0) as Y.Map<unknown>).get('source') as Y.Text).insert(3, ' and a half');
    ((cellsOf(late).get(1) as Y.Map<unknown>).get('source') as Y.Text).insert(3, ' and a half');
    await writeFile(file(name), content(cell('b', 'two'), cell('a', 'one')));
    await until('it is moved', () => sources(client).join() === 'two,one');
    // What was on its way, as it was said.
    client.doc.emit('update', [Y.encodeStateAsUpdate(late, before), undefined, late, undefined as never]);
    await until('all is there', () => sources(client).join() === 'two and a half,one and a half');
  });

  it('D2 keeps a version of a text that can not be merged beside it', async () => {
    const edge = await Edge.open();
    const name = await text('the line\n');
    const client = await edge.client(name, TEXT);
    client.present({ autosave: false });
    client.doc.getText('source').insert(4, 'edited ');
    await until('it is known', () => stateOf(client)['dirty'] === true);
    await writeFile(file(name), 'the written line\n');
    await until('there is a copy', async () =>
      (await readdir(jupyter.folder + '/root')).some((each) => each.includes(`${name.slice(0, -4)}.conflict-`)),
    );
    assert.equal(client.doc.getText('source').toJSON(), 'the edited line\n');
    const copy = (await readdir(jupyter.folder + '/root')).find((each) => each.includes(`${name.slice(0, -4)}.conflict-`));
    // The server writes in place: who reads at that moment finds half a file.
    await until('it is whole', async () => (await saved(copy ?? '')) === 'the written line\n');
  });

  it('D3 does nothing when a file is only touched', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', 'one'));
    const client = await edge.client(name);
    let updates = 0;
    client.doc.on('update', () => updates++);
    const before = (await stat(file(name))).ino;
    const later = new Date(Date.now() + 5000);
    await utimes(file(name), later, later);
    const marker = await text('m');
    const other = await edge.client(marker, TEXT);
    await writeFile(file(marker), 'changed');
    await until('a later change was seen', () => other.doc.getText('source').toJSON() === 'changed');
    assert.equal(updates, 0);
    assert.equal((await stat(file(name))).ino, before);
  });

  it('D4 does not make a deleted file again by itself, but does when asked', async () => {
    const edge = await Edge.open();
    const name = await text('kept');
    const client = await edge.client(name, TEXT);
    assert.equal((await edge.ask('DELETE', `api/contents/${name}`)).status, 204);
    client.doc.getText('source').insert(0, 'still ');
    await until('it is unsaved', () => stateOf(client)['dirty'] === true);
    const marker = await text('m');
    const other = await edge.client(marker, TEXT);
    other.doc.getText('source').insert(0, 'x');
    await until('a later edit was saved', async () => (await saved(marker)) === 'xm');
    await assert.rejects(saved(name), /ENOENT/);
    client.save();
    await until('it is saved', () => client.saves.at(-1) === 'success');
    assert.equal(await saved(name), 'still kept');
  });

  it('I1 follows a file that is renamed, and a folder', async () => {
    const edge = await Edge.open();
    const name = await text('a');
    const client = await edge.client(name, TEXT);
    client.doc.getText('source').insert(0, 'unsaved ');
    const { status, said } = await edge.ask('PATCH', `api/contents/${name}`, { path: `moved-${name}` });
    assert.deepEqual([status, (said as { path: string }).path], [200, `moved-${name}`]);
    await until('its path is told', () => stateOf(client)['path'] === `moved-${name}`);
    client.doc.getText('source').insert(0, 'and ');
    await until('it is saved there', async () => (await saved(`moved-${name}`)) === 'and unsaved a');
    await assert.rejects(saved(name), /ENOENT/);
    const folder = `folder-${count++}`;
    await edge.ask('PATCH', `api/contents/moved-${name}`, { path: `gone-${name}` });
    await jupyter.ask('PUT', `api/contents/${folder}`, { type: 'directory' });
    await jupyter.ask('PUT', `api/contents/${folder}/in.txt`, { type: 'file', format: 'text', content: 'in' });
    const inside = await edge.client(`${folder}/in.txt`, TEXT);
    await edge.ask('PATCH', `api/contents/${folder}`, { path: `${folder}-2` });
    await until('its path is told', () => stateOf(inside)['path'] === `${folder}-2/in.txt`);
    assert.equal((await edge.session(`${folder}-2/in.txt`, TEXT)).fileId, (await edge.session(`${folder}-2/in.txt`, TEXT)).fileId);
    const refused = await edge.ask('PATCH', `api/contents/gone-${name}`, { path: `${folder}-2/in.txt` });
    assert.equal(refused.status, 409);
  });

  it('A4 lets only those rename and delete who may run code', async () => {
    const edge = await Edge.open();
    const name = await text('a');
    for (const role of ['read', 'edit'] as const) {
      assert.equal((await edge.ask('DELETE', `api/contents/${name}`, undefined, role)).status, 403);
      assert.equal((await edge.ask('PATCH', `api/contents/${name}`, { path: 'b' }, role)).status, 403);
    }
    assert.equal(await saved(name), 'a');
  });

  it('A7 tells nobody of a change of others whose document has it', async () => {
    const edge = await Edge.open();
    const name = await notebook(cell('a', ''));
    const check = `api/contents/${name}?type=notebook&content=0&hash=1`;
    const before = (await edge.ask('GET', check)).said as { hash: string; path: string; last_modified: string };
    assert.match(before.hash, /^[0-9a-f]{64}$/);
    await edge.client(name);
    const open = (await edge.ask('GET', check)).said as { hash: null; path: string; last_modified: string };
    assert.deepEqual([open.path, open.hash, Date.parse(open.last_modified)], [before.path, null, 0]);
    assert.equal((await edge.ask('GET', 'api/contents/none.ipynb?content=0&hash=1')).status, 404);
  });

  it('A6 shows those who may not run code what is shared with them, and nothing else', async () => {
    const edge = await Edge.open();
    const [shared, other] = [await notebook(cell('a', 'one')), await notebook(cell('a', 'secret'))];
    const put = async (path: string, role: Role) =>
      (await edge.ask('PUT', `api/collaboration/session/${path}`, { format: 'json', type: 'notebook' }, role, shared)).status;
    const session = await edge.session(other);
    for (const role of ['read', 'edit'] as const) {
      assert.ok([200, 201].includes(await put(shared, role)), role);
      assert.equal(await put(other, role), 403, role);
      assert.equal((await edge.ask('GET', `api/contents/${other}?content=0&hash=1`, undefined, role, shared)).status, 403);
      assert.equal((await edge.room(session, role, shared).closed).code, 4401);
      const everybody = edge.room({ ...session, format: 'JupyterLab', type: 'globalAwareness' }, role, shared);
      assert.equal((await everybody.closed).code, 4401);
    }
    const own = await edge.session(shared);
    const [reader, editor, owner] = [edge.room(own, 'read', shared), edge.room(own, 'edit', shared), edge.room(own)];
    await Promise.all([reader.synced, editor.synced, owner.synced]);
    sourceOf(reader).insert(0, 'not ');
    sourceOf(editor).insert(3, ' two');
    await until('the edit is there', () => sources(owner)[0] === 'one two');
    await until('and saved', async () => (await saved(shared)) === content(cell('a', 'one two')));
  });

  it('D7 what an editor writes into a cell is not trusted to run', async () => {
    const edge = await Edge.open();
    const session = await edge.session(await notebook(cell('a', 'one'), cell('b', 'two')));
    const [editor, owner] = [edge.room(session, 'edit'), edge.room(session)];
    await Promise.all([editor.synced, owner.synced]);
    const trusted = ({ doc }: LabClient): unknown[] => readNotebook(doc).cells.map(({ metadata }) => metadata['trusted']);
    const metadata = ({ doc }: LabClient, index: number) =>
      (cellsOf(doc).get(index) as Y.Map<Y.Map<unknown>>).get('metadata') as Y.Map<unknown>;
    for (const index of [0, 1]) metadata(owner, index).set('trusted', true);
    await until('both are trusted', () => trusted(editor).join() === 'true,true');
    const html = sharedOutput({ output_type: 'display_data', metadata: {}, data: { 'text/html': '<script>alert(1)</script>' } });
    ((cellsOf(editor.doc).get(0) as Y.Map<unknown>).get('outputs') as Y.Array<unknown>).push([html]);
    await until('one is not', () => trusted(owner).join() === 'false,true');
    sourceOf(editor, 1).insert(0, 'edited ');
    metadata(editor, 0).set('trusted', true);
    await until('the edit is there', () => sources(owner)[1] === 'edited two');
    await until('it is still not', () => trusted(owner).join() === 'false,true' && trusted(editor).join() === 'false,true');
    cellsOf(editor.doc).insert(2, [sharedCell({ ...(readNotebook(editor.doc).cells[1] as Cell), id: 'c', metadata: { trusted: true } })]);
    await until('nor is a new one', () => trusted(owner).join() === 'false,true,false');
  });

  it('D5 goes on after a restart where it was, with what was not saved', async () => {
    const first = await Edge.open();
    const name = await notebook(cell('a', 'one'), cell('b', 'two'));
    const client = await first.client(name);
    client.present({ autosave: false });
    sourceOf(client, 0).insert(3, ' edited');
    await until('it is unsaved', () => stateOf(client)['dirty'] === true);
    const session = await first.session(name);
    await first.close();
    await client.closed;
    assert.equal(await saved(name), content(cell('a', 'one'), cell('b', 'two')));
    await writeFile(file(name), content(cell('a', 'one'), cell('b', 'two, written meanwhile')));
    const next = await Edge.open(first.folder);
    assert.deepEqual(await next.session(name), session);
    const back = next.room(session);
    await back.synced;
    assert.deepEqual(sources(back), ['one edited', 'two, written meanwhile']);
  });

  it('D5 does not take its own last write for that of another', async () => {
    const first = await Edge.open();
    const name = await text('a\n');
    const client = await first.client(name, TEXT);
    client.doc.getText('source').insert(0, 'b');
    await until('it is saved', async () => (await saved(name)) === 'ba\n');
    client.doc.getText('source').insert(0, 'c');
    await until('it is saved', async () => (await saved(name)) === 'cba\n');
    await first.close();
    // As a crash leaves it between the write to the file and the word of it.
    const [base = ''] = await readdir(join(first.folder, 'bases'));
    await writeFile(join(first.folder, 'bases', base), JSON.stringify({ base: 'a\n', next: 'cba\n' }));
    const next = await Edge.open(first.folder);
    const back = await next.client(name, TEXT);
    assert.equal(back.doc.getText('source').toJSON(), 'cba\n');
    assert.deepEqual(
      (await readdir(join(jupyter.folder, 'root'))).filter((each) => each.includes(`${name.slice(0, -4)}.conflict`)),
      [],
    );
  });

  it('D5 knows its own write also when the server does it late, after the crash', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shared-file-'));
    const name = await text('a\n');
    const room = await RelayRoom.open(join(folder, 'room'));
    const baseFile = join(folder, 'base');
    await room.edit(() => room.doc.getText('source').insert(0, 'cba\n'));
    await writeFile(baseFile, JSON.stringify({ base: 'a\n', next: 'ba\n' }));
    const steady = async <T>(work: () => Promise<T>): Promise<T> => work();
    const kind = kindOf('text', 'file') as Kind;
    const shared = await SharedFile.open({
      room,
      server: jupyter.api,
      kind,
      path: name,
      baseFile,
      steady,
      log: makeLog('silent'),
      saveMs: 60_000,
      watchMs: 10,
    });
    ends.push(async () => {
      await room.close();
      await rm(folder, { recursive: true });
    });
    await writeFile(file(name), 'ba\n');
    const isSeen = async (): Promise<boolean> => (JSON.parse(await readFile(baseFile, 'utf8')) as { base: string }).base === 'ba\n';
    await until('it has seen the file', isSeen);
    assert.equal(await shared.save(), 'success');
    await shared.leave();
    assert.equal(await saved(name), 'cba\n');
    const beside = (await readdir(join(jupyter.folder, 'root'))).filter((each) => each.startsWith(`${name.slice(0, -4)}.conflict`));
    assert.deepEqual(beside, []);
  });

  it('D6 says that it could not save, and saves as soon as it can', async () => {
    const edge = await Edge.open();
    const name = await text('a');
    const client = await edge.client(name, TEXT);
    await rename(file(name), file(`${name}.away`));
    await jupyter.ask('PUT', `api/contents/${name}`, { type: 'directory' });
    client.doc.getText('source').insert(0, 'b');
    client.save();
    await until('it is refused', () => client.saves.at(-1) === 'failed');
    assert.equal(typeof stateOf(client)['error'], 'string');
    await rm(file(name), { recursive: true });
    await rename(file(`${name}.away`), file(name));
    await until('it is saved', async () => (await saved(name)) === 'ba');
    await until('it is said', () => stateOf(client)['dirty'] === false);
  });

  it('A5 takes of a server what is its own, and nothing else', () => {
    const ours = [
      ['PUT', 'api/collaboration/session/a'],
      ['GET', 'api/collaboration/room/json:notebook:a'],
      ['POST', 'api/kernels/1-2/execute'],
      ['POST', 'graphql'],
      ['GET', 'graphql', 'query={__typename}'],
      ['PATCH', 'api/contents/a/b.txt'],
      ['DELETE', 'api/contents/a'],
      ['GET', 'api/contents/a', 'type=file&content=0&hash=1'],
    ] as const;
    const theirs = [
      ['GET', 'api/contents/a', 'content=0'],
      ['GET', 'api/contents/a', 'content=1&hash=1'],
      ['PUT', 'api/contents/a'],
      ['DELETE', 'api/contents/a/checkpoints/1'],
      ['POST', 'api/kernels/1/interrupt'],
      ['GET', 'lab/tree/api/collaboration/'],
      ['DELETE', 'api/kernels/1'],
      ['POST', 'graphql/a'],
      ['GET', 'files/graphql'],
    ] as const;
    for (const [method, tail, query = ''] of ours) assert.equal(isOurs(method, tail, query), true, tail);
    for (const [method, tail, query = ''] of theirs) assert.equal(isOurs(method, tail, query), false, tail);
  });
});

describe('cells that the hub runs', () => {
  it('A8 X2.9 X2.10 a saved notebook holds whole what is too big for its document', async () => {
    const edge = await Edge.open();
    const source =
      // No more than the Jupyter server lets through at once.
      'for line in range(26): print(("x" * 99 + "\\n") * 1000, end="")\nfrom IPython.display import display\ndisplay({"text/html": "<b>" + "x" * 2_000_000}, raw=True)';
    const name = await notebook(cell('big', source));
    const session = await edge.session(name);
    const client = edge.room(session);
    await client.synced;
    const kernel = await jupyter.startKernel();
    const document_id = `${session.format}:${session.type}:${session.fileId}`;
    const { status } = await edge.ask('POST', `api/kernels/${kernel}/execute`, { document_id, cell_id: 'big' });
    assert.equal(status, 200);
    const outputs = () => readNotebook(client.doc).cells[0]?.outputs ?? [];
    await until('both are shown', () => JSON.stringify(outputs()).includes('api/bindery/blobs/') && outputs().length === 2);
    assert.ok(JSON.stringify(outputs()).length < 300_000);
    // Half of a file, as the Jupyter server writes it, is none.
    const saved = async () =>
      readFile(file(name), 'utf8').then(
        (all) => (all.endsWith('}\n') ? (parseNotebook(all).notebook.cells[0]?.outputs ?? []) : []),
        () => [],
      );
    const text = `${'x'.repeat(99)}\n`.repeat(26_000);
    await until('all of both is saved', async () => (await saved())[0]?.['text'] === text && (await saved()).length === 2);
    assert.deepEqual((await saved())[1], {
      output_type: 'display_data',
      data: { 'text/html': `<b>${'x'.repeat(2_000_000)}` },
      metadata: {},
    });
    // What the file says is not taken for an edit of others: the document has looked at it, and has nothing to save.
    const digest = createHash('sha256')
      .update(await readFile(file(name)))
      .digest('hex');
    const state = client.doc.getMap('state');
    await until('the file was looked at', () => state.get('hash') === digest && state.get('dirty') === false);
    assert.ok(JSON.stringify(outputs()).length < 300_000);
  });
});
