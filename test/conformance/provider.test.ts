import { join } from 'node:path';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { Turns } from '../../packages/bindery/src/base/turns.ts';
import { sameUser } from '../../packages/bindery/src/base/worker.ts';
import { makeGit } from '../../packages/bindery/src/clients/git.ts';
import { Github } from '../../packages/bindery/src/clients/github.ts';
import { ghProvider } from '../../packages/bindery/src/providers/gh.ts';
import { gitProvider } from '../../packages/bindery/src/providers/git.ts';
import { GithubServer } from '../fakes/github-server.ts';
import { GitServer } from '../fakes/git-server.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { providerConformance, type ProviderPlace } from './provider.ts';

const BAD = ['', '--upload-pack=x', 'ext%3A%3Ash/main', 'a%00b/main', '-x/y/z'];
const git = makeGit(sameUser, { PATH: process.env['PATH'] });

interface Demo {
  readonly folder: TemporaryFolder;
  readonly server: GitServer;
  readonly main: string;
  readonly tagged: string;
}

/** `ann/demo` on a Git server. */
async function demo(): Promise<Demo> {
  const folder = new TemporaryFolder();
  const repo = new Repository(join(folder.path, 'ann', 'demo'));
  const tagged = repo.commit({ a: '1' });
  repo.git('tag', '-a', '-m', 'annotated', 'v1');
  const main = repo.commit({ a: '2' });
  return { folder, server: await GitServer.start(folder.path), main, tagged };
}

async function gitPlace(): Promise<ProviderPlace> {
  const { folder, server, main, tagged } = await demo();
  const limits = { protocols: ['http'], timeoutMs: 60_000, maxBytes: 2 ** 30 };
  return {
    provider: gitProvider({ git, worker: sameUser, turns: new Turns(), folder: join(folder.path, 'repos'), ...limits }),
    spec: (ref) => `${encodeURIComponent(`${server.url}/ann/demo`)}/${ref}`,
    missingSpec: `${encodeURIComponent(`${server.url}/ann/nothing`)}/HEAD`,
    badSpecs: BAD,
    main,
    tagged,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

async function ghPlace(): Promise<ProviderPlace> {
  const { folder, server, main, tagged } = await demo();
  const api = await GithubServer.start({ name: 'ann/demo', refs: { HEAD: main, main, v1: tagged } });
  const github = new Github({ apiUrl: api.url, clock: systemClock });
  return {
    provider: ghProvider({ github, git, url: server.url, protocols: ['http'] }),
    spec: (ref) => `ann/demo/${ref}`,
    missingSpec: 'ann/nothing/HEAD',
    badSpecs: [...BAD, 'ann', 'ann/..', 'ann/demo/a b'],
    main,
    tagged,
    async [Symbol.asyncDispose]() {
      await github.close();
      await api[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

providerConformance('git', gitPlace);
providerConformance('gh', ghPlace);
