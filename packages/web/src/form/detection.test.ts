import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Link } from '@bindery/wire/link.ts';
import { describeLink, describePath, detect, readLaunchPath } from './detection.ts';
import type { Wish } from './detection.ts';

const wish = (text: string, more: Partial<Wish> = {}): Wish => ({ text, ref: '', file: '', asOf: '', ...more });

function read(path: string): Link {
  const url = new URL(path, 'http://hub');
  const link = readLaunchPath(url.pathname, url.search);
  assert.ok(!(link instanceof BinderyError));
  return link;
}

describe('what the form takes a text for', () => {
  const known: [string, string, string][] = [
    [
      'binder-examples/requirements',
      'GitHub repository binder-examples/requirements, default branch',
      '/v2/gh/binder-examples/requirements/HEAD',
    ],
    ['https://github.com/a/b/tree/dev', 'GitHub repository a/b, branch or tag “dev”', '/v2/gh/a/b/dev'],
    ['https://github.com/a/b.git', 'GitHub repository a/b, default branch', '/v2/gh/a/b/HEAD'],
    [
      'git@git.example.org:group/course.git',
      'Git repository group/course at git.example.org, default branch',
      '/v2/git/ssh%3A%2F%2Fgit%40git.example.org%2Fgroup%2Fcourse.git/HEAD',
    ],
    [
      '/home/me/my course',
      'Folder /home/me/my course on this machine, default branch',
      '/v2/git/file%3A%2F%2F%2Fhome%2Fme%2Fmy%2520course/HEAD',
    ],
  ];
  for (const [text, words, path] of known) {
    it(text, () => assert.deepEqual(detect(wish(text)), { words, path, settled: true }));
  }

  it('says which commit, file and date were chosen', () => {
    const commit = '4f2c1be7a90d3c55e8b1a7f06d92c3e4b5a60718';
    const found = detect(wish('a/b', { ref: commit, file: 'notes/one.ipynb', asOf: '2024-01-31' }));
    assert.equal(found.words, 'GitHub repository a/b, commit 4f2c1be7, packages as of 2024-01-31, opens notes/one.ipynb');
    const link = read(found.path ?? '');
    assert.equal(link.asOf, '2024-01-31T23:59:59.999Z');
    assert.equal(describeLink(link).opens, 'notes/one.ipynb');
  });

  it('says what is wrong, but not while somebody still types', () => {
    assert.equal(detect(wish('')).settled, false);
    const typing = detect(wish('binder-examples'));
    assert.ok(typing.problem && !typing.settled && typing.path === undefined);
    for (const text of ['ext::sh -c touch', 'ftp://host/repo', 'https://user:secret@host/repo']) {
      const found = detect(wish(text));
      assert.ok(found.problem && found.settled && found.path === undefined, text);
      assert.ok(!found.problem.includes('secret'), found.problem);
    }
    assert.match(detect(wish('a/b', { ref: 'x..y' })).problem ?? '', /revision expression/);
    assert.match(detect(wish('a/b', { file: '../up' })).problem ?? '', /below the session/);
  });

  it('names records and other providers', () => {
    assert.equal(describeLink(read('/v2/zenodo/10.5281/zenodo.3242074')).about, 'Zenodo record 10.5281/zenodo.3242074');
    assert.equal(describeLink(read('/v2/gl/group%2Fsub%2Fproject/main')).title, 'group/sub/project');
    const unknown = readLaunchPath('/v2/nothing/x', '');
    assert.ok(unknown instanceof BinderyError && unknown.code === 'provider_unknown');
    assert.equal(describePath('not a link'), undefined);
  });
});
