import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { retry } from '../base/retry.ts';
import { sameUser } from '../base/worker.ts';
import { makeGit } from './git.ts';

for (const end of ['kill -9 $$', 'exit 137'])
  test(`I4: a git that is killed (${end}) says nothing of the repository, and is tried again`, async () => {
    using folder = new TemporaryFolder();
    const [programs, been] = [join(folder.path, 'bin'), join(folder.path, 'been')];
    await mkdir(programs);
    await writeFile(join(programs, 'git'), `#!/bin/sh\nif [ -e "${been}" ]; then echo done; else : > "${been}"; ${end}; fi\n`, {
      mode: 0o755,
    });
    const git = makeGit(sameUser, { PATH: `${programs}:/usr/bin:/bin` });
    const { signal } = new AbortController();
    const failures: string[] = [];
    const call = { folder: folder.path, timeoutMs: 60_000, signal };
    const result = await retry(() => git(['status'], call), {
      signal,
      waitsMs: [0],
      onRetry: ({ code, message }) => failures.push(`${code}: ${message}`),
    });
    assert.equal(result.stdout, 'done\n');
    assert.deepEqual(failures, ['fetch_failed: Git was killed while it worked, by somebody or for want of memory.']);
  });
