import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionView } from '@bindery/wire/api.ts';
import { realHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { until } from '../fakes/until.ts';

test('what a session uses is told: memory, and what it has written', { timeout: 120_000 }, async () => {
  using folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  repository.commit({ 'index.txt': 'x' });
  await using home = await realHub();
  const { url, token, sessionId } = await home.ready(repository.url);
  const body = JSON.stringify({ type: 'file', format: 'text', content: 'x'.repeat(3 << 20) });
  const put = await fetch(`${url}api/contents/big.txt`, { method: 'PUT', headers: { authorization: `token ${token}` }, body });
  assert.equal(put.status, 201);
  const view = async (): Promise<SessionView> => (await (await home.ask(`/api/v1/sessions/${sessionId}`)).json()) as SessionView;
  await until('what was written is counted', async () => ((await view()).diskBytes ?? 0) >= 3 << 20, { seen: view });
  const { diskBytes = 0, memoryBytes = 0 } = await view();
  assert.ok(diskBytes < 50 << 20, `${diskBytes} bytes`);
  assert.ok(memoryBytes > 10 << 20, `${memoryBytes} bytes`);
});
