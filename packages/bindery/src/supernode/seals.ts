import { createHmac } from 'node:crypto';
import { sameSecret } from '../base/secrets.ts';

/** What of an execution its seal vouches for. */
export interface Sealed {
  readonly id: string;
  readonly code: string;
  readonly kernel: { readonly id: string; readonly session: number };
  readonly cell: string | null;
  readonly owner: string;
  readonly silent: boolean;
  readonly allowStdin: boolean;
  readonly userExpressions: Readonly<Record<string, string>>;
}

/** Names and seals that only who has the server's secret can make. */
export class Seals {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The name under which the server is connected to a kernel, always the same. */
  session(kernel: string): string {
    return this.#sign('session', kernel).slice(0, 32);
  }

  /** The id of the message that asks a kernel for an execution: after a restart its answer is known by it. */
  message(document: string, execution: string): string {
    return this.#sign('message', document, execution).slice(0, 32);
  }

  seal(document: string, execution: Sealed): string {
    const { id, code, kernel, cell, owner, silent, allowStdin, userExpressions } = execution;
    const expressions = Object.entries(userExpressions).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return this.#sign('execution', document, id, code, kernel.id, kernel.session, cell, owner, silent, allowStdin, expressions);
  }

  isSealed(document: string, execution: Sealed, seal: string): boolean {
    return sameSecret(this.seal(document, execution), seal);
  }

  #sign(...parts: readonly unknown[]): string {
    return createHmac('sha256', this.#secret).update(JSON.stringify(parts)).digest('hex');
  }
}
