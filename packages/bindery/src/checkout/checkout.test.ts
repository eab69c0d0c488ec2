import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GitServer } from '../../../../test/fakes/git-server.ts';
import { stageContext } from '../../../../test/fakes/context.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import type { Progress } from '../contracts/context.ts';
import type { Entry, Source, Tree } from '../contracts/source.ts';
import { checkout } from './checkout.ts';

function sourceOf(url: string, ref: string, branch?: string): Source {
  return { provider: 'git', slug: 'a/b', url, ref, ...(branch ? { branch } : {}) };
}

async function entriesOf(tree: Tree): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of tree.list()) entries.push(entry);
  return entries;
}

function git(folder: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'] ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  return execFileSync('git', ['-c', 'safe.directory=*', '-C', folder, ...args], { encoding: 'utf8', env }).trim();
}

test('the work tree is a repository of its own, detached at the commit, and stays so when copied', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ old: '1' });
  const commit = repo.commit({ a: '1', 'd/run.sh': '#!/bin/sh\n', '.gitignore': 'x\n', 'crlf.txt': 'a\r\nb\r\n' });
  await using server = await GitServer.start(folder.path);
  const url = `${server.url}/r`;
  const tree = await checkout(sourceOf(url, commit), stageContext(folder.path));
  const copy = join(folder.path, 'home');
  execFileSync('cp', ['-a', tree.folder, copy]);
  rmSync(join(folder.path, 'cache'), { recursive: true });
  assert.equal(git(copy, 'status', '--porcelain', '--ignored'), '');
  assert.equal(git(copy, 'rev-parse', 'HEAD'), commit);
  assert.throws(() => git(copy, 'symbolic-ref', '--quiet', 'HEAD'));
  assert.equal(git(copy, 'remote', 'get-url', 'origin'), url);
  assert.equal(git(copy, 'rev-list', '--count', 'HEAD'), '1');
  assert.equal(git(copy, 'fsck', '--strict'), '');
  assert.equal(git(copy, 'log', '-1', '--format=%cI').slice(0, 10), tree.committedAt.slice(0, 10));
  for (const name of ['HEAD', 'config', 'logs/HEAD', 'shallow'])
    assert.ok(!readFileSync(join(copy, '.git', name), 'utf8').includes(folder.path), `no path of this machine is in ${name}`);
});

test('twenty launches at once fetch once; later ones fetch nothing, run no git, and are quick', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const commit = repo.commit({ a: '1' });
  await using server = await GitServer.start(folder.path);
  const context = stageContext(folder.path);
  const source = sourceOf(`${server.url}/r`, commit);
  const trees = await Promise.all(Array.from({ length: 20 }, () => checkout(source, context)));
  assert.equal(server.fetches, 1);
  assert.equal(new Set(trees.map((tree) => tree.folder)).size, 1);
  const asked = server.requests.length;
  const withoutGit = stageContext(folder.path, { worker: { uid: undefined, give: async () => {}, lower: () => ['/bin/false'] } });
  const times: number[] = [];
  for (let round = 0; round < 21; round++) {
    const begun = performance.now();
    assert.equal((await checkout(source, withoutGit)).id, trees[0]?.id);
    times.push(performance.now() - begun);
  }
  assert.equal(server.requests.length, asked);
  const median = times.toSorted((a, b) => a - b)[10] ?? Infinity;
  assert.ok(median < 3, `median ${median} ms`);
  assert.deepEqual(withoutGit.events.at(-1), { ...withoutGit.events.at(-1), phase: 'fetching', kind: 'done', cached: true });
});

test('a launch that leaves does not end the fetch of the others', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const commit = repo.commit({ a: '1' });
  await using server = await GitServer.start(folder.path);
  const context = stageContext(folder.path);
  const leaver = new AbortController();
  const source = sourceOf(`${server.url}/r`, commit);
  const leaving = checkout(source, { ...context, signal: leaver.signal });
  const staying = checkout(source, context);
  leaver.abort(new Error('closed the tab'));
  await assert.rejects(leaving, { message: 'closed the tab' });
  assert.ok((await staying).folder);
});

test('I4: a server that stumbles is asked again', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const commit = repo.commit({ a: '1' });
  await using server = await GitServer.start(folder.path);
  server.options.status = 503;
  const base = stageContext(folder.path);
  const emit = (event: Progress): void => {
    base.events.push(event);
    if (/Trying again/.test(event.message)) delete server.options.status;
  };
  const tree = await checkout(sourceOf(`${server.url}/r`, commit), { ...base, emit });
  assert.equal((await tree.read('a'))?.toString(), '1');
  assert.equal(base.events.filter(({ message }) => /could not be reached.* Trying again/.test(message)).length, 1);
});

test('two commits with the same files are one tree in two work trees', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const first = repo.commit({ a: '1' });
  const second = repo.commit({}, 'nothing changed');
  const third = repo.commit({ a: '2' });
  const context = stageContext(folder.path);
  const [one, two, three] = await Promise.all([first, second, third].map((commit) => checkout(sourceOf(repo.url, commit), context)));
  assert.equal(one?.id, two?.id);
  assert.notEqual(one?.id, three?.id);
  assert.notEqual(one?.folder, two?.folder);
});

test('servers that give no commit by its name, or speak no protocol at all, are fetched from all the same', async () => {
  for (const kind of ['old', 'dumb'] as const) {
    using folder = new TemporaryFolder();
    const repo = new Repository(join(folder.path, 'r'));
    const first = repo.commit({ a: '1' });
    const moved = repo.commit({ a: '2' });
    repo.git('branch', 'topic', first);
    const second = repo.commit({ a: '3' });
    repo.git('clone', '--quiet', '--bare', repo.path, join(folder.path, 'r.git'));
    git(join(folder.path, 'r.git'), 'update-server-info');
    await using server = await GitServer.start(folder.path, { kind });
    const url = `${server.url}/r.git`;
    for (const [commit, branch] of [
      [second, 'refs/heads/main'],
      [moved, 'refs/heads/main'],
      [first, undefined],
    ] as const) {
      const tree = await checkout(sourceOf(url, commit, branch), stageContext(join(folder.path, commit)));
      assert.equal(git(tree.folder, 'rev-parse', 'HEAD'), commit, kind);
      assert.equal(git(tree.folder, 'status', '--porcelain'), '');
    }
    const gone = sourceOf(url, 'f'.repeat(40), 'refs/heads/main');
    await assert.rejects(checkout(gone, stageContext(join(folder.path, 'gone'))), { code: 'ref_not_found' });
  }
});

test('a force-pushed branch: the old commit is still had from the cache, the new one is fetched', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const old = repo.commit({ a: '1' });
  await using server = await GitServer.start(folder.path, { kind: 'old' });
  const context = stageContext(folder.path);
  const url = `${server.url}/r`;
  await checkout(sourceOf(url, old, 'refs/heads/main'), context);
  repo.write({ a: '2' });
  repo.git('commit', '--quiet', '--all', '--amend', '-m', 'rewritten');
  repo.git('reflog', 'expire', '--expire=now', '--all');
  repo.git('gc', '--quiet', '--prune=now');
  const rewritten = repo.git('rev-parse', 'HEAD');
  rmSync(join(folder.path, 'cache', 'trees'), { recursive: true });
  assert.equal((await (await checkout(sourceOf(url, old), context)).read('a'))?.toString(), '1');
  assert.equal((await (await checkout(sourceOf(url, rewritten, 'refs/heads/main'), context)).read('a'))?.toString(), '2');
  const never = stageContext(join(folder.path, 'other'));
  await assert.rejects(checkout(sourceOf(url, old, 'refs/heads/main'), never), { code: 'ref_not_found', hint: /launch again/ });
});

test('file names of every legal byte are listed and read', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const bytes = Array.from({ length: 255 }, (_, index) => index + 1).filter((byte) => byte !== 0x2f);
  const names = bytes.map((byte) => Buffer.concat([Buffer.from('n'), Buffer.of(byte)]));
  names.push(Buffer.from('ünï/日本\ufffd.ipynb'), Buffer.from('"quoted" \\ -x'), Buffer.from('--upload-pack=x'));
  mkdirSync(join(repo.path, 'ünï'));
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${repo.path}/`), name]), name);
  const commit = repo.commit({});
  const tree = await checkout(sourceOf(repo.url, commit), stageContext(folder.path));
  const entries = await entriesOf(tree);
  assert.equal(entries.length, names.length);
  assert.equal(new Set(entries.map(({ path }) => path)).size, names.length);
  const read = await Promise.all(entries.map(({ path }) => tree.read(path)));
  assert.deepEqual(new Set(read.map((content) => content?.toString('hex'))), new Set(names.map((name) => name.toString('hex'))));
  assert.equal(git(tree.folder, 'status', '--porcelain'), '');
});

test('links out of the tree are not followed; those inside are', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  writeFileSync(join(folder.path, 'secret'), 'secret');
  const links: Readonly<Record<string, string>> = {
    absolute: '/etc/hostname',
    climbing: '../secret',
    sly: 'd/../../../../../../../../../../etc/hostname',
    hop: 'absolute',
    folder: '..',
    loop: 'loop',
    git: '.git/config',
    fine: 'd/in',
    dir: 'd',
    dangling: 'nowhere',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(repo.path, name));
  const commit = repo.commit({ 'd/in': 'inside', 'd/up': '' });
  const tree = await checkout(sourceOf(repo.url, commit), stageContext(folder.path));
  for (const path of [
    'absolute',
    'climbing',
    'sly',
    'hop',
    'folder/secret',
    'loop',
    'git',
    '../x',
    '.git/config',
    'd/../.git/config',
    'dir/../../x',
  ])
    await assert.rejects(tree.read(path), { code: 'tree_invalid' }, path);
  for (const path of ['fine', 'dir/in', 'd/in', './d//in']) assert.equal((await tree.read(path))?.toString(), 'inside', path);
  for (const path of ['dangling', 'nothing', 'd', 'd/in/x', 'a\0b', 'x'.repeat(5000)]) assert.equal(await tree.read(path), undefined, path);
  assert.deepEqual(
    (await entriesOf(tree)).find(({ path }) => path === 'absolute'),
    {
      path: 'absolute',
      type: 'symlink',
      executable: false,
      size: 13,
    },
  );
});

test('nothing of the repository runs while it is checked out', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const attributes = '* filter=evil diff=evil merge=evil\n*.x text eol=crlf working-tree-encoding=UTF-16\n';
  const commit = repo.commit({ '.gitattributes': attributes, a: '1', '.lfsconfig': '[lfs]\n\turl = file:///etc\n' });
  const tree = await checkout(sourceOf(repo.url, commit), stageContext(folder.path));
  assert.equal((await tree.read('a'))?.toString(), '1');
  assert.deepEqual(
    readdirSync(join(tree.folder, '.git')).filter((name) => name === 'hooks'),
    [],
  );
});

test('a repository larger than the limit is refused', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const commit = repo.commit({ zeros: Buffer.alloc(3_000_000) });
  const context = stageContext(folder.path, { settings: { git: { maxBytes: 1_000_000 } } });
  await assert.rejects(checkout(sourceOf(repo.url, commit), context), { code: 'tree_too_large', hint: /git\.maxBytes/ });
  assert.ok(!existsSync(join(folder.path, 'cache', 'trees')));
});

test('a cache that a crash left locked or half-made mends itself', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const context = stageContext(folder.path);
  await checkout(sourceOf(repo.url, repo.commit({ a: '1' })), context);
  const repos = join(folder.path, 'cache', 'repos');
  const bare = join(repos, readdirSync(repos)[0] ?? '');
  writeFileSync(join(bare, 'shallow.lock'), '');
  const second = repo.commit({ a: '2' });
  mkdirSync(join(folder.path, 'cache', 'trees', `${second.slice(0, 16)}-x.partial-1`));
  assert.equal((await (await checkout(sourceOf(repo.url, second), context)).read('a'))?.toString(), '2');
  writeFileSync(join(bare, 'HEAD'), '');
  rmSync(join(bare, 'objects'), { recursive: true });
  const third = repo.commit({ a: '3' });
  assert.equal((await (await checkout(sourceOf(repo.url, third), context)).read('a'))?.toString(), '3');
});

test('a repository of sha256 objects is checked out', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'), ['--object-format=sha256']);
  const commit = repo.commit({ a: '1' });
  assert.equal(commit.length, 64);
  const tree = await checkout(sourceOf(repo.url, commit), stageContext(folder.path));
  assert.equal(git(tree.folder, 'rev-parse', 'HEAD'), commit);
  assert.equal(git(tree.folder, 'status', '--porcelain'), '');
});

test('progress is told to every launch, also to one that joins', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const commit = repo.commit({ a: '1' });
  const first = stageContext(folder.path);
  const second = { ...first, events: [] as unknown[], emit: (event: unknown) => second.events.push(event) };
  await Promise.all([checkout(sourceOf(repo.url, commit), first), checkout(sourceOf(repo.url, commit), second)]);
  const lines = (events: readonly unknown[]): unknown[] => events.filter((event) => (event as { kind: string }).kind === 'log');
  assert.ok(lines(first.events).length > 0);
  assert.deepEqual(lines(second.events), lines(first.events));
  assert.ok(readFileSync(join(folder.path, 'cache', 'trees', readdirSync(join(folder.path, 'cache', 'trees'))[0] ?? '', 'tree.json')));
});
