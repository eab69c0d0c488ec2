import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getOperationAST, GraphQLError, OperationTypeNode, type ExecutionArgs } from 'graphql';
import { createHandler, type Handler, type OperationContext, type Request as HttpRequest, type Response as Answer } from 'graphql-http';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Budget } from './budget.ts';
import type { Desk } from './desk.ts';
import type { Flow } from './feed.ts';
import { prepared, type Asking } from './limits.ts';
import { Problems, type ProblemsOptions } from './problems.ts';
import { mutations, queries, subscriptions } from './roots.ts';
import { makeSchema } from './schema.ts';
import { Sockets } from './sockets.ts';

export interface GraphqlOptions extends ProblemsOptions {
  /** The page on which people try it, relative to its address. */
  readonly page?: string | undefined;
}

const { QUERY, MUTATION, SUBSCRIPTION } = OperationTypeNode;

/** Bytes of a request's body, and of a message. */
const MOST_BODY = 4 * 1024 * 1024;
const MOST_UNREAD = 16 * MOST_BODY;

/** What is to be executed. */
export type Order = ExecutionArgs & { readonly contextValue: { readonly budget: Budget } };

/** Nobody who is waited for: an answer goes out as a whole. */
const AT_ONCE: Flow = { ready: async () => undefined };

const MUTATION_BY_GET = new BinderyError('query_invalid', 'A mutation is sent by POST.');

/** GraphQL of one Jupyter server and its shared documents (`SPEC.md`, Q). */
export class Graphql {
  readonly #options: GraphqlOptions;
  readonly #schema = makeSchema();
  readonly #problems: Problems;
  readonly #handler: Handler<Desk, undefined>;
  readonly #sockets: Sockets;

  constructor(options: GraphqlOptions) {
    this.#options = options;
    this.#problems = new Problems(options);
    this.#handler = createHandler<Desk, undefined, OperationContext>({
      onSubscribe: ({ raw, method }, asking) => {
        const order = this.#order(raw, AT_ONCE, asking);
        const isChange = 'document' in order && getOperationAST(order.document, order.operationName)?.operation === MUTATION;
        return isChange && method === 'GET' ? this.#answer(405, MUTATION_BY_GET, { allow: 'POST' }) : order;
      },
      // What is no error of GraphQL, the handler itself says of the request.
      formatError: (error) =>
        this.#problems.tell(error instanceof GraphQLError ? error : new BinderyError('query_invalid', `${error.message}.`)) as Error,
    });
    this.#sockets = new Sockets({
      mostBytes: MOST_BODY,
      problems: this.#problems,
      order: (desk, flow, asking) => this.#order(desk, flow, asking),
    });
  }

  /** Answers a request of a guest (GraphQL over HTTP). */
  async handle(request: IncomingMessage, response: ServerResponse, desk: Desk): Promise<void> {
    const { page } = this.#options;
    if (page !== undefined && wantsPage(request)) {
      response.writeHead(303, { location: page, 'cache-control': 'no-store' }).end();
      return;
    }
    const { method = '', url = '', headers } = request;
    const [body, { status, headers: own }] = await this.#ask({ method, url, headers, raw: desk, context: undefined, body: null }, request);
    response.writeHead(status, { ...own, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    response.end(body);
  }

  /** Takes an upgrade of a guest over (`graphql-transport-ws`). */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, desk: Desk | string): void {
    this.#sockets.upgrade(request, socket, head, desk);
  }

  close(): void {
    this.#sockets.close();
  }

  async #ask(asked: HttpRequest<Desk, undefined>, request: IncomingMessage): Promise<Answer> {
    try {
      const isJson = asked.method === 'POST' && /^application\/json\b/i.test(request.headers['content-type'] ?? '');
      return await this.#handler({ ...asked, body: isJson ? await bodyOf(request) : null });
    } catch (error) {
      return this.#answer(error instanceof TooLarge ? 413 : 500, error);
    }
  }

  #answer(status: number, error: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
    const type = { 'content-type': 'application/json; charset=utf-8' };
    return [JSON.stringify({ errors: [this.#problems.tell(error)] }), { status, statusText: '', headers: { ...type, ...headers } }];
  }

  /** What is to be executed; or why it is not. */
  #order(desk: Desk, flow: Flow, asking: Asking): Order | readonly GraphQLError[] {
    try {
      const ready = prepared(this.#schema, asking);
      if ('errors' in ready) return ready.errors;
      const { document } = ready;
      const { variables: variableValues, operationName } = asking;
      const kind = getOperationAST(document, operationName)?.operation;
      if (kind === undefined)
        throw new BinderyError('query_invalid', 'The text has no operation of this name, or several and no name is given.');
      if (kind === SUBSCRIPTION && flow === AT_ONCE)
        throw new BinderyError('query_invalid', 'Subscriptions are answered over a WebSocket.', {
          hint: 'The subprotocol is graphql-transport-ws, the address the same.',
        });
      const rootValue = kind === QUERY ? queries(desk) : kind === MUTATION ? mutations(desk) : subscriptions(desk, flow);
      const contextValue = { budget: new Budget() };
      return { schema: this.#schema, document, variableValues, operationName, rootValue, contextValue };
    } catch (error) {
      return [this.#problems.asGraphql(error)];
    }
  }
}

class TooLarge extends BinderyError {
  constructor() {
    super('query_too_costly', `The body has more than ${MOST_BODY / 1024 / 1024} MiB.`);
  }
}

/** A browser that opens the address, and is no program. */
function wantsPage({ method, url = '', headers: { accept = '' } }: IncomingMessage): boolean {
  return method === 'GET' && /\btext\/html\b/.test(accept) && !new URLSearchParams(url.split('?')[1] ?? '').has('query');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      // Who is cut off while he sends does not read why. What is far too much is.
      if (bytes <= MOST_BODY) chunks.push(chunk as Buffer);
      else if (bytes > MOST_UNREAD) break;
    }
  } catch (cause) {
    throw new BinderyError('request_invalid', 'The body did not arrive as a whole.', { cause });
  }
  if (bytes > MOST_BODY) throw new TooLarge();
  return Buffer.concat(chunks).toString();
}
