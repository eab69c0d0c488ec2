import type { z } from 'zod';
import {
  API_BASE,
  Collected,
  EnvironmentList,
  ErrorBody,
  ExampleList,
  IDEMPOTENCY_HEADER,
  Info,
  LAUNCH_KEY_HEADER,
  LaunchView,
  OneTimeLink,
  PlanView,
  SessionList,
  SessionView,
  ShareLink,
  type CreateLaunch,
  type EnvironmentView,
  type Example,
  type OpenSession,
  type PlanQuery,
  type ShareSession,
  type Shutdown,
} from './api.ts';
import { BinderyError, ERRORS, type ErrorCode } from './errors.ts';
import { EventStreamParser } from './event-stream.ts';
import { isFinal, LaunchEvent } from './events.ts';

export interface ClientOptions {
  /** Address of the hub: `http://127.0.0.1:8585` */
  readonly url: string;
  /** The hub key; a browser has its cookie in place of it. */
  readonly key?: string | undefined;
  readonly fetch?: typeof fetch;
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs?: number;
}

export interface FollowOptions {
  readonly launchKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Entries up to this `seq` are known already. */
  readonly after?: number;
  /** For how long, in milliseconds, a hub that does not answer is asked again. */
  readonly patienceMs?: number;
  /** Told when the stream flows and when it is cut. */
  readonly onState?: (state: 'open' | 'cut') => void;
}

/** A stream that says nothing, not even a keep-alive comment, for this long is cut and taken up again. */
const SILENCE_MS = 90_000;
/** A stream that lived this long was a working one, though nothing new came by it. */
const STEADY_MS = 10_000;

/** The hub's new contract (wire/api.ts), typed. Every answer is parsed; every error answer becomes a `BinderyError`. */
export class HubClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  info(): Promise<Info> {
    return this.#json(Info, 'GET', '/info');
  }

  /**
   * @param once a repeated request with the same value answers the same launch
   * @param launchKey of the session whose saved work is restored, where the hub key is not held
   */
  createLaunch(order: CreateLaunch, once?: string, launchKey?: string): Promise<LaunchView> {
    const headers = { ...keyHeader(launchKey), ...(once === undefined ? {} : { [IDEMPOTENCY_HEADER]: once }) };
    return this.#json(LaunchView, 'POST', '/launches', { body: order, headers });
  }

  async cancelLaunch(id: string, launchKey?: string): Promise<void> {
    await this.#send('DELETE', `/launches/${id}`, { headers: keyHeader(launchKey) });
  }

  async sessions(): Promise<SessionView[]> {
    return (await this.#json(SessionList, 'GET', '/sessions')).sessions;
  }

  session(id: string, launchKey?: string): Promise<SessionView> {
    return this.#json(SessionView, 'GET', `/sessions/${id}`, { headers: keyHeader(launchKey) });
  }

  async stopSession(id: string): Promise<void> {
    await this.#send('DELETE', `/sessions/${id}`);
  }

  /** The end of what the session's server wrote. */
  async sessionLog(id: string): Promise<string> {
    const response = await this.#send('GET', `/sessions/${id}/log`);
    return response.text();
  }

  /** Starts the session's idle time anew. */
  async keepAlive(id: string): Promise<void> {
    await this.#send('POST', `/sessions/${id}/keep-alive`);
  }

  /** A fresh one-time address of a running session, for a browser. The key of its launch gives the right, where the hub key is not held. */
  async openSession(id: string, choice: OpenSession = {}, launchKey?: string): Promise<string> {
    return (await this.#json(OneTimeLink, 'POST', `/sessions/${id}/open`, { body: choice, headers: keyHeader(launchKey) })).url;
  }

  /** A link by which others use a running session, as much as the role allows, until its end. */
  async shareSession(id: string, choice: Partial<ShareSession>): Promise<ShareLink> {
    return this.#json(ShareLink, 'POST', `/sessions/${id}/share`, { body: choice });
  }

  /** Where what a session changed can be downloaded once it has ended. */
  savedUrl(id: string): string {
    return this.#url(`/sessions/${id}/saved`);
  }

  /** Repositories that the hub offers to try. */
  async examples(): Promise<Example[]> {
    return (await this.#json(ExampleList, 'GET', '/examples')).examples;
  }

  /** A one-time address that gives a browser the right to use this hub. */
  async enter(order: { readonly next?: string } = {}): Promise<string> {
    return (await this.#json(OneTimeLink, 'POST', '/enter', { body: order })).url;
  }

  plan(query: PlanQuery): Promise<PlanView> {
    const words = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
    return this.#json(PlanView, 'GET', `/plan?${new URLSearchParams(words).toString()}`, { timeoutMs: 15 * 60_000 });
  }

  async environments(): Promise<EnvironmentView[]> {
    return (await this.#json(EnvironmentList, 'GET', '/environments')).environments;
  }

  collectGarbage(all: boolean): Promise<Collected> {
    return this.#json(Collected, 'POST', '/gc', { body: { all }, timeoutMs: 10 * 60_000 });
  }

  async shutdown(order: Shutdown): Promise<void> {
    await this.#send('POST', '/hub/shutdown', { body: order });
  }

  /**
   * The entries of a launch as they come, each once and in order, to the final one. A stream that is cut is taken up
   * after the last entry that came (`Last-Event-ID`).
   */
  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<LaunchEvent> {
    const patience = options.patienceMs ?? 30_000;
    let last = options.after ?? -1;
    let failingSince: number | undefined;
    for (let attempt = 0; ; attempt++) {
      const since = Date.now();
      let failure: unknown = unreachable(this.#options.url, undefined);
      try {
        for await (const event of this.#stream(id, last, options)) {
          if (event.seq <= last) continue;
          last = event.seq;
          attempt = 0;
          failingSince = undefined;
          yield event;
          if (isFinal(event)) return;
        }
      } catch (error) {
        if (options.signal?.aborted || !(error instanceof BinderyError) || error.code !== 'hub_unreachable') throw error;
        failure = error;
      }
      if (Date.now() - since > STEADY_MS) failingSince = undefined;
      options.onState?.('cut');
      failingSince ??= Date.now();
      if (Date.now() - failingSince > patience) throw failure;
      await pause(Math.min(5000, 200 * 2 ** Math.min(attempt, 10)), options.signal);
    }
  }

  async *#stream(id: string, after: number, options: FollowOptions): AsyncGenerator<LaunchEvent> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, silence.signal]) : silence.signal;
    try {
      const headers = { ...keyHeader(options.launchKey), ...(after >= 0 ? { 'last-event-id': String(after) } : {}) };
      const response = await this.#send('GET', `/launches/${id}/events`, { headers, signal });
      options.onState?.('open');
      const parser = new EventStreamParser();
      const decoder = new TextDecoder();
      for await (const chunk of chunksOf(response)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        for (const message of parser.push(decoder.decode(chunk, { stream: true }))) yield parseEvent(message.data);
      }
    } catch (error) {
      if (error instanceof BinderyError || options.signal?.aborted) throw error;
      throw unreachable(this.#options.url, error);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  async #json<T>(schema: z.ZodType<T>, method: string, path: string, request: Request = {}): Promise<T> {
    const response = await this.#send(method, path, request);
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new BinderyError('hub_unreachable', `${this.#options.url} answers, but not as a Bindery hub of this version does.`, {
      cause: parsed.error,
    });
  }

  async #send(method: string, path: string, request: Request = {}): Promise<Response> {
    const headers = new Headers(request.headers);
    if (this.#options.key !== undefined) headers.set('authorization', `Bearer ${this.#options.key}`);
    if (request.body !== undefined) headers.set('content-type', 'application/json');
    const signal = request.signal ?? AbortSignal.timeout(request.timeoutMs ?? this.#options.timeoutMs ?? 30_000);
    let response: Response;
    try {
      response = await (this.#options.fetch ?? fetch)(this.#url(path), {
        method,
        headers,
        signal,
        credentials: 'same-origin',
        cache: 'no-store',
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      });
    } catch (error) {
      throw unreachable(this.#options.url, error);
    }
    if (response.ok) return response;
    throw errorOf(response.status, await response.json().catch(() => undefined));
  }

  #url(path: string): string {
    return `${this.#options.url.replace(/\/$/, '')}${API_BASE}${path}`;
  }
}

interface Request {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

function keyHeader(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { [LAUNCH_KEY_HEADER]: key };
}

/** An error answer as the error that was thrown in the hub. */
function errorOf(status: number, body: unknown): BinderyError {
  const said = ErrorBody.safeParse(body);
  if (!said.success) return new BinderyError('internal', `The hub answered with status ${status} and no reason.`);
  const { code, message, hint, retryable } = said.data.error;
  return new BinderyError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal', message, { hint, retryable });
}

function parseEvent(data: string): LaunchEvent {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    value = undefined;
  }
  const parsed = LaunchEvent.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BinderyError('internal', 'The event stream of the launch holds something that this version does not know.', {
    cause: parsed.error,
  });
}

/** A body's chunks by its reader: not every browser iterates over streams. */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function unreachable(url: string, cause: unknown): BinderyError {
  return new BinderyError('hub_unreachable', `The hub at ${url} does not answer.`, { cause });
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
