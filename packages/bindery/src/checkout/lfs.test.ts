import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { sameUser } from '../base/worker.ts';
import { makeGit } from '../clients/git.ts';
import type { Entry } from '../contracts/source.ts';
import { fetchLfs, type LfsOrder } from './lfs.ts';

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;

function orderFor(repo: Repository, names: readonly string[], path: string): LfsOrder {
  const entries = names.map((path): Entry => ({ path, type: 'file', executable: false, size: 1 }));
  const call = { folder: repo.path, write: [repo.path], protocols: ['https'], timeoutMs: 30_000, signal: new AbortController().signal };
  return { git: makeGit(sameUser, { PATH: path }), files: repo.path, entries, call, info: () => {} };
}

/** git alone, without any git-lfs that this machine may have. */
function onlyGit(folder: string): string {
  writeFileSync(join(folder, 'git-lfs'), '#!/bin/sh\nexit 1\n');
  chmodSync(join(folder, 'git-lfs'), 0o755);
  return `${folder}${delimiter}${process.env['PATH']}`;
}

test('pointers are named where git-lfs is missing; files that only look like it are not', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n', 'd/ä.bin': POINTER, 'real.bin': 'x', 'a.txt': POINTER });
  const outcome = await fetchLfs(orderFor(repo, ['.gitattributes', 'd/ä.bin', 'real.bin', 'a.txt'], onlyGit(folder.path)));
  assert.equal(outcome.fetched, false);
  assert.match(outcome.notes.join(), /^d\/ä\.bin is kept in Git LFS, and git-lfs is not installed/);
});

test('a repository without large files costs no git', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ '.gitattributes': '*.txt text\n', a: POINTER });
  const order = orderFor(repo, ['.gitattributes', 'a'], '');
  const git = (): never => assert.fail('git was run');
  assert.deepEqual(await fetchLfs({ ...order, git }), { fetched: false, notes: [] });
});

test('a repository cannot send git-lfs to files of this machine', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ '.gitattributes': '*.bin filter=lfs\n', 'a.bin': POINTER, '.lfsconfig': '[lfs]\n\turl = file:///srv/private\n' });
  writeFileSync(join(folder.path, 'git-lfs'), '#!/bin/sh\n[ "$1" = version ] || touch "$PWD/../ran"\n', { mode: 0o755 });
  const outcome = await fetchLfs(orderFor(repo, ['.gitattributes', 'a.bin'], `${folder.path}${delimiter}${process.env['PATH']}`));
  assert.match(outcome.notes.join(), /file:\/\/\/srv\/private, which is not opened/);
  assert.ok(!existsSync(join(folder.path, 'ran')));
});

test('where git-lfs is installed it brings the files, and what it cannot bring is said', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ '.gitattributes': '*.bin filter=lfs\n', 'a.bin': POINTER, 'b.bin': POINTER });
  const script = '#!/bin/sh\ncase "$1" in pull) echo large > a.bin; echo "b.bin: quota exceeded" >&2; exit 2;; esac\n';
  writeFileSync(join(folder.path, 'git-lfs'), script);
  chmodSync(join(folder.path, 'git-lfs'), 0o755);
  const names = ['.gitattributes', 'a.bin', 'b.bin'];
  const outcome = await fetchLfs(orderFor(repo, names, `${folder.path}${delimiter}${process.env['PATH']}`));
  assert.equal(outcome.fetched, true);
  assert.match(outcome.notes.join(), /^b\.bin is kept in Git LFS and could not be fetched: b\.bin: quota exceeded/);
});
