import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The commits of one repository by ref, under its name as GitHub spells it. */
export interface GithubRepository {
  readonly name: string;
  readonly refs: Record<string, string>;
}

/**
 * `GET /repos/{user}/{repo}/commits/{ref}` as api.github.com answers it (headers and bodies after recorded answers):
 * names in any case, ETags, 301 for a renamed repository, 404, 409, 422, and a rate limit.
 */
export class GithubServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly repositories: GithubRepository[] = [];
  /** Old name → number of the repository in `repositories`. */
  readonly renamed = new Map<string, number>();
  readonly authorizations = new Set<string>();
  /** Requests left before the limit. */
  remaining = 60;
  /** Answers every request with this status. */
  status: number | undefined;
  redirectTo: string | undefined;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(...repositories: GithubRepository[]): Promise<GithubServer> {
    const server = new GithubServer();
    server.repositories.push(...repositories);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(request.url ?? '');
    this.authorizations.add(request.headers.authorization ?? '');
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('x-ratelimit-limit', '60');
    response.setHeader('x-ratelimit-reset', String(Math.ceil(Date.now() / 1000) + 1800));
    if (this.redirectTo) return void response.writeHead(301, { location: this.redirectTo }).end('{}');
    if (this.status) return send(response, this.status, { message: 'Server Error' });
    if (this.remaining <= 0) {
      response.setHeader('x-ratelimit-remaining', '0');
      return send(response, 403, { message: 'API rate limit exceeded for 127.0.0.1.' });
    }
    const path = decodeURIComponent(new URL(request.url ?? '/', this.url).pathname);
    const [, name = '', ref = ''] = /^\/repos\/([^/]+\/[^/]+)\/commits\/(.+)$/.exec(path) ?? [];
    const [, number = '', movedRef = ''] = /^\/repositories\/(\d+)\/commits\/(.+)$/.exec(path) ?? [];
    const moved = this.renamed.get(name.toLowerCase());
    if (moved !== undefined)
      return void response
        .writeHead(301, { location: `${this.url}/repositories/${moved}/commits/${ref}` })
        .end('{"message":"Moved Permanently"}');
    const repository = number
      ? this.repositories[Number(number)]
      : this.repositories.find((repository) => repository.name.toLowerCase() === name.toLowerCase());
    this.#answerCommit(request, response, repository, number ? movedRef : ref);
  }

  #answerCommit(request: IncomingMessage, response: ServerResponse, repository: GithubRepository | undefined, ref: string): void {
    if (!repository) return this.#count(response, 404, { message: 'Not Found' });
    if (Object.keys(repository.refs).length === 0) return this.#count(response, 409, { message: 'Git Repository is empty.' });
    const isShort = /^[0-9a-f]{7,40}$/.test(ref);
    const sha = repository.refs[ref] ?? Object.values(repository.refs).find((sha) => isShort && sha.startsWith(ref));
    if (!sha) return this.#count(response, 422, { message: `No commit found for SHA: ${ref}` });
    const etag = `W/"${sha}"`;
    response.setHeader('etag', etag);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end(); // does not count
    const url = `${this.url}/repos/${repository.name}/commits/${sha}`;
    this.#count(response, 200, {
      sha,
      url,
      html_url: `https://github.com/${repository.name}/commit/${sha}`,
      commit: { message: 'x' },
      files: [],
    });
  }

  #count(response: ServerResponse, status: number, body: unknown): void {
    this.remaining -= 1;
    response.setHeader('x-ratelimit-remaining', String(this.remaining));
    send(response, status, body);
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status).end(JSON.stringify(body));
}
