import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphqlClient } from '@bindery/rtc/graphql/client.ts';
import type { Role } from '@bindery/wire/roles.ts';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { Collaboration } from '../../packages/bindery/src/supernode/collaboration.ts';
import type { Guest } from '../../packages/bindery/src/supernode/guests.ts';
import type { JupyterServer } from './jupyter-server.ts';
import { served } from './served.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: { message: string; path?: unknown[]; extensions: { code: string; hint: string } }[];
}

/** The documents of a Jupyter server, as the proxy reaches them: a token `<role>` or `<role>:<path>` stands for what the proxy knows. */
export class GraphqlServer implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly collaboration: Collaboration;
  readonly #end: () => Promise<void>;
  readonly #clients: GraphqlClient[] = [];

  private constructor(folder: string, port: number, collaboration: Collaboration, end: () => Promise<void>) {
    this.folder = folder;
    this.url = `http://127.0.0.1:${port}/base/graphql`;
    this.collaboration = collaboration;
    this.#end = end;
  }

  /** @param folder of one that ended before, with its documents and at its port */
  static async open(address: JupyterServer, before?: GraphqlServer): Promise<GraphqlServer> {
    const folder = before?.folder ?? (await mkdtemp(join(tmpdir(), 'graphql-')));
    const collaboration = await Collaboration.open({
      address,
      folder,
      guestOf,
      log: makeLog('silent'),
      saveMs: 20,
      watchMs: 20,
      graphqlPage: '-/graphql',
    });
    const { port, close } = await served(collaboration, before ? Number(new URL(before.url).port) : 0);
    return new GraphqlServer(folder, port, collaboration, close);
  }

  client(role: Role = 'admin', path = ''): GraphqlClient {
    const client = new GraphqlClient({ url: this.url, token: tokenOf(role, path), retryMs: 20, mostRetryMs: 100 });
    this.#clients.push(client);
    return client;
  }

  /** Asks by HTTP, as a program without our client does. */
  async ask(query: string, variables?: unknown, role: Role | '' = 'admin', path = ''): Promise<Answered> {
    return this.send(
      { method: 'POST', body: JSON.stringify({ query, variables }), headers: { 'content-type': 'application/json' } },
      role,
      path,
    );
  }

  async send(init: RequestInit, role: Role | '' = 'admin', path = '', search = ''): Promise<Answered> {
    const headers = { ...(init.headers as object), ...(role ? { authorization: `token ${tokenOf(role, path)}` } : {}) };
    const response = await fetch(this.url + search, { redirect: 'manual', ...init, headers });
    const text = await response.text();
    const said = (text.startsWith('{') ? JSON.parse(text) : {}) as Partial<Answered>;
    return { status: response.status, headers: response.headers, text, data: said.data, errors: said.errors ?? [] };
  }

  /** Ends as when its process is told to; what it keeps stays. */
  async close(): Promise<void> {
    await this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#end().catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function tokenOf(role: Role, path = ''): string {
  return `${role}:${path}`;
}

function guestOf({ url = '', headers: { authorization = '' } }: IncomingMessage): Guest | undefined {
  const token = /^token (.*)$/.exec(authorization)?.[1] ?? new URLSearchParams(url.split('?')[1] ?? '').get('token') ?? '';
  const [role = '', path = ''] = token.split(':');
  return role === '' ? undefined : { role: role as Role, path };
}
