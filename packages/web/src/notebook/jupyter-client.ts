import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';

const Session = z.object({ fileId: z.string() });
const KernelSession = z.object({ path: z.string(), kernel: z.object({ id: z.string() }).nullish() });

/** A notebook or folder that is shared: what its document is called, and the address of its room. */
export interface SharedDocument {
  readonly id: string;
  readonly path: string;
  readonly url: string;
}

/** The little of a Jupyter server's API that a page with one notebook needs. */
export class JupyterClient {
  readonly #base: URL;

  /** @param base address of the server, with a slash at the end */
  constructor(base: URL) {
    this.#base = base;
  }

  /** Finds the document of a notebook or folder. @throws BinderyError where there is none, or it is not shared with whoever asks */
  async document(path: string, type: 'notebook' | 'directory' = 'notebook'): Promise<SharedDocument> {
    const { fileId } = Session.parse(await this.#ask('PUT', `api/collaboration/session/${encoded(path)}`, { format: 'json', type }));
    const id = `json:${type}:${fileId}`;
    const url = new URL(`api/bindery/room/${encodeURIComponent(id)}`, this.#base);
    url.protocol = url.protocol.replace('http', 'ws');
    return { id, path, url: url.href };
  }

  /** The kernel of a notebook: the one that it has, or a new one; which one, where the notebook names none, the server decides. */
  async kernel(path: string, name: string | undefined): Promise<string> {
    const sessions = z.array(KernelSession).parse(await this.#ask('GET', 'api/sessions'));
    const known = sessions.find((each) => each.path === path)?.kernel?.id;
    if (known !== undefined) return known;
    const order = { path, name: path, type: 'notebook', kernel: name === undefined ? {} : { name } };
    const made = KernelSession.parse(await this.#ask('POST', 'api/sessions', order));
    if (!made.kernel) throw new BinderyError('internal', 'The server started no kernel.');
    return made.kernel.id;
  }

  /** Has a cell run, as its source is now, whatever becomes of this page. */
  async run(document: string, kernel: string, cell: string, source: string): Promise<void> {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(source));
    const hash = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const body = { document_id: document, cell_id: cell, source_hash: hash };
    await this.#ask('POST', `api/kernels/${encodeURIComponent(kernel)}/execute`, body);
  }

  /** Answers what running code asked for. */
  async answer(document: string, question: string, value: string): Promise<void> {
    await this.#ask('POST', `api/bindery/stdin/${encodeURIComponent(question)}`, { document_id: document, value });
  }

  /** Where a file is shown, or had, as it is. */
  fileUrl(path: string): string {
    return new URL(`files/${encoded(path)}`, this.#base).href;
  }

  async restart(kernel: string): Promise<void> {
    await this.#ask('POST', `api/kernels/${encodeURIComponent(kernel)}/restart`);
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const xsrf = /(?:^|; )_xsrf=([^;]+)/.exec(document.cookie)?.[1];
    const headers = {
      accept: 'application/json',
      'content-type': 'application/json',
      ...(xsrf === undefined ? {} : { 'x-xsrftoken': xsrf }),
    };
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await fetch(new URL(path, this.#base), init).catch((cause: unknown) => {
      throw new BinderyError('session_unreachable', 'The notebook server does not answer.', { cause });
    });
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }
}

function refusal(status: number, text: string): BinderyError {
  const said = z.object({ message: z.string() }).safeParse(json(text)).data?.message ?? `The server answered ${status}.`;
  if (status === 403) return new BinderyError('forbidden', said, { hint: 'Ask whoever shared it for a link to this notebook.' });
  if (status === 404) return new BinderyError('not_found', said, { hint: 'Look whether the file was moved or deleted.' });
  return new BinderyError('internal', said);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
