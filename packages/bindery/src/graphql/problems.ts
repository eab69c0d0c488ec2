import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Logger } from '../base/log.ts';

/** Characters of a message: a value that was not understood may stand in it. */
const LONGEST = 1000;

export interface ProblemsOptions {
  readonly log: Logger;
  /** What went wrong, in words for whoever asked; undefined for what is nobody's business. */
  readonly understood: (error: unknown) => BinderyError | undefined;
}

/** How what went wrong is told: with a code that does not change, and with nothing of what goes on inside (`SPEC.md`, E). */
export class Problems {
  readonly #options: ProblemsOptions;

  constructor(options: ProblemsOptions) {
    this.#options = options;
  }

  tell(error: unknown): GraphQLFormattedError {
    const graphql = error instanceof GraphQLError ? error : undefined;
    const told = this.#understood(graphql?.originalError ?? error);
    const { locations, path } = graphql ?? {};
    const { message, code, hint, retryable } = told;
    return {
      message: message.length > LONGEST ? `${message.slice(0, LONGEST).toWellFormed()}…` : message,
      ...(locations ? { locations } : {}),
      ...(path ? { path } : {}),
      extensions: { code, hint, retryable },
    };
  }

  /** The same for what is thrown before anything is executed. */
  asGraphql(error: unknown): GraphQLError {
    return error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error as Error });
  }

  #understood(error: unknown): BinderyError {
    // GraphQL's own: the text, its types, its values.
    if (error instanceof GraphQLError) return new BinderyError('query_invalid', error.message);
    const known = this.#options.understood(error);
    if (known && known.code !== 'internal') return known;
    this.#options.log.error({ err: error }, 'a GraphQL field failed');
    return new BinderyError('internal', 'This is a fault of the server.', { hint: 'The log of the hub says more.' });
  }
}
