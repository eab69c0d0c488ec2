import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import { retry } from './retry.ts';

const signal = new AbortController().signal;

/** Fails with these codes, one after another, then gives how often it was called. */
function failing(...codes: ErrorCode[]): () => Promise<number> {
  let calls = 0;
  return async () => {
    const code = codes[calls];
    calls += 1;
    if (code) throw new BinderyError(code, `call ${calls}`);
    return calls;
  };
}

test('I4: a hiccup of the network is tried again, and told', async () => {
  const told: string[] = [];
  const onRetry = (error: BinderyError): void => void told.push(error.message);
  assert.equal(await retry(failing('upstream_unreachable', 'fetch_failed'), { signal, waitsMs: [1, 1], onRetry }), 3);
  assert.deepEqual(told, ['call 1', 'call 2']);
});

test('the last attempt decides; a mistake and a bug are not tried again', async () => {
  const outage = failing('upstream_unreachable', 'upstream_unreachable', 'upstream_unreachable');
  await assert.rejects(retry(outage, { signal, waitsMs: [1, 1] }), { message: 'call 3', retryable: true });
  await assert.rejects(retry(failing('ref_not_found'), { signal, waitsMs: [1] }), { message: 'call 1' });
  await assert.rejects(retry(failing('upstream_rate_limited'), { signal, waitsMs: [1] }), { message: 'call 1' });
  await assert.rejects(
    retry(() => Promise.reject(new TypeError('bug')), { signal, waitsMs: [1] }),
    { message: 'bug' },
  );
});

test('waiting ends with the caller', async () => {
  const controller = new AbortController();
  const waiting = retry(failing('fetch_failed'), {
    signal: controller.signal,
    waitsMs: [60_000],
    onRetry: () => controller.abort(new Error('left')),
  });
  await assert.rejects(waiting, { message: 'left' });
});
