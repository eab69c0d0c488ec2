import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLink, withRef, type Link } from '@bindery/wire/link.ts';
import { labToOpen } from '@bindery/wire/link-open.ts';
import { GitServer } from '../../../../test/fakes/git-server.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { Turns } from '../base/turns.ts';
import { sameUser } from '../base/worker.ts';
import { makeGit } from '../clients/git.ts';
import type { Provider } from '../contracts/provider.ts';
import type { Source } from '../contracts/source.ts';
import { gitProvider, type GitProviderTools } from './git.ts';

const signal = new AbortController().signal;

function provider(folder: string, given: Partial<GitProviderTools> = {}): Provider {
  return gitProvider({
    git: makeGit(sameUser, { PATH: process.env['PATH'] }),
    worker: sameUser,
    turns: new Turns(),
    folder: join(folder, 'repos'),
    protocols: ['https', 'http', 'ssh', 'git', 'file'],
    timeoutMs: 60_000,
    maxBytes: 2 ** 30,
    ...given,
  });
}

function linkTo(url: string, ref = 'HEAD', path = ''): Link {
  return { ...withRef(parseLink(url), ref), open: labToOpen(path) };
}

/** A repository with everything that a careless look-up takes for something else. */
function tricky(folder: string): { repo: Repository; main: string; feature: string; tagged: string } {
  const repo = new Repository(join(folder, 'r'));
  const tagged = repo.commit({ a: '1' });
  repo.git('tag', '-a', '-m', 'annotated', 'v1');
  repo.git('tag', 'light');
  const feature = repo.commit({ a: '2' });
  repo.git('branch', 'feature/main');
  repo.git('branch', 'a/main');
  repo.git('branch', 'deep/er/branch');
  repo.git('tag', 'x/v1');
  repo.git('update-ref', 'refs/pull/1/head', feature);
  const main = repo.commit({ a: '3', 'docs/n.ipynb': '{}' });
  repo.git('tag', 'both', tagged);
  repo.git('branch', 'both', main);
  return { repo, main, feature, tagged };
}

test('a ref means exactly the branch or tag of that name', async () => {
  using folder = new TemporaryFolder();
  const { repo, main, feature, tagged } = tricky(folder.path);
  repo.git('clone', '--quiet', '--bare', repo.path, join(folder.path, 'r.git'));
  repo.git('-C', join(folder.path, 'r.git'), 'update-ref', 'refs/pull/1/head', feature);
  await using server = await GitServer.start(folder.path);
  const cases: readonly (readonly [ref: string, commit: string, branch: string])[] = [
    ['main', main, 'refs/heads/main'], // not refs/heads/a/main, which is listed first
    ['feature/main', feature, 'refs/heads/feature/main'],
    ['HEAD', main, 'refs/heads/main'],
    ['v1', tagged, 'refs/tags/v1'], // the commit, not the tag object; not x/v1
    ['light', tagged, 'refs/tags/light'],
    ['x/v1', feature, 'refs/tags/x/v1'],
    ['both', main, 'refs/heads/both'],
    ['refs/tags/both', tagged, 'refs/tags/both'],
    ['tags/both', tagged, 'refs/tags/both'],
    ['heads/main', main, 'refs/heads/main'],
    ['refs/pull/1/head', feature, 'refs/pull/1/head'],
    ['pull/1/head', feature, 'refs/pull/1/head'],
  ];
  for (const url of [`file://${folder.path}/r.git`, `${server.url}/r.git`])
    for (const [ref, commit, branch] of cases) {
      const source = await provider(folder.path).resolve(linkTo(url, ref), signal);
      assert.deepEqual({ ref: source.ref, branch: source.branch, url: source.url }, { ref: commit, branch, url }, ref);
    }
});

test('a whole commit id stands for itself; a short one is completed by what branches and tags lead to', async () => {
  using folder = new TemporaryFolder();
  const { repo, main } = tricky(folder.path);
  const git = provider(folder.path);
  const source = await git.resolve(linkTo(repo.url, main.toUpperCase()), signal);
  assert.equal(source.ref, main);
  const short = await git.resolve(linkTo(repo.url, main.slice(0, 8)), signal);
  assert.equal(short.ref, main);
  assert.match(short.note ?? '', new RegExp(main));
  await assert.rejects(git.resolve(linkTo(repo.url, '0000000'), signal), { code: 'ref_not_found' });
});

test('a ref may reach into the path of the address', async () => {
  using folder = new TemporaryFolder();
  const { repo, feature, main } = tricky(folder.path);
  const git = provider(folder.path);
  const deep = await git.resolve(linkTo(repo.url, 'deep', 'er/branch/docs/n.ipynb'), signal);
  assert.deepEqual([deep.ref, deep.open], [feature, { kind: 'url', path: 'lab/tree/docs/n.ipynb' }]);
  const whole = await git.resolve(linkTo(repo.url, 'deep', 'er/branch'), signal);
  assert.deepEqual([whole.ref, whole.open], [feature, { kind: 'default' }]);
  const plain = await git.resolve(linkTo(repo.url, 'main', 'docs/n.ipynb'), signal);
  assert.deepEqual([plain.ref, plain.open], [main, undefined]);
});

test('a missing ref is named, with those that come near', async () => {
  using folder = new TemporaryFolder();
  const { repo } = tricky(folder.path);
  const git = provider(folder.path);
  await assert.rejects(git.resolve(linkTo(repo.url, 'mian'), signal), {
    code: 'ref_not_found',
    retryable: false,
    hint: /main/,
    message: /"mian"/,
  });
  await assert.rejects(git.resolve(linkTo(repo.url, 'nothing-like-it'), signal), { code: 'ref_not_found', hint: /It has .*main/ });
});

test('an empty repository, and one whose HEAD leads nowhere, say so', async () => {
  using folder = new TemporaryFolder();
  const empty = new Repository(join(folder.path, 'empty.git'), ['--bare']);
  const git = provider(folder.path);
  for (const ref of ['HEAD', 'main']) await assert.rejects(git.resolve(linkTo(empty.url, ref), signal), { code: 'repository_empty' });
  const { repo } = tricky(folder.path);
  repo.git('clone', '--quiet', '--bare', repo.path, join(folder.path, 'lost.git'));
  writeFileSync(join(folder.path, 'lost.git', 'HEAD'), 'ref: refs/heads/gone\n');
  await assert.rejects(git.resolve(linkTo(`file://${folder.path}/lost.git`), signal), {
    code: 'ref_not_found',
    message: /default/,
    hint: /main/,
  });
});

test('protocols that are not open are refused', async () => {
  using folder = new TemporaryFolder();
  const git = provider(folder.path, { protocols: ['https'] });
  await assert.rejects(git.resolve(linkTo('/tmp'), signal), { code: 'link_forbidden', message: /folders/ });
  await assert.rejects(git.resolve(linkTo('git://127.0.0.1/x'), signal), { code: 'link_forbidden', message: /git:/ });
});

test('what is not there, private, broken, limited or silent is told apart', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path);
  const git = provider(folder.path);
  const answers: readonly (readonly [status: number | undefined, code: string, retryable: boolean])[] = [
    [undefined, 'repository_not_found', false],
    [401, 'repository_not_found', false],
    [403, 'repository_not_found', false],
    [404, 'repository_not_found', false],
    [429, 'upstream_rate_limited', true],
    [500, 'upstream_unreachable', true],
    [503, 'upstream_unreachable', true],
  ];
  for (const [status, code, retryable] of answers) {
    if (status) server.options.status = status;
    await assert.rejects(git.resolve(linkTo(`${server.url}/x.git`), signal), { code, retryable }, String(status));
  }
  await assert.rejects(git.resolve(linkTo(join(folder.path, 'nowhere')), signal), { code: 'repository_not_found', message: /nowhere/ });
  await assert.rejects(git.resolve(linkTo('http://no-such-host.invalid/x'), signal), {
    code: 'upstream_unreachable',
    message: /no-such-host\.invalid/,
  });
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as { port: number };
  closed.close();
  await once(closed, 'close');
  await assert.rejects(git.resolve(linkTo(`http://127.0.0.1:${port}/x`), signal), { code: 'upstream_unreachable', retryable: true });
});

test('an ssh address reaches ssh as one host and one quoted path', async () => {
  using folder = new TemporaryFolder();
  const { main } = tricky(folder.path);
  const said = join(folder.path, 'said');
  // what sshd would do: hand the command to a shell
  writeFileSync(join(folder.path, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" >> ${said}\nfor last; do :; done\nexec sh -c "$last"\n`, {
    mode: 0o755,
  });
  const git = makeGit(sameUser, { PATH: `${folder.path}:${process.env['PATH']}` });
  const evil = `${folder.path}/r;touch ${folder.path}/ran`;
  const ssh = provider(folder.path, { git });
  assert.equal((await ssh.resolve(linkTo(`git@host.example:${folder.path}/r`), signal)).ref, main);
  assert.match(readFileSync(said, 'utf8'), /^git@host\.example$/m);
  await assert.rejects(ssh.resolve(linkTo(`ssh://git@host.example:2222${evil}`), signal), { code: 'repository_not_found' });
  assert.equal(statSync(join(folder.path, 'ran'), { throwIfNoEntry: false }), undefined);
});

test('a page that is no repository is not one', async () => {
  using folder = new TemporaryFolder();
  writeFileSync(join(folder.path, 'x'), '<html>hello</html>');
  await using server = await GitServer.start(folder.path, { kind: 'dumb' });
  await assert.rejects(provider(folder.path).resolve(linkTo(`${server.url}/x`), signal), { code: 'repository_not_found' });
});

test('a server that never answers is given up, and that is an outage', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path, { hangs: true });
  const git = provider(folder.path, { timeoutMs: 500 });
  await assert.rejects(git.resolve(linkTo(`${server.url}/x`), signal), {
    code: 'upstream_unreachable',
    retryable: true,
    message: '127.0.0.1 did not answer within 0.5 seconds.',
  });
});

test('a server that never answers ends with the caller', async () => {
  using folder = new TemporaryFolder();
  await using server = await GitServer.start(folder.path, { hangs: true });
  const controller = new AbortController();
  const resolving = provider(folder.path).resolve(linkTo(`${server.url}/x`), controller.signal);
  const deadline = Date.now() + 10_000;
  while (server.requests.length === 0 && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  controller.abort(new Error('gone'));
  await assert.rejects(resolving, { message: 'gone' });
});

test('a folder with changes is taken as it is, and nothing is written to it', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const head = repo.commit({ '.gitignore': 'out/\n', a: '1', 'sub/b': '2', 'out/kept': 'forced' });
  const git = provider(folder.path);
  const resolve = (): Promise<Source> => git.resolve(linkTo(repo.path), signal);
  assert.deepEqual(await resolve(), { provider: 'git', slug: 'r', url: repo.url, ref: head, branch: 'refs/heads/main' });
  repo.git('add', '--force', 'out/kept');
  repo.git('commit', '--quiet', '-m', 'ignored, but committed');
  assert.equal((await resolve()).note, undefined);

  repo.write({ a: 'changed', new: 'untracked', 'out/new': 'ignored' });
  writeFileSync(join(repo.path, '.git/info/exclude'), 'private\n');
  repo.write({ private: 'x' });
  const before = snapshotOf(repo.path);
  const source = await resolve();
  assert.match(source.note ?? '', /not committed/);
  await new Promise((later) => setTimeout(later, 1000 - (Date.now() % 1000))); // a commit made in another second would have another id
  assert.equal((await resolve()).ref, source.ref);
  assert.deepEqual(snapshotOf(repo.path), before);
  const bare = join(folder.path, 'repos', readdirSync(join(folder.path, 'repos'))[0] ?? '');
  const files = execFileSync('git', ['-c', 'safe.directory=*', '-C', bare, 'ls-tree', '-r', '--name-only', source.ref], {
    encoding: 'utf8',
  });
  assert.deepEqual(files.trim().split('\n'), ['.gitignore', 'a', 'new', 'out/kept', 'sub/b']);

  repo.commit({});
  assert.equal((await resolve()).ref, repo.git('rev-parse', 'HEAD'));
  writeFileSync(`${bare}.json`, '{"head');
  assert.equal((await resolve()).ref, repo.git('rev-parse', 'HEAD'));
  rmSync(bare, { recursive: true });
  assert.equal((await resolve()).ref, repo.git('rev-parse', 'HEAD'));
  const explicit = await git.resolve(linkTo(repo.path, head), signal);
  assert.equal(explicit.ref, head);
});

test('a folder is taken again after its changes were committed and it was changed once more', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ a: '1' });
  const git = provider(folder.path);
  const refs = new Set<string>();
  for (const text of ['changed', 'changed again']) {
    repo.write({ a: text });
    refs.add((await git.resolve(linkTo(repo.path), signal)).ref);
    repo.commit({ a: `${text}, then committed` });
  }
  assert.equal(refs.size, 2);
});

test('a folder that is no repository is taken as it is; it has no refs', async () => {
  using folder = new TemporaryFolder();
  const place = join(folder.path, 'plain');
  mkdirSync(place);
  writeFileSync(join(place, 'a.ipynb'), '{}');
  const git = provider(folder.path);
  const first = await git.resolve(linkTo(place), signal);
  assert.match(first.note ?? '', /not a Git repository/);
  assert.deepEqual(readdirSync(place), ['a.ipynb']);
  assert.equal((await git.resolve(linkTo(place), signal)).ref, first.ref);
  writeFileSync(join(place, 'a.ipynb'), '{ }');
  assert.notEqual((await git.resolve(linkTo(place), signal)).ref, first.ref);
  await assert.rejects(git.resolve(linkTo(place, 'main'), signal), { code: 'ref_not_found', message: /not a Git repository/ });
  await assert.rejects(git.resolve(linkTo(join(place, 'a.ipynb')), signal), { code: 'repository_not_found', message: /is a file/ });
});

test('a clone whose files were never checked out is taken at its HEAD', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  const head = repo.commit({ a: '1' });
  repo.git('clone', '--quiet', '--no-checkout', repo.path, join(folder.path, 'clone'));
  const source = await provider(folder.path).resolve(linkTo(join(folder.path, 'clone')), signal);
  assert.deepEqual([source.ref, source.note], [head, undefined]);
});

test('a repository without commits inside a folder is named', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ a: '1' });
  new Repository(join(repo.path, 'in ner')).write({ b: '2' });
  await assert.rejects(provider(folder.path).resolve(linkTo(repo.path), signal), {
    code: 'tree_invalid',
    message: /r\/in ner is a repository/,
  });
});

test('a folder inside a repository means that folder alone', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ a: '1', 'examples/hello/b': '2' });
  const source = await provider(folder.path).resolve(linkTo(join(repo.path, 'examples/hello')), signal);
  assert.match(source.note ?? '', /as they are now/);
  assert.equal(source.slug, 'hello');
});

test('a repository without commits, and a linked work tree, can be opened', async () => {
  using folder = new TemporaryFolder();
  const fresh = new Repository(join(folder.path, 'fresh'));
  fresh.write({ a: '1' });
  assert.match((await provider(folder.path).resolve(linkTo(fresh.path), signal)).note ?? '', /no commits yet/);
  const repo = new Repository(join(folder.path, 'r'));
  const head = repo.commit({ a: '1' });
  repo.git('worktree', 'add', '--quiet', '-b', 'linked', join(folder.path, 'linked'));
  const source = await provider(folder.path).resolve(linkTo(join(folder.path, 'linked')), signal);
  assert.deepEqual([source.ref, source.branch], [head, 'refs/heads/linked']);
});

test('nothing that a folder configures is run', async () => {
  using folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'r'));
  repo.commit({ a: '1', '.gitattributes': '* filter=evil diff=evil\n' });
  const mark = join(folder.path, 'ran');
  const script = join(folder.path, 'evil.sh');
  writeFileSync(script, `#!/bin/sh\ntouch ${mark}\ncat\n`);
  chmodSync(script, 0o755);
  for (const key of [
    'core.fsmonitor',
    'filter.evil.clean',
    'filter.evil.smudge',
    'diff.evil.textconv',
    'diff.external',
    'core.sshCommand',
    'core.pager',
    'uploadpack.packObjectsHook',
    'core.alternateRefsCommand',
  ])
    repo.git('config', key, script);
  for (const hook of ['post-checkout', 'pre-commit', 'reference-transaction', 'post-index-change']) {
    mkdirSync(join(repo.path, '.git/hooks'), { recursive: true });
    writeFileSync(join(repo.path, '.git/hooks', hook), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
  }
  repo.write({ a: 'changed' });
  await provider(folder.path).resolve(linkTo(repo.path), signal);
  assert.equal(statSync(mark, { throwIfNoEntry: false }), undefined);
  repo.git('add', '--all');
  assert.ok(statSync(mark), 'the trap is armed: git itself runs it');
});

/** Names, sizes and times of everything below a folder. */
function snapshotOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const { mtimeMs, size, mode } = statSync(join(path, name));
      return `${name} ${mtimeMs} ${size} ${mode}`;
    })
    .toSorted();
}
