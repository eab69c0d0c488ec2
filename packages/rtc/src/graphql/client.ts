import { createClient, type Client as Socket } from 'graphql-ws/client';
import { z } from 'zod';
import { BinderyError, ERRORS, type ErrorCode } from '@bindery/wire/errors.ts';
import type { Operation } from './operation.ts';

export interface GraphqlClientOptions {
  /** `https://…/s/<id>/graphql` */
  readonly url: string | URL;
  /** Of the session, or of a share link; a page inside the session has its cookie. */
  readonly token?: string | undefined;
  /** Those of the platform, unless others are given. */
  readonly fetch?: typeof fetch;
  readonly webSocket?: typeof WebSocket;
  /** Milliseconds until a lost connection is tried again, the first time and at most: 250 and 10,000. */
  readonly retryMs?: number;
  readonly mostRetryMs?: number;
}

/** Who is told of a subscription. */
export interface Subscriber<Data> {
  next(data: Data): void;
  /** It has ended with an error: nothing comes any more. */
  error?(error: BinderyError): void;
  /** There is nothing more to tell. */
  complete?(): void;
}

const Problem = z.object({
  message: z.string(),
  extensions: z.object({ code: z.string(), hint: z.string().optional(), retryable: z.boolean().optional() }).partial().optional(),
});
const Result = z.object({ data: z.record(z.string(), z.unknown()).nullish(), errors: z.array(Problem).optional() });
/** What a server or a proxy says that does not answer in GraphQL. */
const Refusal = z.object({ message: z.string().optional(), error: z.object({ code: z.string(), message: z.string() }).optional() });

/**
 * Asks a session's GraphQL: the operations of `operations.gen.ts`, or others of the same form. Subscriptions share one connection, which comes again
 * when it is lost; each of them says then what is, so that nothing that still holds was missed.
 */
export class GraphqlClient {
  readonly #options: GraphqlClientOptions;
  readonly #url: URL;
  readonly #socket: Socket;

  constructor(options: GraphqlClientOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    const { token, webSocket, retryMs = 250, mostRetryMs = 10_000 } = options;
    const url = new URL(this.#url);
    url.protocol = url.protocol.replace('http', 'ws');
    // A browser sends no headers with a WebSocket.
    if (token !== undefined) url.searchParams.set('token', token);
    this.#socket = createClient({
      url: url.href,
      webSocketImpl: webSocket,
      retryAttempts: Infinity,
      shouldRetry: () => true,
      retryWait: async (retries) => {
        const most = Math.min(mostRetryMs, retryMs * 2 ** retries);
        await new Promise((resolve) => setTimeout(resolve, most * (0.5 + Math.random() / 2)));
      },
      // A connection that dies in silence is noticed.
      keepAlive: 30_000,
      connectionAckWaitTimeout: 20_000,
    });
  }

  /** Asks. @throws BinderyError with the code that the server says, `session_unreachable` where it does not answer */
  async query<Data, Variables>(operation: Operation<'query', Data, Variables>, ...[variables]: Given<Variables>): Promise<Data> {
    return (await this.#ask(operation, variables)) as Data;
  }

  /** Has something done. It is done once or not at all, but where the answer is lost nobody knows which. @throws as `query` */
  async mutate<Data, Variables>(operation: Operation<'mutation', Data, Variables>, ...[variables]: Given<Variables>): Promise<Data> {
    return (await this.#ask(operation, variables)) as Data;
  }

  /** Follows something. Returns what ends it. */
  subscribe<Data, Variables>(
    { name, text }: Operation<'subscription', Data, Variables>,
    variables: Variables,
    subscriber: Subscriber<Data>,
  ): () => void {
    let isEnded = false;
    const fail = (problem: unknown): void => {
      if (isEnded) return;
      isEnded = true;
      end();
      subscriber.error?.(problem instanceof BinderyError ? problem : lost(problem));
    };
    const end = this.#socket.subscribe(
      { operationName: name, query: text, variables: variables as Record<string, unknown> },
      {
        next: (result) => {
          if (isEnded) return;
          const { data, problem } = read(result);
          if (problem) fail(problem);
          else subscriber.next(data as Data);
        },
        error: (problem) => fail(Array.isArray(problem) ? failure(z.array(Problem).safeParse(problem).data ?? []) : problem),
        complete: () => {
          if (isEnded) return;
          isEnded = true;
          subscriber.complete?.();
        },
      },
    );
    return () => {
      isEnded = true;
      end();
    };
  }

  /** Ends all subscriptions, and the connection. */
  async close(): Promise<void> {
    await this.#socket.dispose();
  }

  async #ask({ name, text }: { readonly name: string; readonly text: string }, variables: unknown): Promise<unknown> {
    const { fetch = globalThis.fetch, token } = this.#options;
    const headers = {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `token ${token}` }),
    };
    const body = JSON.stringify({ operationName: name, query: text, variables });
    const response = await fetch(this.#url, { method: 'POST', headers, body }).catch((cause: unknown) => {
      throw lost(cause);
    });
    const said: unknown = await response.json().catch(() => undefined);
    const { data, problem } = read(said);
    if (problem) throw problem;
    if (data === undefined) throw refused(response.status, said);
    return data;
  }
}

/** Operations without variables need not be given any. */
type Given<Variables> = Variables extends Record<string, never> ? [] : [variables: Variables];

/** What is in an answer; neither where it is none of GraphQL's. With an error there is no data: else what is null is so in the schema. */
function read(answer: unknown): { readonly data?: unknown; readonly problem?: BinderyError } {
  const { data, errors = [] } = Result.safeParse(answer).data ?? {};
  return errors.length > 0 ? { problem: failure(errors) } : { data: data ?? undefined };
}

function failure(problems: readonly z.infer<typeof Problem>[]): BinderyError {
  const [first] = problems;
  const { code, hint, retryable } = first?.extensions ?? {};
  return new BinderyError(codeOf(code) ?? 'internal', first?.message ?? 'The server answered with an error that says nothing.', {
    hint,
    retryable,
  });
}

function refused(status: number, said: unknown): BinderyError {
  const { message, error } = Refusal.safeParse(said).data ?? {};
  const code = codeOf(error?.code) ?? (status === 403 || status === 401 ? 'forbidden' : 'session_unreachable');
  return new BinderyError(code, error?.message ?? message ?? `The server answered ${status}.`);
}

function lost(cause: unknown): BinderyError {
  return new BinderyError('session_unreachable', 'The session does not answer.', { cause });
}

function codeOf(code: string | undefined): ErrorCode | undefined {
  return code !== undefined && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : undefined;
}
