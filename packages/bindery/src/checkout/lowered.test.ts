import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BinderyError } from '@bindery/wire/errors.ts';
import { parseLink } from '@bindery/wire/link.ts';
import { stageContext } from '../../../../test/fakes/context.ts';
import { GitServer } from '../../../../test/fakes/git-server.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { loweredTo, sameUser, type Worker } from '../base/worker.ts';
import { makeGit } from '../clients/git.ts';
import { gitProvider } from '../providers/git.ts';
import { resolve } from '../resolve/resolve.ts';
import { checkout } from './checkout.ts';

const UID = 231_999;
const isRoot = process.getuid?.() === 0;

/** Keeps the folders that each run of git was shown. */
function watched(): Worker & { shown: Set<string> } {
  const worker = isRoot ? loweredTo(UID) : sameUser;
  const shown = new Set<string>();
  return {
    ...worker,
    shown,
    lower: (argv, reach) => {
      for (const path of [...(reach.read ?? []), ...(reach.write ?? [])]) shown.add(path);
      return worker.lower(argv, reach);
    },
  };
}

test('git of a root hub runs as another user that sees one repository only: from a server, from a folder, with a submodule', async () => {
  using folder = new TemporaryFolder();
  chmodSync(folder.path, 0o755);
  await using server = await GitServer.start(folder.path);
  const inner = new Repository(join(folder.path, 'inner'));
  const repo = new Repository(join(folder.path, 'r'));
  const innerCommit = inner.commit({ i: '1' });
  repo.commit({ a: '1', '.gitmodules': `[submodule "inner"]\n\tpath = inner\n\turl = ${server.url}/inner\n` });
  repo.git('update-index', '--add', '--cacheinfo', `160000,${innerCommit},inner`);
  repo.git('commit', '--quiet', '-m', 'submodule');
  mkdirSync(join(repo.path, 'inner'));
  const worker = watched();
  const context = stageContext(folder.path, { worker });
  const { protocols } = context.config.git;
  const tools = { git: makeGit(worker, process.env), worker, turns: context.turns, folder: join(context.config.folders.cache, 'repos') };
  const provider = gitProvider({ ...tools, protocols, timeoutMs: 60_000, maxBytes: 2 ** 30 });
  const full = { ...context, providers: new Map([['git', provider]]) };
  for (const text of [`${server.url}/r`, repo.path]) {
    if (text === repo.path) repo.write({ changed: '2' });
    const tree = await checkout(await resolve(parseLink(text), full), full);
    assert.equal((await tree.read('a'))?.toString(), '1');
    assert.equal((await tree.read('inner/i'))?.toString(), '1');
    if (isRoot) assert.equal(statSync(join(tree.folder, 'a')).uid, UID);
  }
  const shared = join(folder.path, 'shared');
  repo.git('clone', '--quiet', '--bare', '--shared', repo.path, shared);
  const borrowing = await checkout(await resolve(parseLink(`file://${shared}`), full), full);
  assert.equal((await borrowing.read('a'))?.toString(), '1');
  worker.shown.delete(shared);
  worker.shown.delete(join(repo.path, '.git', 'objects'));
  for (const path of worker.shown)
    assert.ok(path.startsWith(`${context.config.folders.cache}/`) || path === repo.path || !path.startsWith(folder.path), path);
});

test('a folder that is closed to the user git runs as is said to be so, not to be no repository', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ a: '1' });
  const context = stageContext(folder.path, { worker: watched() });
  const { worker, turns } = context;
  const tools = { git: makeGit(worker, process.env), worker, turns, folder: join(context.config.folders.cache, 'repos') };
  const provider = gitProvider({ ...tools, protocols: ['file'], timeoutMs: 60_000, maxBytes: 2 ** 30 });
  const closed = isRoot ? [repo.path, join(repo.path, '.git')] : [folder.path];
  for (const path of closed) {
    chmodSync(path, isRoot ? 0o700 : 0o600);
    const opened = provider.resolve(parseLink(repo.path), new AbortController().signal);
    await assert.rejects(opened, (error: BinderyError) => {
      assert.equal(error.code, 'fetch_failed');
      assert.ok(error.message.includes(`may not read ${isRoot ? path : repo.path}`), error.message);
      assert.ok(error.hint.includes('chmod -R o+rX'), error.hint);
      return true;
    });
    chmodSync(path, 0o755);
  }
});
