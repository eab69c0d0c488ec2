import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BinderyError } from '@bindery/wire/errors.ts';
import { Repository, TemporaryFolder } from '../../../../test/fakes/repository.ts';
import { loweredTo, sameUser } from '../base/worker.ts';
import { listRefs } from './git-refs.ts';
import { sshWay, type SshSettings } from './git-ssh.ts';
import { makeGit, type Git } from './git.ts';

const UID = 0x0b1d_0000;
const isRoot = process.getuid?.() === 0;

describe('git by ssh', () => {
  const folder = new TemporaryFolder();
  const programs = join(folder.path, 'bin');
  const repository = new Repository(join(folder.path, 'repository'));
  let commit = '';
  before(() => {
    commit = repository.commit({ 'a.txt': 'a' });
    mkdirSync(programs);
  });
  after(() => folder[Symbol.dispose]());

  /** Stands for ssh: writes down how it was called, then runs the remote command here, or fails with these words. */
  const fakeSsh = (says?: string): void => {
    const end = says === undefined ? 'for last; do :; done; eval "$last"' : `echo '${says}' >&2; exit 255`;
    writeFileSync(join(programs, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${folder.path}/called'\n${end}\n`);
    chmodSync(join(programs, 'ssh'), 0o755);
  };
  const git = (settings: Partial<SshSettings> = {}, path = `${programs}:${process.env['PATH']}`): Git =>
    makeGit(sameUser, { PATH: path }, () => sshWay(sameUser, { folder: join(folder.path, 'ssh'), ...settings }));
  const refs = async (by: Git, host = 'git@example.org'): Promise<string> => {
    const call = { protocols: ['ssh'], timeoutMs: 30_000, signal: new AbortController().signal };
    const found = await listRefs(by, `ssh://${host}${repository.path}`, ['HEAD'], call);
    return found.get('HEAD')?.id ?? '';
  };
  const failure = (by: Git, host?: string): Promise<BinderyError> =>
    refs(by, host).then(
      () => assert.fail('it was reached'),
      (error: BinderyError) => error,
    );

  it('asks nothing, and uses the key and the known hosts of the configuration, whatever their paths', async () => {
    fakeSsh();
    assert.equal(await refs(git({ sshKey: "/keys/it's mine", knownHosts: '/known 100%/hosts' })), commit);
    const called = readFileSync(join(folder.path, 'called'), 'utf8').split('\n');
    const options = called.filter((_, index) => called[index - 1] === '-o' && !called[index]?.startsWith('SendEnv'));
    assert.deepEqual(options, [
      'BatchMode=yes',
      'ConnectTimeout=20',
      'UserKnownHostsFile="/known 100%%/hosts"',
      `IdentityFile="/keys/it's mine"`,
      'IdentitiesOnly=yes',
    ]);
    assert.ok(called.includes('git@example.org'));
  });

  for (const [says, code, message] of [
    ['Host key verification failed.', 'upstream_unreachable', /is not known on this machine/],
    ['WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.', 'upstream_unreachable', /another ssh key/],
    ['git@example.org: Permission denied (publickey).', 'repository_not_found', /accepted no ssh key/],
    ['ssh: connect to host example.org port 22: Connection refused', 'upstream_unreachable', /could not be reached/],
  ] as const)
    it(`says what it means: ${says.split('\n')[0]}`, async () => {
      fakeSsh(says);
      const error = await failure(git());
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });

  it('says where ssh is missing', async () => {
    const alone = join(folder.path, 'alone');
    mkdirSync(alone);
    symlinkSync('/usr/bin/git', join(alone, 'git'));
    assert.equal((await failure(git({}, alone))).code, 'tool_missing');
  });

  it("a root hub's git has a home, a name and copies that nobody else can read", async () => {
    const worker = isRoot ? loweredTo(UID) : sameUser;
    const knownHosts = join(folder.path, 'known');
    writeFileSync(knownHosts, 'example.org ssh-ed25519 AAAA\n', { mode: 0o600 });
    const place = join(folder.path, 'ssh of root');
    const lowered = makeGit(worker, process.env, () => sshWay(worker, { folder: place, knownHosts, sshKey: knownHosts }));
    const error = await failure(lowered, 'git@127.0.0.1:1');
    const [code, said] = existsSync('/usr/bin/ssh')
      ? (['upstream_unreachable', 'Connection refused'] as const)
      : (['tool_missing', 'ssh'] as const);
    assert.deepEqual([error.code, error.logTail?.includes(said)], [code, true]);
    if (!isRoot) return;
    for (const name of ['key', 'known_hosts']) {
      const { uid, mode } = statSync(join(place, name));
      assert.deepEqual([uid, mode & 0o777], [UID, 0o400]);
    }
    assert.equal(statSync(place).mode & 0o777, 0o700);
  });
});
