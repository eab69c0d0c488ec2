import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FOLDER, FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import { openTables } from '@bindery/rtc/tables/table.ts';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { until } from '../../../../test/fakes/until.ts';
import { JupyterError, type FileModel } from './jupyter-server.ts';
import { SharedFolder } from './shared-folder.ts';

/** A server with one folder, which says what it is told to. */
class Server {
  names: string[] = [];
  fails: Error | undefined;
  listed = 0;
  /** Milliseconds that listing takes. */
  slow = 0;

  async json(): Promise<unknown> {
    this.listed += 1;
    const { names } = this;
    if (this.slow > 0) await new Promise((resolve) => setTimeout(resolve, this.slow));
    if (this.fails) throw this.fails;
    const content = names.map((name) => ({ name, path: `work/${name}`, type: 'file', last_modified: '2026', size: 1, writable: true }));
    return { type: 'directory', last_modified: names.length.toString(), content };
  }

  async stat(path: string): Promise<FileModel> {
    return {
      path,
      type: 'directory',
      lastModified: this.names.length.toString(),
      size: null,
      hash: undefined,
      writable: true,
      content: null,
    };
  }
}

async function opened(server: Server, isWatched = () => false, doc = new Y.Doc()) {
  const shared = { doc, edit: async (body: () => void) => doc.transact(body, 'server') };
  const folder = await SharedFolder.open({ shared, server, path: 'work', idOf: () => undefined, isWatched, watchMs: 5 });
  const tables = openTables(doc, FOLDER_TABLES, (body) => doc.transact(body, 'execute'));
  return { doc, folder, tables, told: () => tables.folders.get(FOLDER)?.content ?? [] };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `f${String(index).padStart(5, '0')}`);

describe('the document of a folder', () => {
  it('F1.3 holds ten thousand files, and changes by what changed', async () => {
    const server = new Server();
    server.names = numbered(10_000);
    const { doc, folder, tables, told } = await opened(server);
    assert.deepEqual(told(), server.names);
    let bytes = 0;
    doc.on('update', (update: Uint8Array) => (bytes += update.length));
    await folder.look();
    assert.equal(bytes, 0);
    server.names[500] = 'f00500.bin';
    await folder.look();
    assert.deepEqual([told().length, told()[500]], [10_000, 'f00500.bin']);
    assert.equal(tables.contents.get('f00500'), undefined);
    assert.ok(bytes < 500, String(bytes));
    server.names = numbered(20_001);
    await folder.look();
    assert.deepEqual([told().length, tables.folders.get(FOLDER)?.more], [20_000, 1]);
    folder.close();
  });

  it('F1.3 says what the server says, whatever came and went', async () => {
    const server = new Server();
    const { folder, tables, told } = await opened(server);
    const some = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'é', '😀', '__proto__', 'constructor', '.x'));
    await fc.assert(
      fc.asyncProperty(some, async (now) => {
        server.names = now;
        await folder.look();
        const sorted = now.toSorted((a, b) => (a < b ? -1 : 1));
        assert.deepEqual(told(), sorted);
        assert.deepEqual(
          tables.contents.ids.get().toSorted((a, b) => (a < b ? -1 : 1)),
          sorted,
        );
      }),
    );
    folder.close();
  });

  it('F1.2 is looked at while somebody looks at it, and rests as listing takes longer', async () => {
    const server = new Server();
    let isWatched = false;
    let thoughtOf = 0;
    const { folder, told } = await opened(server, () => {
      thoughtOf += 1;
      return isWatched;
    });
    server.names = ['a'];
    await until('it was thought of', () => thoughtOf > 3);
    assert.deepEqual([server.listed, told()], [1, []]);
    isWatched = true;
    await until('it is told', () => told().length === 1);
    server.slow = 40;
    const before = server.listed;
    await folder.look();
    await folder.look();
    const begun = performance.now();
    await until('it was looked at again', () => server.listed >= before + 4);
    // Nothing changed: nine times as long as it took.
    assert.ok(performance.now() - begun > 300);
    server.names = ['a', 'b'];
    const changed = performance.now();
    await until('what came is told', () => told().length === 2);
    assert.ok(performance.now() - changed < 300);
    folder.close();
  });

  it('F1.4 says why it can not be read, and what it said last', async () => {
    const server = new Server();
    server.names = ['a', 'lone \ud800'];
    const { folder, tables, told } = await opened(server);
    const error = (): string => tables.folders.get(FOLDER)?.error ?? '';
    server.fails = new JupyterError(500, 'Permission denied: work');
    await folder.look();
    assert.deepEqual([error(), told(), tables.folders.get(FOLDER)?.more], ['Permission denied: work', ['a'], 1]);
    server.fails = new JupyterError(404, 'No such directory');
    await folder.look();
    assert.deepEqual([error(), told()], ['There is no such folder any more.', []]);
    server.fails = undefined;
    await folder.look();
    assert.deepEqual([error(), told()], ['', ['a']]);
    folder.close();
    server.fails = new JupyterError(403, 'Forbidden');
    await assert.rejects(opened(server), /Forbidden/);
  });
});
