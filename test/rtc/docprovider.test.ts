import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { Collaboration, isOurs } from '../../packages/bindery/src/supernode/collaboration.ts';
import { asked } from '../fakes/docprovider/dialogs.ts';
import {
  publishedDocprovider,
  type ContentProvider,
  type Docprovider,
  type SharedModel,
  type SharedNotebook,
} from '../fakes/docprovider/published.ts';
import { JupyterServer } from '../fakes/jupyter-server.ts';
import { until } from '../fakes/until.ts';

let jupyter: JupyterServer;
let published: Docprovider;
before(async () => void ([jupyter, published] = await Promise.all([JupyterServer.start(), publishedDocprovider()])));
after(() => jupyter[Symbol.asyncDispose]());
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const onDisk = (name: string): string => join(jupyter.folder, 'root', name);
const NOTEBOOK = { format: 'json', contentType: 'notebook' };
const TEXT = { format: 'text', contentType: 'file' };

/** A session as JupyterLab sees it: its Jupyter server, and beside it who keeps its documents, and may be away. */
class Session {
  readonly folder: string;
  port = 0;
  #collaboration: Collaboration | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Session> {
    const folder = await mkdtemp(join(tmpdir(), 'docprovider-'));
    const session = new Session(folder);
    const server = createServer((incoming, response) => session.#answer(incoming, response));
    server.on('upgrade', (incoming, socket, head) => {
      if (session.#collaboration) session.#collaboration.upgrade(incoming, socket, head);
      else socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    session.port = (server.address() as AddressInfo).port;
    ends.push(async () => {
      await session.end();
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true });
    });
    await session.begin();
    return session;
  }

  async begin(): Promise<void> {
    this.#collaboration = await Collaboration.open({
      address: jupyter,
      folder: this.folder,
      guestOf: ({ headers, url = '' }) =>
        headers.authorization === 'token secret' || /[?&]token=secret(?:&|$)/.test(url) ? { role: 'execute', path: '' } : undefined,
      log: makeLog('silent'),
      saveMs: 50,
      watchMs: 50,
    });
  }

  async end(): Promise<void> {
    const collaboration = this.#collaboration;
    this.#collaboration = undefined;
    await collaboration?.close();
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url = '' } = incoming;
    const [path = '', query = ''] = url.slice('/base/'.length).split('?');
    if (isOurs(method, path, query)) {
      if (this.#collaboration) void this.#collaboration.handle(incoming, response);
      else response.writeHead(503).end('{}');
      return;
    }
    const headers = { ...incoming.headers, authorization: `token ${jupyter.token}` };
    const onward = ask({ socketPath: jupyter.socketPath, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(onward);
  }

  /** JupyterLab in a browser of its own, as far as documents go. */
  browser(name: string): Browser {
    return new Browser(this.port, name);
  }
}

class Browser {
  readonly contents: ContentProvider;
  readonly drive: InstanceType<Docprovider['Drive']>;
  readonly settings: object;
  readonly user: object;
  /** Paths of which it was told that they were saved or renamed. */
  readonly told: string[] = [];

  constructor(port: number, name: string) {
    const base = `127.0.0.1:${port}/base/`;
    const { makeSettings, Drive, RtcContentProvider, WebSocketProvider, YNotebook, YFile, Signal } = published;
    this.settings = makeSettings({ baseUrl: `http://${base}`, wsUrl: `ws://${base}`, token: 'secret', appendToken: true, WebSocket });
    this.drive = new Drive({ serverSettings: this.settings });
    this.user = { ready: Promise.resolve(), identity: { username: name, name }, userChanged: new Signal({}) };
    const create = (options: Record<string, unknown>): object => new WebSocketProvider({ ...options, serverSettings: this.settings });
    this.contents = new RtcContentProvider({
      user: this.user,
      trans: { __: (text: string) => text },
      globalAwareness: null,
      serverSettings: this.settings,
      currentDrive: { get: async (path: string, asked: object) => this.#get(path, asked) },
      providerFactory: { create },
    });
    this.contents.sharedModelFactory.registerDocumentFactory('notebook', () => new YNotebook());
    this.contents.sharedModelFactory.registerDocumentFactory('file', () => new YFile());
    this.contents.fileChanged.connect((_sender, { type, newValue }) => this.told.push(`${type} ${newValue.path}`));
  }

  /** What a listener of its own asks for, nobody waits for: where a page would write a failure into its console, there is none. */
  async #get(path: string, asked: object): Promise<unknown> {
    const answer = this.drive.get(path, asked);
    return 'type' in asked ? answer : answer.catch(async () => new Promise(() => undefined));
  }

  async open<M extends SharedModel>(path: string, kind: { format: string; contentType: string }): Promise<M> {
    const model = this.contents.sharedModelFactory.createNew({ path, ...kind, collaborative: true });
    ends.push(() => model.dispose());
    await this.contents.get(path, { format: kind.format, type: kind.contentType });
    return model as M;
  }

  notebook(path: string): Promise<SharedNotebook> {
    return this.open(path, NOTEBOOK);
  }

  text(path: string): Promise<SharedModel & { source: string }> {
    return this.open(path, TEXT);
  }
}

let count = 0;
async function notebook(...sources: string[]): Promise<string> {
  const name = `book-${count++}.ipynb`;
  const cells = sources.map((source, index) => ({
    cell_type: 'code',
    id: `c${index}`,
    metadata: {},
    outputs: [],
    execution_count: null,
    source,
  }));
  await writeFile(onDisk(name), JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
  return name;
}
const sources = ({ cells }: SharedNotebook): string[] => cells.map(({ source }) => source);
interface Saved {
  readonly cells: readonly { readonly source: string[]; readonly outputs: readonly { readonly text?: string[] }[] }[];
}
/** What a file says; nothing while it is being written. */
async function saved(name: string): Promise<Saved> {
  const text = await readFile(onDisk(name), 'utf8');
  try {
    return JSON.parse(text) as Saved;
  } catch {
    return { cells: [] };
  }
}

describe('@jupyter/docprovider as it is published', () => {
  it('A2, D1 edits with another, and shows cursors', async () => {
    const session = await Session.open();
    const name = await notebook('1');
    const [ada, bob] = await Promise.all([session.browser('ada').notebook(name), session.browser('bob').notebook(name)]);
    assert.deepEqual(sources(bob), ['1']);
    ada.cells[0]?.setSource('1 + 1');
    bob.addCell({ cell_type: 'markdown', source: '# From Bob' });
    for (const model of [ada, bob]) await until('both have it', () => sources(model).join('|') === '1 + 1|# From Bob');
    ada.awareness.setLocalStateField('cursors', [{ anchor: 1, head: 2 }]);
    const seen = (): Record<string, unknown> | undefined =>
      [...bob.awareness.getStates().values()].find(({ user }) => (user as { name?: string } | undefined)?.name === 'ada');
    await until('her cursor is seen', () => seen()?.['cursors'] !== undefined);
    assert.equal(ada.getState('path'), name);
    ada.dispose();
    await until('she is gone', () => seen() === undefined);
  });

  it('A2 knows who is where', async () => {
    const session = await Session.open();
    const url = `ws://127.0.0.1:${session.port}/base/api/collaboration/room`;
    const [ada, bob] = ['ada', 'bob'].map((name) => {
      const file = new published.YFile();
      ends.push(() => file.dispose());
      const { awareness } = file;
      const { user } = session.browser(name);
      // As the extension has it: no token but the cookie, which is in the address here.
      const room = new published.WebSocketAwarenessProvider({ url, roomID: 'JupyterLab:globalAwareness?token=secret', awareness, user });
      ends.push(() => room.dispose());
      return awareness;
    });
    ada?.setLocalStateField('documents', ['a.ipynb']);
    await until('Bob sees it', () => [...(bob?.getStates().values() ?? [])].some(({ documents }) => Array.isArray(documents)));
  });

  it('A8 runs cells on the server, whose outputs all see and the file has', async () => {
    const session = await Session.open();
    const name = await notebook('print(6 * 7)');
    const [ada, bob] = [session.browser('ada'), session.browser('bob')];
    const [mine, his] = [await ada.notebook(name), await bob.notebook(name)];
    const executor = new published.NotebookCellServerExecutor({ serverSettings: ada.settings });
    const ends: boolean[] = [];
    const sessionContext = { session: { path: name, kernel: { id: await jupyter.startKernel() } } };
    await executor.runCell({
      cell: { model: { type: 'code', sharedModel: mine.cells[0] } },
      notebook: { sharedModel: mine },
      sessionContext,
      onCellExecutionScheduled: () => undefined,
      onCellExecuted: ({ success }: { success: boolean }) => ends.push(success),
    });
    assert.deepEqual(ends, [true]);
    await until('Bob sees it', () => JSON.stringify(his.cells[0]?.toJSON().outputs).includes('42'));
    await until('the file has it', async () => (await saved(name)).cells[0]?.outputs[0]?.text?.join('') === '42\n');
  });

  it('D1, J1 saves when it is asked to, and hears of it when others do', async () => {
    const session = await Session.open();
    const name = await notebook('1');
    const [ada, bob] = [session.browser('ada'), session.browser('bob')];
    const [mine] = [await ada.notebook(name), await bob.notebook(name)];
    mine.cells[0]?.setSource('saved = True');
    assert.equal((await ada.contents.save(name, { format: 'json', type: 'notebook' })).path, name);
    assert.deepEqual((await saved(name)).cells[0]?.source, ['saved = True']);
    await until('Bob hears of it', () => bob.told.includes(`save ${name}`));
    assert.equal(mine.getState('dirty'), false);
  });

  it('D5 comes again when the server is back, with what was written meanwhile on both sides', { timeout: 120_000 }, async () => {
    const session = await Session.open();
    const name = await notebook('1', '2');
    const [ada, bob] = [await session.browser('ada').notebook(name), await session.browser('bob').notebook(name)];
    await session.end();
    ada.cells[0]?.setSource('1, offline');
    bob.addCell({ cell_type: 'code', source: '3, offline' });
    await session.begin();
    for (const model of [ada, bob]) await until('both have it', () => sources(model).join('|') === '1, offline|2|3, offline');
    await until('the file has it', async () => (await saved(name)).cells.length === 3);
    assert.deepEqual(asked, []);
  });

  it('A4, I1 goes with a file that is renamed', async () => {
    const session = await Session.open();
    const name = await notebook('1');
    const [ada, bob] = [session.browser('ada'), session.browser('bob')];
    const [mine, his] = [await ada.notebook(name), await bob.notebook(name)];
    const renamed = `renamed-${name}`;
    await ada.drive.rename(name, renamed);
    await until('both know', () => mine.getState('path') === renamed && his.getState('path') === renamed);
    assert.deepEqual([...bob.contents.providers.keys()], [`json:notebook:${renamed}`]);
    assert.ok(bob.told.includes(`rename ${renamed}`));
    his.cells[0]?.setSource('after');
    await bob.contents.save(renamed, { format: 'json', type: 'notebook' });
    assert.deepEqual((await saved(renamed)).cells[0]?.source, ['after']);
    await until('Ada has it', () => sources(mine).join() === 'after');
    await assert.rejects(readFile(onDisk(name)), /ENOENT/);
  });

  it('D2 keeps what both wrote, where the file was changed on the disk', async () => {
    const session = await Session.open();
    const name = `text-${count++}.txt`;
    await writeFile(onDisk(name), 'one\ntwo\nthree\n');
    const ada = session.browser('ada');
    const mine = await ada.text(name);
    await writeFile(onDisk(name), 'one\ntwo\nthree, on the disk\n');
    mine.source = 'one, here\ntwo\nthree\n';
    await ada.contents.save(name, { format: 'text', type: 'file' });
    await until('both stand there', () => mine.source === 'one, here\ntwo\nthree, on the disk\n');
    await until('the file too', async () => (await readFile(onDisk(name), 'utf8')) === 'one, here\ntwo\nthree, on the disk\n');
    assert.deepEqual(asked, []);
  });

  it('A1, J2 is told why, of a file that there is not, and of a document that was replaced', async () => {
    const session = await Session.open();
    const ada = session.browser('ada');
    await assert.rejects(ada.notebook('none.ipynb'), /404/);
    const name = await notebook('1');
    const mine = await ada.notebook(name);
    await session.end();
    // Another history under the same name: nothing is merged.
    await rm(join(session.folder, 'rooms'), { recursive: true });
    asked.length = 0;
    await session.begin();
    await until('it is told', () => asked.length > 0);
    assert.equal(asked[0]?.title, 'Session expired');
    await until('it lets go', () => mine.isDisposed);
    assert.deepEqual((await saved(name)).cells.length, 1);
    asked.length = 0;
  });
});
