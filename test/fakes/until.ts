import assert from 'node:assert/strict';

/** How long to look, in milliseconds, and what to show where it was in vain. */
export interface Patience {
  readonly withinMs?: number;
  readonly seen?: () => unknown;
}

/** Looks again and again until it is so. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, patience: Patience = {}): Promise<void> {
  const { withinMs = 60_000, seen = () => '' } = patience;
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`not within ${withinMs / 1000} s: ${what} ${JSON.stringify(await seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
