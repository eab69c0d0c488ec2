import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stageContext } from '../../../../test/fakes/context.ts';
import { GitServer } from '../../../../test/fakes/git-server.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import type { Source } from '../contracts/source.ts';
import { checkout } from './checkout.ts';

function sourceOf(url: string, ref: string): Source {
  return { provider: 'git', slug: 'a/b', url, ref };
}

/** Records a submodule without asking whether it can be had. */
function addLink(repo: Repository, path: string, commit: string, url?: string): void {
  if (url !== undefined) {
    const before = existsSync(join(repo.path, '.gitmodules')) ? readFileSync(join(repo.path, '.gitmodules'), 'utf8') : '';
    writeFileSync(join(repo.path, '.gitmodules'), `${before}[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`);
    repo.git('add', '.gitmodules');
  }
  repo.git('update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
}

function commitIndex(repo: Repository): string {
  repo.git('commit', '--quiet', '-m', 'submodules');
  return repo.git('rev-parse', 'HEAD');
}

test('submodules come with the repository, at their commits, and theirs with them', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path);
  const inner = new Repository(join(folder.path, 'inner'));
  const innerCommit = inner.commit({ deep: 'inner' });
  inner.commit({ deep: 'later' });
  const middle = new Repository(join(folder.path, 'middle'));
  middle.commit({ m: 'middle' });
  addLink(middle, 'lib/inner', innerCommit, `${server.url}/inner`);
  const middleCommit = commitIndex(middle);
  const outer = new Repository(join(folder.path, 'outer'));
  outer.commit({ a: '1' });
  addLink(outer, 'sub dir/middle', middleCommit, '../middle');
  const commit = commitIndex(outer);

  const tree = await checkout(sourceOf(`${server.url}/outer`, commit), stageContext(folder.path));
  const copy = join(folder.path, 'home');
  execFileSync('cp', ['-a', tree.folder, copy]);
  assert.equal(readFileSync(join(copy, 'sub dir/middle/lib/inner/deep'), 'utf8'), 'inner');
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'safe.directory=*', '-C', copy, ...args], { encoding: 'utf8' });
  assert.equal(git('status', '--porcelain'), '');
  assert.doesNotMatch(git('submodule', 'status', '--recursive'), /^[-+U]/m);
  const entries = [];
  for await (const entry of tree.list()) entries.push(entry);
  assert.deepEqual(
    entries.find(({ path }) => path === 'sub dir/middle'),
    { path: 'sub dir/middle', type: 'submodule', executable: false, size: 0 },
  );
  assert.equal((await tree.read('sub dir/middle/m'))?.toString(), 'middle');
});

test('a submodule without an address stays empty, and that is said, also the next time', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const first = repo.commit({ a: '1' });
  addLink(repo, 'lost', first);
  const source = sourceOf(repo.url, commitIndex(repo));
  for (const context of [stageContext(folder.path), stageContext(folder.path)]) {
    await checkout(source, context);
    assert.ok(context.events.some(({ kind, message }) => kind === 'info' && /lost is a submodule without an address/.test(message)));
  }
});

for (const url of ['ext::sh -c touch% /tmp/x', '--upload-pack=touch', 'file:///etc', '/etc', 'git@host:a\\nb', 'https://u:p@127.0.0.1/x'])
  test(`a submodule of a remote repository at ${url} is refused`, async () => {
    using folder = new TemporaryFolder();
    await using server = await GitServer.start(folder.path);
    const repo = new Repository(join(folder.path, 'r'));
    const first = repo.commit({ a: '1' });
    addLink(repo, 'evil', first, JSON.stringify(url).replaceAll('\\\\n', '\\n'));
    const commit = commitIndex(repo);
    await assert.rejects(checkout(sourceOf(`${server.url}/r`, commit), stageContext(folder.path)), {
      code: 'tree_invalid',
      message: /evil/,
    });
  });

test('an address that climbs to another host is checked when it is whole', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path);
  const repo = new Repository(join(folder.path, 'r'));
  addLink(repo, 'evil', repo.commit({ a: '1' }), '../../-oProxyCommand=x/y');
  const commit = commitIndex(repo);
  await assert.rejects(checkout(sourceOf(`${server.url}/r`, commit), stageContext(folder.path)), { code: 'tree_invalid', message: /evil/ });
});

test('a hub for everybody fetches nothing from private networks, not for a submodule either', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path);
  const repo = new Repository(join(folder.path, 'r'));
  const first = repo.commit({ a: '1' });
  addLink(repo, 'inner', first, `${server.url}/inner`);
  const commit = commitIndex(repo);
  const closed = { settings: { git: { privateHosts: false } } };
  await assert.rejects(checkout(sourceOf(`${server.url}/r`, commit), stageContext(folder.path, closed)), { code: 'link_forbidden' });
  await assert.rejects(checkout(sourceOf(repo.url, commit), stageContext(folder.path, closed)), { code: 'link_forbidden' });
  assert.deepEqual(server.requests, []);
});

test('a submodule that cannot be had fails the launch and is named', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path);
  const repo = new Repository(join(folder.path, 'r'));
  addLink(repo, 'private', repo.commit({ a: '1' }), '../private');
  const commit = commitIndex(repo);
  await assert.rejects(checkout(sourceOf(`${server.url}/r`, commit), stageContext(folder.path)), {
    code: 'repository_not_found',
    message: /The submodule private could not be fetched/,
  });
});
