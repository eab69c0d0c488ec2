import { BinderyError } from '@bindery/wire/errors.ts';
import type { Json } from '@bindery/rtc/json.ts';

/** Characters that one answer, or one event of a subscription, may hold of texts and values (`SPEC.md`, L5). */
const MOST = 32 * 1024 * 1024;

/** How much one answer may still hold. */
export class Budget {
  #left = MOST;

  /** Gives the value back. @throws BinderyError query_too_costly */
  spend<T extends Json>(value: T): T {
    this.#left -= typeof value === 'string' ? value.length : JSON.stringify(value).length;
    if (this.#left < 0)
      throw new BinderyError('query_too_costly', `The answer holds more than ${MOST / 1024 / 1024} Mi characters of texts and outputs.`);
    return value;
  }

  /** Another answer begins. */
  renew(): void {
    this.#left = MOST;
  }
}

/** What every field may need of the operation that it is in. */
export interface Asked {
  readonly budget: Budget;
}
