import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { json as jsonOf } from 'node:stream/consumers';
import { parseNotebook } from '@bindery/rtc/notebook/nbformat.ts';
import { fillNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';
import { connect } from '@bindery/rtc/room/connect.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import type { Role } from '@bindery/wire/roles.ts';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { OWN } from '../../packages/bindery/src/relay/dialect.ts';
import { Relay } from '../../packages/bindery/src/relay/relay.ts';

const DIST = join(import.meta.dirname, '../../packages/web/dist');
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const STRICT =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What a cell shows when it runs, by its code; `input` asks. */
export type Answers = Readonly<Record<string, { readonly outputs?: readonly JsonObject[]; readonly ask?: string }>>;

/**
 * Stands for a session with one notebook: the page at `/<role>/-/notebook`, the little of the Jupyter server that it asks, the room, and whoever runs
 * its cells. Everybody is in the same room, in the role that their address says.
 */
export class NotebookHost {
  readonly room: Room<typeof NOTEBOOK_TABLES>;
  readonly #server: Server;
  readonly #relay: Relay;
  readonly #folder: string;

  private constructor(server: Server, relay: Relay, folder: string, room: Room<typeof NOTEBOOK_TABLES>) {
    this.#server = server;
    this.#relay = relay;
    this.#folder = folder;
    this.room = room;
  }

  /** @param policy of the page, where it is not the strict one that it is made for */
  static async start(notebook: object, answers: Answers = {}, policy = STRICT): Promise<NotebookHost> {
    const folder = await mkdtemp(join(tmpdir(), 'notebook-host-'));
    const relay = new Relay({
      folder,
      admit: async ({ url = '' }) => ({ room: 'notebook', role: url.split('/')[1] as Role, user: {}, dialect: OWN }),
    });
    const body = async (request: IncomingMessage): Promise<Record<string, string>> => (await jsonOf(request)) as Record<string, string>;
    const server = createServer((request, response) => {
      const path = (request.url ?? '').replace(/\?.*/s, '').replace(/^\/\w+\//, '');
      const json = (value: unknown): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
      if (path === 'api/collaboration/session/work/a.ipynb') json({ fileId: 'id', sessionId: 'lineage', format: 'json', type: 'notebook' });
      else if (path === 'api/sessions') json([{ path: 'work/a.ipynb', kernel: { id: 'kernel' } }]);
      else if (path === 'api/kernels/kernel/execute') void body(request).then((asked) => json({ execution: host.#ask(asked) }));
      else if (path.startsWith('api/bindery/stdin/'))
        void body(request).then(({ value }) =>
          json(host.room.tables.stdin.update(path.split('/').at(-1) ?? '', { answer: value ?? '' }) ?? {}),
        );
      else if (path.startsWith('-/')) {
        const file = path === '-/notebook' ? 'notebook.html' : path.slice(2);
        readFile(join(DIST, file)).then(
          (bytes) => {
            response
              .setHeader('content-type', TYPES[extname(file)] ?? 'text/html; charset=utf-8')
              .setHeader('content-security-policy', policy);
            response.end(bytes);
          },
          () => response.writeHead(404).end(),
        );
      } else response.writeHead(404).end('{"message":"There is no such notebook."}');
    });
    server.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    const url = `ws://localhost:${(server.address() as AddressInfo).port}/admin/`;
    const room = connect({ url, tables: NOTEBOOK_TABLES });
    const host = new NotebookHost(server, relay, folder, room);
    await new Promise<void>((resolve) => room.state.subscribe(() => room.state.get().phase === 'open' && resolve()));
    fillNotebook(room.doc, parseNotebook(JSON.stringify(notebook)).notebook);
    room.tables.executions.records.subscribe(() => host.#run(answers));
    room.tables.stdin.records.subscribe(() => host.#goOn());
    return host;
  }

  page(role: Role, path = 'work/a.ipynb'): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/${role}/-/notebook?path=${encodeURIComponent(path)}`;
  }

  async close(): Promise<void> {
    this.room.close();
    await this.#relay.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#folder, { recursive: true });
  }

  /** As the server does: what runs is what whoever asked saw. */
  #ask({ cell_id: cell = '', source_hash: asked }: Readonly<Record<string, string>>): string {
    const code = this.room.tables.cells.get(cell)?.text ?? '';
    if (createHash('sha256').update(code).digest('hex') !== asked) return '';
    return this.room.tables.executions.create({ code, cell, kernel: { id: 'kernel', session: 0 } });
  }

  /** Begins what is asked for; what asks nothing ends at once. */
  #run(answers: Answers): void {
    const { executions, cells, stdin } = this.room.tables;
    for (const { id, status, cell, code } of executions.records.get()) {
      if (status.status !== 'requested' || cell === null) continue;
      const { outputs = [], ask } = answers[code] ?? {};
      queueMicrotask(() =>
        this.room.transact(() => {
          if (executions.get(id)?.status.status !== 'requested') return;
          executions.update(id, { status: { status: 'in progress' } });
          const remove = cells.get(cell)?.outputs.length ?? 0;
          cells.update(cell, { execution: id, executionState: 'running', outputs: { index: 0, remove, values: outputs } });
          if (ask === undefined) this.#end(id, cell);
          else stdin.create({ execution: id, prompt: ask });
        }),
      );
    }
  }

  #goOn(): void {
    const { executions, cells, stdin } = this.room.tables;
    for (const { execution, answer } of stdin.records.get()) {
      const cell = executions.get(execution)?.cell;
      if (answer === null || cell === null || cell === undefined || executions.get(execution)?.status.status !== 'in progress') continue;
      queueMicrotask(() =>
        this.room.transact(() => {
          cells.update(cell, { outputs: { index: 0, values: [{ output_type: 'stream', name: 'stdout', text: `hello ${answer}\n` }] } });
          this.#end(execution, cell);
        }),
      );
    }
  }

  #end(id: string, cell: string): void {
    const { executions, cells } = this.room.tables;
    const executionCount = (cells.get(cell)?.executionCount ?? 0) + 1;
    executions.update(id, { status: { status: 'ok', executionCount, result: null } });
    cells.update(cell, { executionCount, executionState: 'idle' });
  }
}
