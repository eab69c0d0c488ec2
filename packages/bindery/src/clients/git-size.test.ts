import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { tooLargeError, watchSize } from './git-size.ts';

test('a fetch that grows over the limit is ended; what was there before does not count', async () => {
  using folder = new TemporaryFolder();
  const pack = join(folder.path, 'objects', 'pack');
  mkdirSync(pack, { recursive: true });
  writeFileSync(join(pack, 'old.pack'), Buffer.alloc(5000));
  const limit = watchSize(folder.path, 1000, new AbortController().signal);
  writeFileSync(join(pack, 'tmp_pack_1'), Buffer.alloc(2000));
  await once(limit.signal, 'abort', { signal: AbortSignal.timeout(20_000) });
  limit.stop();
  assert.equal((limit.signal.reason as { code: string }).code, 'tree_too_large');
  const within = watchSize(folder.path, 1000, AbortSignal.abort(new Error('left')));
  within.stop();
  assert.equal((within.signal.reason as Error).message, 'left');
});

test('sizes are said in words', () => {
  assert.match(tooLargeError(5e9, 4 * 2 ** 30).message, /more than 4\.0 GB/);
  assert.match(tooLargeError(2000, 1000).message, /1000 bytes/);
});
