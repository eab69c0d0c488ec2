import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLink } from '@bindery/wire/link.ts';
import { GithubServer } from '../../../../test/fakes/github-server.ts';
import { GitServer } from '../../../../test/fakes/git-server.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import type { Clock } from '../base/clock.ts';
import { sameUser } from '../base/worker.ts';
import { makeGit } from '../clients/git.ts';
import { Github } from '../clients/github.ts';
import type { Provider } from '../contracts/provider.ts';
import type { Source } from '../contracts/source.ts';
import { ghProvider } from './gh.ts';

const signal = new AbortController().signal;

/** A clock that stands until it is moved. */
class StandingClock implements Clock {
  time = Date.now();
  now = (): number => this.time;
  monotonic = (): number => this.time;
}

interface Place extends AsyncDisposable {
  readonly api: GithubServer;
  readonly hosts: GitServer;
  readonly repo: Repository;
  readonly clock: StandingClock;
  readonly provider: Provider;
  readonly main: string;
  readonly feature: string;
  resolve(text: string): Promise<Source>;
}

/** An own GitHub with one repository, `Ann/Demo`, known to its API and to git. */
async function place(token?: string): Promise<Place> {
  const folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'Ann', 'Demo'));
  const feature = repo.commit({ a: '1' });
  repo.git('branch', 'feature/x');
  repo.git('update-ref', 'refs/pull/3/head', feature);
  const main = repo.commit({ a: '2' });
  const hosts = await GitServer.start(folder.path);
  const api = await GithubServer.start({ name: 'Ann/Demo', refs: { HEAD: main, main, 'feature/x': feature } });
  const clock = new StandingClock();
  const github = new Github({ apiUrl: api.url, token, clock });
  const git = makeGit(sameUser, { PATH: process.env['PATH'] });
  const provider = ghProvider({ github, git, url: hosts.url, protocols: ['http'] });
  return {
    api,
    hosts,
    repo,
    clock,
    provider,
    main,
    feature,
    resolve: (text) => provider.resolve(parseLink(text), signal),
    async [Symbol.asyncDispose]() {
      await github.close();
      await api[Symbol.asyncDispose]();
      await hosts[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

test('a ref is looked up by the API, and the repository spelled as GitHub has it', async () => {
  await using at = await place();
  const source = await at.resolve('ann/dEMO/feature/x');
  const url = `${at.hosts.url}/Ann/Demo`;
  assert.deepEqual(source, { provider: 'gh', slug: 'Ann/Demo', url, ref: at.feature, refUrl: `${url}/tree/${at.feature}` });
  assert.deepEqual(at.hosts.requests, []);
  assert.equal((await at.resolve('ann/demo')).ref, at.main);
  const short = await at.resolve(`ann/demo/${at.main.slice(0, 7)}`);
  assert.deepEqual([short.ref, short.note], [at.main, `${at.main.slice(0, 7)} is commit ${at.main}.`]);
});

test('a whole commit id asks nobody', async () => {
  await using at = await place();
  assert.equal((await at.resolve(`Ann/Demo/${at.main.toUpperCase()}`)).ref, at.main);
  assert.deepEqual([...at.api.requests, ...at.hosts.requests], []);
});

test('an answer is asked about again with its ETag, which costs nothing', async () => {
  await using at = await place('secret-token');
  for (let times = 0; times < 3; times++) assert.equal((await at.resolve('Ann/Demo/main')).ref, at.main);
  assert.equal(at.api.requests.length, 3);
  assert.equal(at.api.remaining, 59);
  at.api.repositories[0]!.refs['main'] = at.feature;
  assert.equal((await at.resolve('Ann/Demo/main')).ref, at.feature);
  assert.deepEqual([...at.api.authorizations], ['Bearer secret-token']);
});

test('one question at a time', async () => {
  await using at = await place();
  const sources = await Promise.all(Array.from({ length: 20 }, (_, index) => at.resolve(index % 2 ? 'Ann/Demo/main' : 'ann/demo/main')));
  assert.equal(new Set(sources.map(({ ref }) => ref)).size, 1);
  assert.equal(at.api.requests.length, 1);
});

test('a repository that is not there is not asked for again at once', async () => {
  await using at = await place();
  for (let times = 0; times < 3; times++)
    await assert.rejects(at.resolve('nobody/nothing'), { code: 'repository_not_found', message: /nobody\/nothing/, retryable: false });
  assert.equal(at.api.requests.length, 1);
  at.api.repositories.push({ name: 'nobody/nothing', refs: { HEAD: at.main } });
  at.clock.time += 31_000;
  assert.equal((await at.resolve('nobody/nothing')).ref, at.main);
});

test('a rate limit, a refusal or an outage of the API leaves git to answer', async () => {
  await using at = await place();
  at.api.remaining = 0;
  const source = await at.resolve('Ann/Demo/feature/x');
  assert.deepEqual([source.ref, source.branch], [at.feature, 'refs/heads/feature/x']);
  await at.resolve('Ann/Demo/main');
  assert.equal(at.api.requests.length, 1, 'the API is left alone until the limit ends');
  at.api.remaining = 60;
  at.clock.time += 1_801_000;
  assert.equal((await at.resolve('Ann/Demo/main')).branch, undefined);
  assert.equal(at.api.requests.length, 2);
  for (const status of [401, 403, 500, 503]) {
    at.api.status = status;
    assert.equal((await at.resolve('Ann/Demo/main')).branch, 'refs/heads/main', String(status));
  }
  await at.api[Symbol.asyncDispose]();
  assert.equal((await at.resolve('Ann/Demo/main')).ref, at.main);
});

test('a renamed repository is followed, but never to another host', async () => {
  await using at = await place('secret-token');
  at.api.renamed.set('old/name', 0);
  assert.equal((await at.resolve('old/name/main')).slug, 'Ann/Demo');
  await using elsewhere = await GithubServer.start();
  at.api.redirectTo = `${elsewhere.url}/x`;
  assert.equal((await at.resolve('Ann/Demo/feature/x')).ref, at.feature);
  assert.deepEqual(elsewhere.requests, []);
});

test('a missing ref is named with those that come near; an empty repository says so', async () => {
  await using at = await place();
  await assert.rejects(at.resolve('Ann/Demo/mian'), { code: 'ref_not_found', hint: /main/ });
  at.api.repositories.push({ name: 'ann/empty', refs: {} });
  await assert.rejects(at.resolve('ann/empty'), { code: 'repository_empty' });
});

test('a ref may reach into the path of a pasted page, and a pull request is found by git', async () => {
  await using at = await place();
  const host = new URL(at.hosts.url).host;
  const link = (path: string): ReturnType<typeof parseLink> => parseLink(`http://${host}/Ann/Demo/${path}`, { githubHosts: [host] });
  const deep = await at.provider.resolve(link('blob/feature/x/a/b.ipynb'), signal);
  assert.deepEqual([deep.ref, deep.open], [at.feature, { kind: 'url', path: 'lab/tree/a/b.ipynb' }]);
  const pull = await at.provider.resolve(link('pull/3/files'), signal);
  assert.deepEqual([pull.ref, pull.branch], [at.feature, 'refs/pull/3/head']);
});

test('refs are escaped in the question', async () => {
  await using at = await place();
  at.api.repositories[0]!.refs['a#b%c'] = at.main;
  assert.equal((await at.resolve('Ann/Demo/a#b%c')).ref, at.main);
  assert.match(at.api.requests[0] ?? '', /commits\/a%23b%25c\?/);
});
