import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { SessionView } from '@bindery/wire/api.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';

type Place = { readonly url: string; readonly token: string };

describe('a session is started again with what an ended one changed', () => {
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  let home: RealHub;
  before(async () => {
    repository.commit({ 'index.txt': 'as committed', 'unwanted.txt': 'x', 'kept.txt': 'kept' });
    home = await realHub();
  });
  after(async () => {
    await home[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const contents = (at: Place, name: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${at.url}api/contents/${name}`, { ...init, headers: { authorization: `token ${at.token}` } });
  const write = async (at: Place, name: string, content: string): Promise<void> => {
    const body = JSON.stringify({ type: 'file', format: 'text', content });
    assert.ok((await contents(at, name, { method: 'PUT', body })).ok);
  };
  const read = async (at: Place, name: string): Promise<string> =>
    ((await (await contents(at, name)).json()) as { content: string }).content;
  const stop = async (id: string | undefined): Promise<SessionView> =>
    (await (await home.ask(`/api/v1/sessions/${id}`, { method: 'DELETE' })).json()) as SessionView;

  for (const [what, files] of [
    ['', {}],
    [', before its start script runs', { 'binder/start': '#!/bin/sh\ncp index.txt seen.txt\nexec "$@"\n' }],
    [
      ', over what postBuild left',
      {
        'binder/start': '',
        'binder/postBuild': '#!/bin/sh\necho made > made.txt\nmkdir -m 700 closed\ncp made.txt closed\nchmod 600 closed/made.txt\n',
      },
    ],
  ] as const)
    it(`changes, new files and removals are there again${what}`, { timeout: 300_000 }, async () => {
      repository.commit(files);
      if (what.includes('postBuild')) repository.git('rm', '--quiet', 'binder/start');
      repository.commit({});
      const first = await home.ready(repository.url, { ref: 'main' });
      await write(first, 'index.txt', 'changed');
      await write(first, 'new.txt', 'new');
      assert.equal((await contents(first, 'unwanted.txt', { method: 'DELETE' })).status, 204);
      const ended = await stop(first.sessionId);
      assert.ok((ended.savedBytes ?? 0) > 0, JSON.stringify(ended));
      const later = `later${what.length}.txt`;
      repository.commit({ [later]: 'committed later' });

      const events = await home.launch(ended.link ?? '', { restore: ended.id });
      const said = events.flatMap((event) => ('message' in event ? [event.message] : [])).find((text) => text.includes('restored'));
      assert.match(said ?? '', /^\d files restored from an earlier session, 1 file removed again$/);
      const second = events.at(-1);
      assert.ok(second?.phase === 'ready' && second.url !== undefined && second.token !== undefined, JSON.stringify(second));
      const at = { url: second.url, token: second.token };
      assert.equal(await read(at, 'index.txt'), 'changed');
      assert.equal(await read(at, 'new.txt'), 'new');
      assert.equal(await read(at, 'kept.txt'), 'kept');
      assert.equal((await contents(at, 'unwanted.txt')).status, 404);
      assert.equal((await contents(at, later)).status, 404, 'over the same commit');
      if (what.includes('start script')) assert.equal(await read(at, 'seen.txt'), 'changed');
      if (what.includes('postBuild')) for (const name of ['made.txt', 'closed/made.txt']) assert.equal(await read(at, name), 'made\n');
      const again = await stop(second.sessionId);
      assert.ok((again.savedBytes ?? 0) > 0, 'and is saved again at the end');
    });

  it('an archive that a session made hostile fails the launch, and leaves nothing', { timeout: 300_000 }, async () => {
    const first = await home.ready(repository.url, { ref: 'main' });
    await write(first, 'index.txt', 'changed');
    const ended = await stop(first.sessionId);
    const archive = join(home.state, 'saved', `${ended.id}.tar.gz`);
    const code = `import io, tarfile
archive = tarfile.open(${JSON.stringify(archive)}, "w:gz")
link = tarfile.TarInfo("out"); link.type = tarfile.SYMTYPE; link.linkname = ${JSON.stringify(folder.path)}; archive.addfile(link)
for name in ("out/written.txt", "../../../../../../../../${folder.path.slice(1)}/written.txt"):
  info = tarfile.TarInfo(name); info.size = 1; archive.addfile(info, io.BytesIO(b"x"))
archive.close()`;
    execFileSync('python3', ['-c', code]);
    const sessions = readdirSync(join(home.state, 'sessions'));
    const last = (await home.launch(ended.link ?? '', { restore: ended.id })).at(-1);
    assert.ok(last?.phase === 'failed');
    assert.equal(last.code, 'restore_failed');
    assert.match(last.message, /does not lie in the repository's folder/);
    assert.deepEqual(readdirSync(folder.path), ['repository']);
    assert.deepEqual(readdirSync(join(home.state, 'sessions')), sessions);
  });

  it('what is no longer kept is said to be so before anything is built', { timeout: 300_000 }, async () => {
    const first = await home.ready(repository.url, { ref: 'main' });
    await write(first, 'index.txt', 'changed');
    const ended = await stop(first.sessionId);
    const archive = join(home.state, 'saved', `${ended.id}.tar.gz`);
    writeFileSync(archive, 'old');
    const old = new Date(Date.now() - 8 * 86_400_000);
    await utimes(archive, old, old);
    await assert.rejects(home.launch(ended.link ?? '', { restore: ended.id }), /410 .*saved_expired/);
  });
});
