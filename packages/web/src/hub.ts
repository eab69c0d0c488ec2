import {
  API_BASE,
  ErrorBody,
  ExampleList,
  IDEMPOTENCY_HEADER,
  LAUNCH_KEY_HEADER,
  LaunchView,
  OneTimeLink,
  SessionList,
} from '@bindery/wire/api.ts';
import type { Example, LaunchOptions, OpenSession, SessionView } from '@bindery/wire/api.ts';
import { ERRORS } from '@bindery/wire/errors.ts';
import type { ErrorCode } from '@bindery/wire/errors.ts';

/** An answer of the hub that says what went wrong, in the words of wire/errors.ts. */
export class HubError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(body: ErrorBody['error']) {
    super(body.message);
    this.name = 'HubError';
    this.code = body.code;
    this.hint = body.hint;
    this.retryable = body.retryable;
  }
}

/** True for errors that only say that the hub could not be asked: worth asking again. */
export function isPassing(error: unknown): boolean {
  return !(error instanceof HubError) || error.code === 'hub_unreachable' || error.code === 'rate_limited';
}

/** The table's title for a code, for headings. */
export function errorTitle(code: string): string {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].title : 'Something went wrong.';
}

/** The hub's API as this page uses it. */
export class Hub {
  readonly #base: string;

  /** @param baseUrl path of the hub with both slashes */
  constructor(baseUrl: string) {
    this.#base = `${baseUrl.slice(0, -1)}${API_BASE}/`;
  }

  /** Starts a launch. `once` makes a repeated request (a reload while the answer was on its way) give the same launch. */
  async createLaunch(link: string, options: LaunchOptions, once: string): Promise<LaunchView> {
    const body = JSON.stringify({ link, options });
    const headers = { 'content-type': 'application/json', [IDEMPOTENCY_HEADER]: once };
    return LaunchView.parse(await this.#json('launches', { method: 'POST', headers, body }));
  }

  /** The event stream of a launch, after the entry `after` (-1: from the start). */
  async events(id: string, key: string | undefined, after: number, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (after >= 0) headers['last-event-id'] = String(after);
    if (key) headers[LAUNCH_KEY_HEADER] = key;
    return this.#send(`launches/${id}/events`, { headers, signal });
  }

  async cancelLaunch(id: string, key: string | undefined): Promise<void> {
    await this.#send(`launches/${id}`, { method: 'DELETE', headers: key ? { [LAUNCH_KEY_HEADER]: key } : {} });
  }

  /** A fresh one-time address for a browser. `key` is the launch's: with it no other right is needed. */
  async openSession(id: string, choice: OpenSession, key?: string): Promise<string> {
    const headers = { 'content-type': 'application/json', ...(key ? { [LAUNCH_KEY_HEADER]: key } : {}) };
    return OneTimeLink.parse(await this.#json(`sessions/${id}/open`, { method: 'POST', headers, body: JSON.stringify(choice) })).url;
  }

  async sessions(): Promise<SessionView[]> {
    return SessionList.parse(await this.#json('sessions', {})).sessions;
  }

  async stopSession(id: string): Promise<void> {
    await this.#send(`sessions/${id}`, { method: 'DELETE' });
  }

  async keepAlive(id: string): Promise<void> {
    await this.#send(`sessions/${id}/keep-alive`, { method: 'POST' });
  }

  async sessionLog(id: string): Promise<string> {
    return (await this.#send(`sessions/${id}/log`, { headers: { accept: 'text/plain' } })).text();
  }

  /** Where a session's saved files can be downloaded. */
  savedUrl(id: string): string {
    return `${this.#base}sessions/${id}/saved`;
  }

  async examples(): Promise<Example[]> {
    return ExampleList.parse(await this.#json('examples', {})).examples;
  }

  async #json(path: string, init: RequestInit): Promise<unknown> {
    return (await this.#send(path, init)).json();
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, { ...init, credentials: 'same-origin', cache: 'no-store' });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new HubError({
        code: 'hub_unreachable',
        message: 'The hub does not answer.',
        hint: 'Is it still running? Start it again with bindery serve; your sessions are kept.',
        retryable: true,
      });
    }
    if (response.ok) return response;
    const said = ErrorBody.safeParse(await response.json().catch(() => undefined));
    if (said.success) throw new HubError(said.data.error);
    throw new HubError({
      code: response.status === 401 ? 'unauthorized' : response.status === 429 ? 'rate_limited' : 'hub_unreachable',
      message: `The hub answered ${response.status} ${response.statusText}`.trim() + '.',
      hint: 'Try again in a moment.',
      retryable: response.status >= 500,
    });
  }
}
