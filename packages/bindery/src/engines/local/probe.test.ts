import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigSchema } from '../../base/config.ts';
import { loweredTo, sameUser } from '../../base/worker.ts';
import { probe } from './probe.ts';

test('an overlay is found to work in a folder that is closed to others, and nothing is left of the trial', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'state-')); // 0700, as the hub's state is
  const worker = process.getuid?.() === 0 ? loweredTo(0x0b1d_0000) : sameUser;
  const config = ConfigSchema.parse({ folders: { state: folder } });
  const { sandbox, overlay } = await probe(async () => '/usr/bin/python3', { worker, config });
  assert.deepEqual({ sandbox: sandbox.ok, overlay: overlay.ok }, { sandbox: true, overlay: true }, `${sandbox.why} ${overlay.why}`);
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
});

test('a sandbox that is switched off counts as none', async () => {
  const config = ConfigSchema.parse({ session: { sandbox: 'off' } });
  const { sandbox, overlay } = await probe(() => assert.fail('asked for'), { worker: sameUser, config });
  assert.deepEqual(
    { sandbox: sandbox.ok, overlay: overlay.ok, mend: sandbox.mend },
    { sandbox: false, overlay: false, mend: 'session.sandbox: auto' },
  );
});
