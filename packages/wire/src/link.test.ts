import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { BinderyError } from './errors.ts';
import { openPath, urlToOpen } from './link-open.ts';
import { formatV2, parseAsOf, parseV2 } from './link-v2.ts';
import { describeLink, Link, parseLink, wholeFolder, withRef } from './link.ts';

/** What a text means, as one line: provider, spec, page to open. */
function read(text: string): string {
  const link = parseLink(text);
  return [link.provider, link.spec, openPath(link.open)].join(' ').trim();
}

const git = (url: string, ref = 'HEAD'): string => `git ${encodeURIComponent(url)}/${ref}`;
const ID = '8a658f7f63b13768d1e75fa2464f5092';
const SHA = 'f7f3ff6d1bf708bdc12e5f10e18b2a90a4795603';

const MEANINGS: Readonly<Record<string, string>> = {
  'binder-examples/requirements': 'gh binder-examples/requirements/HEAD',
  ' binder-examples/requirements \n': 'gh binder-examples/requirements/HEAD',
  'a/b/': 'gh a/b/HEAD',
  'a/b.git': 'gh a/b/HEAD',
  'a/b.js': 'gh a/b.js/HEAD',
  'a/b/main': 'gh a/b/main',
  'a/b@v1.0': 'gh a/b/v1.0',
  'a/b@feature/x': 'gh a/b/feature/x',
  'a/b/feature/x': 'gh a/b/feature/x',
  'https://github.com/a/b': 'gh a/b/HEAD',
  'http://www.github.com/a/b/': 'gh a/b/HEAD',
  'HTTPS://GitHub.com/A/b': 'gh A/b/HEAD',
  'github.com/a/b': 'gh a/b/HEAD',
  'https://github.com/a/b.git': 'gh a/b/HEAD',
  'git clone https://github.com/a/b.git': 'gh a/b/HEAD',
  'https://github.com/a/b#readme': 'gh a/b/HEAD',
  'https://github.com/a/b/issues/3?q=x': 'gh a/b/HEAD',
  'https://github.com/a/b/tree/main': 'gh a/b/main',
  'https://github.com/a/b/tree/main/': 'gh a/b/main',
  'https://github.com/a/b/tree/main/docs/x': 'gh a/b/main lab/tree/docs/x',
  'https://github.com/a/b/blob/main/n%20b/%C3%BC%23.ipynb': 'gh a/b/main lab/tree/n%20b/%C3%BC%23.ipynb',
  'https://github.com/a/b/blob/refs/heads/main/x.ipynb': 'gh a/b/refs/heads/main lab/tree/x.ipynb',
  [`https://github.com/a/b/commit/${SHA}`]: `gh a/b/${SHA}`,
  'https://github.com/a/b/pull/12/files': 'gh a/b/refs/pull/12/head',
  [`https://github.com/a/b/pull/12/commits/${SHA}`]: `gh a/b/${SHA}`,
  'https://github.com/a/b/releases/tag/v1.0': 'gh a/b/refs/tags/v1.0',
  'https://raw.githubusercontent.com/a/b/main/x/y.ipynb': 'gh a/b/main lab/tree/x/y.ipynb',
  'https://nbviewer.org/github/a/b/blob/main/y.ipynb': 'gh a/b/main lab/tree/y.ipynb',
  'https://colab.research.google.com/github/a/b/blob/main/y.ipynb': 'gh a/b/main lab/tree/y.ipynb',
  [`https://gist.github.com/u/${ID}`]: git(`https://gist.github.com/${ID}.git`),
  [`https://gist.github.com/${ID}.git`]: git(`https://gist.github.com/${ID}.git`),
  [`https://gist.github.com/u/${ID}/${SHA}`]: git(`https://gist.github.com/${ID}.git`, SHA),
  'https://gitlab.com/a/b/c': git('https://gitlab.com/a/b/c.git'),
  'https://gitlab.com/a/b/-/tree/main/docs?ref_type=heads': `${git('https://gitlab.com/a/b.git', 'main')} lab/tree/docs`,
  'https://git.example.org/a/b/c/-/blob/main/x.ipynb': `${git('https://git.example.org/a/b/c.git', 'main')} lab/tree/x.ipynb`,
  'https://gitlab.com/a/b/-/merge_requests/7': git('https://gitlab.com/a/b.git', 'refs/merge-requests/7/head'),
  'https://gitlab.com/a/b/-/tags/v1': git('https://gitlab.com/a/b.git', 'refs/tags/v1'),
  'https://codeberg.org/a/b/src/branch/main/x': `${git('https://codeberg.org/a/b.git', 'refs/heads/main')} lab/tree/x`,
  [`https://codeberg.org/a/b/src/commit/${SHA}/x`]: `${git('https://codeberg.org/a/b.git', SHA)} lab/tree/x`,
  'https://bitbucket.org/a/b/src/main/x/': `${git('https://bitbucket.org/a/b.git', 'main')} lab/tree/x`,
  'https://example.org/x.git': git('https://example.org/x.git'),
  'https://Example.org:443/x.git/': git('https://example.org/x.git'),
  'http://127.0.0.1:3000/a/b': git('http://127.0.0.1:3000/a/b'),
  'http://[::1]:3000/a': git('http://[::1]:3000/a'),
  'git+https://example.org/x': git('https://example.org/x'),
  'git@github.com:a/b.git': git('ssh://git@github.com/a/b.git'),
  'git@host.example:~me/b': git('ssh://git@host.example/~me/b'),
  'ssh://git@Host.example:2222/a/b.git': git('ssh://git@host.example:2222/a/b.git'),
  'git://example.org/b.git': git('git://example.org/b.git'),
  'file:///tmp/a': git('file:///tmp/a'),
  'file://localhost/tmp/a': git('file:///tmp/a'),
  '/tmp/a b/': git('file:///tmp/a%20b'),
  '/tmp/a?b#c%': git('file:///tmp/a%3Fb%23c%25'),
  '10.5281/zenodo.3242074': 'zenodo 10.5281/zenodo.3242074',
  'doi:10.6084/m9.figshare.9782777.v1': 'figshare 10.6084/m9.figshare.9782777.v1',
  'https://doi.org/10.7910/DVN/TJCLKP': 'dataverse 10.7910/DVN/TJCLKP',
  'https://zenodo.org/records/3242074': 'zenodo 10.5281/zenodo.3242074',
  '/v2/gh/a/b/main': 'gh a/b/main',
  '/v2/gh/a/b/feature%2Fx?labpath=x.ipynb': 'gh a/b/feature/x doc/tree/x.ipynb',
  '/v2/gh/a/b': 'gh a/b/HEAD',
  '/v2/gl/group%2Fsub%2Fproject/main': 'gl group%2Fsub%2Fproject/main',
  [`/v2/gist/u/${ID}`]: `gist u/${ID}/HEAD`,
  '/v2/zenodo/10.5281/zenodo.3242074': 'zenodo 10.5281/zenodo.3242074',
  '/v2/hydroshare/https%3A%2F%2Fwww.hydroshare.org%2Fresource%2Fb8f6eae9d89241cf8b5904033460af61':
    'hydroshare b8f6eae9d89241cf8b5904033460af61',
  '/v2/ckan/https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fx': 'ckan https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fx',
  'https://mybinder.org/v2/gh/a/b/main?urlpath=lab/tree/x.ipynb%3Freset': 'gh a/b/main lab/tree/x.ipynb?reset',
  'https://hub.example/prefix/v2/git/https%3A%2F%2Fe.org%2Fx.git/v1?filepath=a%20b.ipynb': `${git('https://e.org/x.git', 'v1')} tree/a%20b.ipynb`,
  'https://mybinder.org/repo/a/b': 'gh a/b/HEAD',
  '/repo/a/b/notebooks/x.ipynb': 'gh a/b/HEAD notebooks/x.ipynb',
};

for (const [text, meaning] of Object.entries(MEANINGS))
  test(`${JSON.stringify(text)} means ${meaning}`, () => {
    assert.equal(read(text), meaning);
  });

const REFUSED: readonly (readonly [text: string, code: string, says?: RegExp])[] = [
  ['', 'link_invalid'],
  ['   ', 'link_invalid'],
  ['word', 'link_invalid', /not a link/],
  ['a/b c', 'link_invalid'],
  ['a/b@--upload-pack=x', 'link_invalid'],
  ['a/-b/--upload-pack=touch x', 'link_invalid'],
  ['a/b/ma\nin', 'link_invalid', /control/],
  ['a/b\0', 'link_invalid', /control/],
  ['https://example.org/a%00b', 'link_invalid', /control/],
  ['https://example.org/a%0ab', 'link_invalid', /control/],
  ['ssh://host/a%0ab', 'link_invalid', /control/],
  ['/v2/gh/a/b/x%0ay', 'link_invalid', /control/],
  ['--upload-pack=touch /tmp/x', 'link_invalid', /dash/],
  ['-oProxyCommand=x', 'link_invalid', /dash/],
  ['ssh://-oProxyCommand=x/a', 'link_invalid', /host/],
  ['ssh://-x@host/a', 'link_invalid', /user name/],
  ['-x@host:a', 'link_invalid'],
  ['ext::sh -c touch% /tmp/x', 'link_forbidden', /remote helper/],
  ['EXT::sh', 'link_forbidden'],
  ['fd::17', 'link_forbidden'],
  ['https::x', 'link_forbidden'],
  ['javascript:alert(1)', 'link_forbidden'],
  ['ftp://example.org/x', 'link_forbidden'],
  ['data:text/plain,x', 'link_forbidden'],
  ['https://user:secret@example.org/x', 'link_invalid', /password/],
  ['https://ghp_token@github.com/a/b', 'link_invalid', /password/],
  ['ssh://u:p@example.org/x', 'link_invalid', /password/],
  ['https://example.org/', 'link_invalid', /names no repository/],
  ['https://', 'link_invalid'],
  ['https://exa mple.org/x', 'link_invalid'],
  ['file://elsewhere/x', 'link_invalid', /host/],
  ['.', 'link_invalid', /whole path/],
  ['../x', 'link_invalid', /whole path/],
  ['~/x', 'link_invalid', /whole path/],
  ['a/b/HEAD~1', 'link_invalid', /expression/],
  ['a/b/a..b', 'link_invalid', /expression/],
  ['a/b/main@{1}', 'link_invalid', /expression/],
  ['a/b/x*', 'link_invalid'],
  ['a/b/x.lock', 'link_invalid'],
  ['a/..', 'link_invalid'],
  ['https://github.com/a', 'link_invalid', /user\/repo/],
  ['/v2/gh/a', 'link_invalid', /repository too|form/],
  ['/v2/gh/a/b?urlpath=http://evil.example/', 'link_invalid', /below the session/],
  ['/v2/gl/group/project', 'link_invalid', /%2F|namespace/],
  ['/v2/zenodo/hello', 'link_invalid', /DOI/],
  ['/v2/git/https://example.org/x/main', 'link_invalid', /percent-encoded/],
  ['/v2/git/ext%3A%3Ash/main', 'link_forbidden'],
  ['/v2/git/--upload-pack%3Dx/main', 'link_invalid'],
  ['/v2/git/https%3A%2F%2Fe.org%2Fx/--upload-pack=x', 'link_invalid'],
  ['/v2/gh/a/b/%zz', 'link_invalid', /percent/],
  [`a/b/${'x'.repeat(300)}`, 'link_invalid'],
  ['x'.repeat(5000), 'link_invalid', /longer/],
];

for (const [text, code, says] of REFUSED)
  test(`${JSON.stringify(text.slice(0, 60))} is answered with ${code}`, () => {
    assert.throws(
      () => parseLink(text),
      (error) => error instanceof BinderyError && error.code === code && (says?.test(`${error.message} ${error.hint}`) ?? true),
    );
  });

test('a password in an address is never repeated in the message', () => {
  assert.throws(
    () => parseLink('https://user:secret@example.org/x'),
    (error) => error instanceof BinderyError && !`${error.message}${error.hint}`.includes('secret'),
  );
});

test('pages of an own GitHub are gh links where the hub says so', () => {
  const link = parseLink('https://git.corp.example:8443/a/b/tree/main/x', { githubHosts: ['git.corp.example:8443'] });
  assert.deepEqual(link, { provider: 'gh', spec: 'a/b/main', open: { kind: 'url', path: 'lab/tree/x' } });
});

const OPEN: Readonly<Record<string, string>> = {
  'labpath=a/b.ipynb&filepath=c&urlpath=d': 'doc/tree/a/b.ipynb',
  'filepath=c%20d/&urlpath=d': 'tree/c%20d',
  'urlpath=/lab/tree/x': 'lab/tree/x',
  'urlpath=rstudio': 'rstudio',
  'urlpath=voila/render/x.ipynb%3Fa=b': 'voila/render/x.ipynb?a=b',
  'urlpath=git-pull%3Frepo%3Dhttps%253A%252F%252Fe.org%252Fx%26urlpath%3Dlab': 'git-pull?repo=https%3A%2F%2Fe.org%2Fx&urlpath=lab',
  'urlpath=a%20b': 'a%20b',
  'urlpath=%C3%BC': '%C3%BC',
  'labpath=': '',
  'labpath=.': '',
  'labpath=./x': 'doc/tree/x',
  'labpath=a%3Fb%23c%25.ipynb': 'doc/tree/a%3Fb%23c%25.ipynb',
  '': '',
};

for (const [query, path] of Object.entries(OPEN))
  test(`?${query} opens ${path || 'the default page'}`, () => {
    assert.equal(openPath(parseV2('/v2/gh/a/b/HEAD', new URLSearchParams(query)).open), path);
  });

const EVIL = [
  'http://evil.example/',
  'HTTPS:evil.example',
  '//evil.example',
  '///evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '\\evil',
  'javascript:alert(1)',
  '/javascript:alert(1)',
  '../../s/other/lab',
  'lab/../../x',
  'lab/%2e%2e/%2E%2e/x',
  'lab/..%5cx',
  'lab/%0d%0aset-cookie',
  'a\tb',
  '\u0000',
  ' //evil.example',
  '\ud800',
  'x'.repeat(3000),
];

for (const path of EVIL)
  test(`urlpath ${JSON.stringify(path.slice(0, 40))} is refused`, () => {
    assert.throws(() => urlToOpen(path), { name: 'BinderyError', code: 'link_invalid' });
  });

test('whatever urlpath is given, the page stays below the session', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc
      .array(fc.constantFrom('/', '\\', '..', '.', '%2e', '%5c', ':', 'http', 'evil.example', '?', '#', ' ', '\t', 'lab'), { maxLength: 8 })
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, fc.constantFrom('labpath', 'filepath', 'urlpath'), (value, name) => {
      const params = new URLSearchParams({ [name]: value });
      const path = passes(() => openPath(parseV2('/v2/gh/a/b/HEAD', params).open));
      if (path === undefined) return;
      for (const made of [new URL(path, 'http://hub.example/s/abc/'), new URL(`http://hub.example/s/abc/${path}`)]) {
        assert.equal(made.origin, 'http://hub.example');
        assert.ok(made.pathname.startsWith('/s/abc/'), made.href);
      }
    }),
    { numRuns: 3000 },
  );
});

test('parseLink throws nothing but a BinderyError, whatever it is given', () => {
  const word = fc.constantFrom(
    'https://',
    'git@',
    'github.com',
    '/',
    ':',
    '@',
    '-',
    'v2',
    'gh',
    'git',
    '%2F',
    '%',
    '%00',
    'ext::',
    'file:',
    '..',
    'tree',
    'blob',
    '?',
    '#',
    'a',
    'labpath=',
    '-',
    'gist.github.com',
    'zenodo',
    '[',
    ']',
    '\n',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(word, { maxLength: 12 }).map((parts) => parts.join('')),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
  );
  fc.assert(
    fc.property(text, (text) => {
      const link = passes(() => parseLink(text));
      if (!link) return;
      assert.deepEqual(Link.parse(link), link);
      assert.ok(describeLink(link).length > 0);
      assert.ok(!/\p{Cc}/u.test(formatV2(link)));
      const again = new URL(formatV2(link), 'http://hub.example');
      assert.deepEqual(parseV2(again.pathname, again.searchParams), link);
      assert.deepEqual(parseLink(formatV2(link)), link);
    }),
    { numRuns: 5000 },
  );
});

test('no link that is read makes git see an option, a helper or a control character', () => {
  const hostile = fc.constantFrom(
    '--upload-pack=x',
    '-x',
    'ext::sh',
    '%0a',
    '%00',
    '%2D%2Dx',
    '\n',
    '@',
    '@{u}',
    'a',
    '/',
    ':',
    'https%3A%2F%2Fe.org%2Fx',
    'ssh://-x',
    'HEAD',
  );
  const text = fc
    .tuple(fc.constantFrom('/v2/git/', '/v2/gh/a/b/', 'a/b@', '', 'https://e.org/', 'git@h:'), fc.array(hostile, { maxLength: 5 }))
    .map(([start, parts]) => start + parts.join(''));
  fc.assert(
    fc.property(text, (text) => {
      const link = passes(() => parseLink(text));
      if (!link || (link.provider !== 'git' && link.provider !== 'gh')) return;
      const parts = link.spec.split('/');
      const words =
        link.provider === 'git'
          ? [decodeURIComponent(parts[0] ?? ''), parts.slice(1).join('/')]
          : // what git sees of user and repository is one address; a repository may be called -x
            [parts.slice(0, 2).join('/'), parts.slice(2).join('/')];
      for (const word of words) assert.ok(!/^-|^[\w+.-]*::|\p{Cc}|@\{/u.test(word), word);
    }),
    { numRuns: 3000 },
  );
});

test('wholeFolder makes folders of the command line whole, and leaves links alone', () => {
  const place = { cwd: '/home/me/work', home: '/home/me', exists: (path: string) => path === '/home/me/work/a/b' };
  const cases: Readonly<Record<string, string>> = {
    '.': 'file:///home/me/work',
    './x y': 'file:///home/me/work/x%20y',
    '..': 'file:///home/me',
    '~': 'file:///home/me',
    '~/x': 'file:///home/me/x',
    '/repo/a/b': 'file:///repo/a/b',
    'a/b': 'file:///home/me/work/a/b',
    'a/c': 'a/c',
    'https://e.org/x': 'https://e.org/x',
    '/v2/gh/a/b/HEAD': '/v2/gh/a/b/HEAD',
    'git@h:a/b': 'git@h:a/b',
  };
  for (const [text, whole] of Object.entries(cases)) assert.equal(wholeFolder(text, place), whole);
});

test('withRef gives a link another ref', () => {
  assert.equal(withRef(parseLink('a/b/main'), 'v2').spec, 'a/b/v2');
  assert.equal(withRef(parseLink('https://e.org/x'), 'v/2').spec, 'https%3A%2F%2Fe.org%2Fx/v/2');
  assert.throws(() => withRef(parseLink('10.5281/zenodo.1'), 'v2'), { code: 'link_invalid' });
  assert.throws(() => withRef(parseLink('a/b'), '--x'), { code: 'link_invalid' });
});

test('a day, an instant and "commit" are dates; nothing else is', () => {
  assert.equal(parseAsOf('2024-02-29'), '2024-02-29T23:59:59.999Z');
  assert.equal(parseAsOf('2024-01-31T12:00:00+02:00'), '2024-01-31T10:00:00.000Z');
  assert.equal(parseAsOf('commit'), 'commit');
  for (const text of ['2023-02-29', 'yesterday', '2024', '2024-13-01', '', '20240131'])
    assert.throws(() => parseAsOf(text), { code: 'link_invalid' });
});

/** The result, or undefined where a BinderyError is thrown; anything else thrown is a failure. */
function passes<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof BinderyError) return undefined;
    throw error;
  }
}
