import { buildClientSchema, getIntrospectionQuery, type GraphQLSchema, type IntrospectionQuery } from 'graphql';
import { createClient, type Client } from 'graphql-ws/client';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';

/** An operation as somebody wrote it. */
export interface Written {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
}

const Start = z.object({
  data: z.object({
    me: z.object({ role: z.string(), path: z.string() }),
    notebooks: z.array(z.object({ path: z.string() })).nullable(),
    __schema: z.looseObject({}),
  }),
});

/** What the page knows of a session before anything is written. */
export interface Known {
  readonly schema: GraphQLSchema;
  readonly role: string;
  /** The path of a notebook, where there is one. */
  readonly path: string;
}

/** The GraphQL of the session that the page is in, with whatever it answers as it comes. */
export class Session {
  readonly #url: URL;
  readonly #socket: Client;

  constructor(url: URL) {
    this.#url = url;
    this.#socket = createClient({
      url: url.href.replace(/^http/, 'ws'),
      retryAttempts: Infinity,
      shouldRetry: () => true,
      keepAlive: 30_000,
    });
  }

  /** @throws BinderyError where the session does not answer, or not to this browser */
  async known(): Promise<Known> {
    const query = getIntrospectionQuery().replace('{', '{ me { role path } notebooks(first: 1) { path }');
    const said = await this.ask({ query, operationName: undefined, variables: {} });
    const { data } = Start.safeParse(said);
    if (!data) throw new BinderyError('forbidden', messageIn(said), { hint: 'Open the session again from where you found it.' });
    const { me, notebooks, ...schema } = data.data;
    return { schema: buildClientSchema(schema as unknown as IntrospectionQuery), role: me.role, path: notebooks?.[0]?.path ?? '' };
  }

  /** Asks a query or a mutation. @throws BinderyError where the session does not answer */
  async ask(written: Written): Promise<unknown> {
    const headers = { accept: 'application/graphql-response+json, application/json', 'content-type': 'application/json' };
    try {
      const response = await fetch(this.#url, { method: 'POST', headers, body: JSON.stringify(written) });
      return (await response.json()) as unknown;
    } catch (cause) {
      throw new BinderyError('session_unreachable', 'The session does not answer.', { cause });
    }
  }

  /** Follows a subscription. Returns what ends it. */
  follow({ query, operationName, variables }: Written, heard: (result: unknown) => void, ended: () => void): () => void {
    return this.#socket.subscribe(
      { query, variables, ...(operationName === undefined ? {} : { operationName }) },
      {
        next: heard,
        error: (errors) => {
          heard({ errors });
          ended();
        },
        complete: ended,
      },
    );
  }
}

function messageIn(said: unknown): string {
  const found =
    z.object({ message: z.string() }).safeParse(said).data ??
    z.object({ errors: z.array(z.object({ message: z.string() })) }).safeParse(said).data?.errors[0];
  return found?.message ?? 'The session does not say what can be asked.';
}
