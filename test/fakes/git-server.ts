import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface GitServerOptions {
  /** `smart` speaks protocol 2; `old` speaks version 0, which gives no commit by its name; `dumb` serves files. */
  readonly kind?: 'smart' | 'old' | 'dumb';
  /** Answers every request with this status instead. */
  status?: number;
  /** Never answers. */
  hangs?: boolean;
}

/** A Git server on loopback for the repositories below `root`, with a record of what was asked. */
export class GitServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly options: GitServerOptions;
  readonly #root: string;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  private constructor(root: string, options: GitServerOptions) {
    this.#root = root;
    this.options = options;
  }

  static async start(root: string, options: GitServerOptions = {}): Promise<GitServer> {
    const server = new GitServer(root, options);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How often files were fetched. */
  get fetches(): number {
    return this.requests.filter((request) => request === 'fetch').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const isFetch = request.method === 'POST' && /command=fetch|want /.test(body.toString('latin1'));
    this.requests.push(isFetch ? 'fetch' : `${request.method} ${url.pathname}${url.search}`);
    if (this.options.hangs) return;
    if (this.options.status) return void response.writeHead(this.options.status, { 'www-authenticate': 'Basic realm="x"' }).end();
    if (this.options.kind === 'dumb') return this.#file(url, response);
    this.#backend(request, url, body, response);
  }

  async #file(url: URL, response: ServerResponse): Promise<void> {
    const content = await readFile(join(this.#root, decodeURIComponent(url.pathname))).catch(() => undefined);
    if (content) response.end(content);
    else response.writeHead(404).end();
  }

  #backend(request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): void {
    const child = spawn('git', ['-c', 'safe.directory=*', '-c', 'core.hooksPath=/dev/null', 'http-backend'], {
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: '1',
        REQUEST_METHOD: request.method ?? 'GET',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        CONTENT_LENGTH: String(body.length),
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        REMOTE_ADDR: '127.0.0.1',
        ...(this.options.kind === 'old' ? {} : { GIT_PROTOCOL: String(request.headers['git-protocol'] ?? '') }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const output: Buffer[] = [];
    child.stdin.on('error', () => {});
    child.stdin.end(body);
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('close', () => answerCgi(Buffer.concat(output), response));
  }
}

/** Turns a CGI answer (RFC 3875) into an HTTP one. */
function answerCgi(output: Buffer, response: ServerResponse): void {
  const end = output.indexOf('\r\n\r\n');
  const headers = output.subarray(0, Math.max(end, 0)).toString('latin1').split('\r\n');
  let status = 200;
  for (const header of headers) {
    const colon = header.indexOf(':');
    const [name, value] = [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
    if (name === 'status') status = Number.parseInt(value, 10);
    else if (name) response.setHeader(name, value);
  }
  response.writeHead(end < 0 ? 500 : status).end(output.subarray(end + 4));
}
