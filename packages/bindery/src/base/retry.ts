import { setTimeout as delay } from 'node:timers/promises';
import { BinderyError } from '@bindery/wire/errors.ts';

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Milliseconds before the second attempt, the third, and so on. */
  readonly waitsMs?: readonly number[];
  /** Told of each failure that is followed by another attempt. */
  readonly onRetry?: (error: BinderyError) => void;
}

const WAITS = [500, 2000];
/** An attempt that took longer than this, in milliseconds, is not made again: the person has waited enough. */
const QUICK_MS = 10_000;

/** Tries again what failed by an outside hiccup (I4): a `retryable` error of the network that came quickly. */
export async function retry<T>(work: () => Promise<T>, { signal, waitsMs = WAITS, onRetry }: RetryOptions): Promise<T> {
  for (const waitMs of waitsMs) {
    const begun = performance.now();
    try {
      return await work();
    } catch (error) {
      if (!isHiccup(error) || performance.now() - begun > QUICK_MS) throw error;
      onRetry?.(error);
      await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
  return work();
}

function isHiccup(error: unknown): error is BinderyError {
  return error instanceof BinderyError && error.retryable && (error.code === 'upstream_unreachable' || error.code === 'fetch_failed');
}
