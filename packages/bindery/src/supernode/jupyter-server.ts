import { Agent } from 'undici';
import { z } from 'zod';
import { parseExact, type Exact } from '@bindery/rtc/notebook/literal.ts';

/** Milliseconds that a Jupyter server has for an answer: large notebooks on slow disks take long. */
const PATIENCE_MS = 60_000;
const CONNECT_MS = 5000;

/** Where a Jupyter server is, and what opens it. */
export interface JupyterAddress {
  /** Its base address, with a slash at its end: `http://localhost/s/abc/`. */
  readonly url: string;
  /** The UNIX socket that it listens on, where it does. */
  readonly socketPath?: string | undefined;
  /** Empty for a server that asks for none. */
  readonly token: string;
  /** The folder of this machine in which the connection files and sockets of its kernels lie, where they can be reached. */
  readonly kernels?: string | undefined;
}

/** An answer of the server that is no success, or none at all (status 0). */
export class JupyterError extends Error {
  /** The HTTP status; 0 when the server could not be reached. */
  readonly status: number;

  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** What the Contents API says of a file. */
export interface FileModel {
  readonly path: string;
  readonly type: string;
  /** As the server writes it; another one means that the file was written, or only touched. */
  readonly lastModified: string;
  readonly size: number | null;
  /** SHA-256 of its bytes, where it was asked for and the server is new enough to say (jupyter_server 2.11). */
  readonly hash: string | undefined;
  readonly writable: boolean;
  /** What is in it, as it came, where it was asked for. */
  readonly content: Exact;
}

const Model = z.object({
  path: z.string(),
  type: z.string(),
  last_modified: z.string(),
  size: z.number().nullish(),
  hash: z.string().nullish(),
  hash_algorithm: z.string().nullish(),
  writable: z.boolean().nullish(),
});

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The HTTP API of a Jupyter server, as far as shared documents need it (jupyter_server's REST API, `api/contents`). */
export class JupyterServer {
  readonly address: JupyterAddress;
  readonly #agent: Agent;

  constructor(address: JupyterAddress) {
    this.address = address;
    const { socketPath } = address;
    this.#agent = new Agent({ connect: { ...(socketPath === undefined ? {} : { socketPath }), timeout: CONNECT_MS, noDelay: true } });
  }

  /** What is in a file. @throws JupyterError with the server's status, 404 for one that is not there */
  async file(path: string, { type, format }: { readonly type: string; readonly format: string }): Promise<FileModel> {
    // Of notebooks there is one format, and it must not be named.
    return this.#file(path, { type, ...(type === 'notebook' ? {} : { format }), content: '1', hash: '1' });
  }

  /** What a file is, without its content; its hash only where it is asked for, as the server reads the whole file for it. @throws JupyterError */
  async stat(path: string, { type, hash = false }: { readonly type?: string; readonly hash?: boolean } = {}): Promise<FileModel> {
    return this.#file(path, { ...(type === undefined ? {} : { type }), content: '0', ...(hash ? { hash: '1' } : {}) });
  }

  /** Writes a file; `content` is JSON. @throws JupyterError */
  async write(path: string, { type, format, content }: { type: string; format: string; content: string }): Promise<FileModel> {
    const body = `{"type":${JSON.stringify(type)},"format":${JSON.stringify(format)},"content":${content}}`;
    return model(await this.#asked('PUT', `api/contents/${encoded(path)}`, body));
  }

  /** An answer of the API that must be a success, read as JSON. @throws JupyterError */
  async json(method: string, path: string, body?: string): Promise<unknown> {
    const text = await this.#asked(method, path, body);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  /** Whatever the server answers. @param path below its base address. @throws JupyterError (status 0) when it can't be reached */
  async ask(method: string, path: string, body?: string): Promise<Answer> {
    const { origin, pathname } = new URL(this.address.url);
    try {
      const answer = await this.#agent.request({
        origin,
        path: `${pathname}${path}`,
        method,
        headers: {
          ...credentials(this.address),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body ?? null,
        headersTimeout: PATIENCE_MS,
        bodyTimeout: PATIENCE_MS,
      });
      const { 'content-type': type } = answer.headers;
      return { status: answer.statusCode, type: typeof type === 'string' ? type : '', text: await answer.body.text() };
    } catch (error) {
      throw new JupyterError(0, `The Jupyter server can't be reached: ${(error as Error).message}`, error);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #file(path: string, query: Record<string, string>): Promise<FileModel> {
    return model(await this.#asked('GET', `api/contents/${encoded(path)}?${new URLSearchParams(query)}`));
  }

  async #asked(method: string, path: string, body?: string): Promise<string> {
    return succeeded(await this.ask(method, path, body));
  }
}

/** What a request brings. A server without a token believes who can set a cookie and say the same again, which no page of another site can. */
export function credentials({ token }: JupyterAddress): Record<string, string> {
  return token === '' ? { cookie: '_xsrf=bindery', 'x-xsrftoken': 'bindery' } : { authorization: `token ${token}` };
}

/** A path of the Contents API as part of an address. */
export function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function model(text: string): FileModel {
  let exact: Exact;
  try {
    exact = parseExact(text);
  } catch (error) {
    throw new JupyterError(502, `The Jupyter server's answer is no JSON: ${(error as Error).message}`, error);
  }
  const parsed = Model.safeParse(exact);
  if (!parsed.success) throw new JupyterError(502, "The Jupyter server's answer describes no file.");
  const { path, type, size, hash, hash_algorithm: algorithm, writable, last_modified: lastModified } = parsed.data;
  return {
    path,
    type,
    lastModified,
    size: size ?? null,
    hash: algorithm === 'sha256' && hash ? hash : undefined,
    writable: writable ?? true,
    content: (exact as { readonly [key: string]: Exact })['content'] ?? null,
  };
}

/** What an answer says that must be a success. @param conflict the words for 409, else those of the server. @throws JupyterError */
export function succeeded({ status, text }: Answer, conflict?: string): string {
  if (status >= 200 && status < 300) return text;
  const said = status === 409 ? (conflict ?? messageOf(text)) : messageOf(text);
  throw new JupyterError(status, said ?? `The Jupyter server answered ${status}.`);
}

/** Whether there is a file or folder at a path. @throws JupyterError */
export async function isThere(server: Pick<JupyterServer, 'stat'>, path: string): Promise<boolean> {
  return server.stat(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof JupyterError && error.status === 404) return false;
      throw error;
    },
  );
}

/** What an answer of the API says, where it says something. */
function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' && message !== '' ? message : undefined;
  } catch {
    return undefined;
  }
}
