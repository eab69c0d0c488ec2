import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigSchema } from '../base/config.ts';
import { sameUser } from '../base/worker.ts';
import { wheel } from '../../../../test/fakes/package-files.ts';
import { startPackageIndex, type FakeIndex } from '../../../../test/fakes/package-index.ts';
import { toolUv } from '../../../../test/tools.ts';
import { authorized, indexSettings, redact } from './package-index.ts';
import { downloadUv } from './uv-download.ts';
import { findUv } from './uv.ts';

const folder = await mkdtemp(join(tmpdir(), 'uv-'));
after(() => rm(folder, { recursive: true, force: true }));
let number = 0;
const signal = new AbortController().signal;
const fresh = (): string => join(folder, String(number++));

function find(python: Record<string, unknown>, variables: Record<string, string> = {}, cache = fresh()) {
  const config = ConfigSchema.parse({ folders: { state: cache, cache }, python });
  const said: string[] = [];
  return { said, uv: findUv({ config, worker: sameUser, variables, say: (text) => said.push(text), signal }) };
}

async function fakeUv(version: string): Promise<string> {
  const home = fresh();
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'uv'), `#!/bin/sh\necho "uv ${version} (x86_64)"\n`);
  await chmod(join(home, 'uv'), 0o755);
  return home;
}

async function settings(python: Record<string, unknown>, variables: Record<string, string>, files: Record<string, string> = {}) {
  const home = fresh();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(home, name, '..'), { recursive: true });
    await writeFile(join(home, name), text);
  }
  return indexSettings(ConfigSchema.parse({ python }), variables, home);
}

test('uv: the configured one, else one on PATH that is new enough', async () => {
  const [old, young] = [await fakeUv('0.1.0'), await fakeUv('99.0.0')];
  assert.equal((await find({ uv: join(old, 'uv') }).uv).version, '0.1.0');
  assert.equal((await find({}, { BINDERY_UV: join(old, 'uv') }).uv).version, '0.1.0');
  assert.equal((await find({}, { PATH: `relative:${old}:${young}` }).uv).path, join(young, 'uv'));
  await assert.rejects(find({ uv: '/nonexistent/uv' }).uv, { code: 'tool_missing', message: 'There is no uv at /nonexistent/uv.' });
  await writeFile(join(old, 'uv'), '#!/bin/sh\necho hello\n');
  await assert.rejects(find({ uv: join(old, 'uv') }).uv, { code: 'tool_missing', message: /is not a working uv/ });
});

test('uv: fetched from the index once, also by two at the same time, and then found', async () => {
  const cache = fresh();
  const [one, two] = [find({}, {}, cache), find({}, {}, cache)];
  const path = join(cache, 'tools/uv-0.13.8/uv');
  assert.deepEqual([(await one.uv).path, (await two.uv).path], [path, path]);
  assert.match(one.said.join(), /^Fetching uv 0\.13\.8 from \S+ \(17 MB, once\)\.$/);
  const third = find({}, {}, cache);
  assert.equal((await third.uv).version, '0.13.8');
  assert.deepEqual(third.said, []);
  assert.deepEqual(await readdir(join(path, '..')), ['uv']);
});

for (const format of ['json', 'html'] as const)
  test(`uv: a wheel with the wrong hash is refused, and nothing is left (${format} index with credentials)`, async () => {
    const name = 'uv-0.13.8-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
    const index = { ...wheel('uv', '0.13.8'), name };
    await using fake = await startPackageIndex([index], { format, credentials: 'jane:s3cr3t-p4ss' });
    const target = fresh();
    const config = await settings({ indexUrl: fake.url.replace('//', '//jane:s3cr3t-p4ss@') }, {});
    await assert.rejects(
      downloadUv(target, config, () => {}, signal, 'linux-x64'),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'index_unreachable');
        assert.match(error.message, /sha256 [0-9a-f]{64}, expected e18a57b8/);
        assert.doesNotMatch(error.message, /s3cr3t/);
        return true;
      },
    );
    await assert.rejects(readdir(target), { code: 'ENOENT' });
    assert.equal(fake.requests.at(-1), `/files/${name}`);
  });

const failing: [string, (fake: FakeIndex) => string, Parameters<typeof startPackageIndex>[1], RegExp][] = [
  ['nobody listens', () => 'http://127.0.0.1:9/simple', {}, /127\.0\.0\.1:9 could not be used: .*(?:ECONNREFUSED|bad port)/],
  ['it answers 500', (fake) => fake.url, { status: () => 500 }, /it answered 500/],
  ['it wants credentials', (fake) => fake.url, { credentials: 'a:b' }, /it answered 401/],
  ['it has no uv', (fake) => fake.url, {}, /does not have uv-0\.13\.8-/],
];
for (const [what, address, options, message] of failing)
  test(`uv: an index from which it cannot be had is named, with what to do: ${what}`, async () => {
    await using fake = await startPackageIndex([wheel('one', '1.0')], options);
    await assert.rejects(find({ indexUrl: address(fake) }).uv, (error: Error & { hint: string }) => {
      assert.match(error.message, message);
      assert.match(error.hint, /PATH/);
      return true;
    });
  });

test('uv: a call has nothing of the hub about it, and credentials are taken out of what it prints', async () => {
  await using fake = await startPackageIndex([wheel('one', '1.0')], { credentials: 'jane:s3cr3t-p4ss' });
  process.env['UV_OFFLINE'] = '1';
  after(() => delete process.env['UV_OFFLINE']);
  const address = fake.url.replace('//', '//jane:s3cr3t-p4ss@');
  const uv = await find({ indexUrl: address, uv: await toolUv() }).uv;
  const lines: string[] = [];
  const result = await uv.run(['pip', 'compile', '-', '--emit-index-url', '--python-version', '3.11'], {
    input: 'one\n',
    timeoutMs: 60_000,
    signal,
    onLine: (line) => lines.push(line),
  });
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stdout, /one==1\.0/);
  assert.match(result.stdout, /127\.0\.0\.1/);
  assert.doesNotMatch(result.stdout + result.stderr + lines.join(), /s3cr3t/);
  assert.ok(!Object.keys(uv.environment('/x')).includes('UV_OFFLINE'));
});

test('index: ours, then uv, then pip, then their files, then PyPI', async () => {
  const uvToml =
    '[[index]]\nname = "x"\nurl = "https://toml/simple/"\ndefault = true\n[[index]]\nname = "y"\nurl = "https://more/simple"\n';
  const files = {
    '.config/uv/uv.toml': uvToml,
    '.config/pip/pip.conf':
      '[global]\nindex-url = https://conf/simple\nextra-index-url =\n    https://a/simple\n    https://b/simple\ncert = /ca.pem\n[other]\nindex-url = https://no\n',
  };
  const variables = { UV_DEFAULT_INDEX: 'https://uv/simple', UV_INDEX_URL: 'https://olduv/simple', PIP_INDEX_URL: 'https://pip/simple/' };
  assert.equal((await settings({ indexUrl: 'https://ours/simple' }, variables, files)).url, 'https://ours/simple');
  assert.equal((await settings({}, variables, files)).url, 'https://uv/simple');
  assert.equal((await settings({}, { ...variables, UV_DEFAULT_INDEX: undefined } as never, files)).url, 'https://olduv/simple');
  assert.equal((await settings({}, { PIP_INDEX_URL: variables.PIP_INDEX_URL }, files)).url, 'https://pip/simple');
  assert.equal((await settings({}, { UV_DEFAULT_INDEX: '', PIP_INDEX_URL: variables.PIP_INDEX_URL }, files)).url, 'https://pip/simple');
  const toml = await settings({}, {}, files);
  assert.deepEqual([toml.url, toml.extra], ['https://toml/simple', ['https://a/simple', 'https://b/simple', 'https://more/simple']]);
  assert.equal(toml.environment['SSL_CERT_FILE'], '/ca.pem');
  const conf = { '.config/pip/pip.conf': files['.config/pip/pip.conf'] };
  assert.equal((await settings({}, {}, conf)).url, 'https://conf/simple');
  assert.equal((await settings({}, {})).url, 'https://pypi.org/simple');
  assert.equal((await settings({}, {}, { '.config/uv/uv.toml': 'not [ toml' })).url, 'https://pypi.org/simple');
});

test('index: credentials come from the address or from .netrc, and are told apart from what may be shown', async () => {
  const netrc = { '.netrc': '# mine\nmachine pkgs.example login jane\npassword s3cr3t/p4ss\nmachine else login x password y\n' };
  const one = await settings({ indexUrl: 'https://pkgs.example/simple' }, { HTTPS_PROXY: 'http://bob:hunter22@proxy:3128' }, netrc);
  assert.deepEqual(authorized(`${one.url}/six/`), {
    url: 'https://pkgs.example/simple/six/',
    headers: { authorization: `Basic ${Buffer.from('jane:s3cr3t/p4ss').toString('base64')}` },
  });
  assert.deepEqual([one.host, one.secret], ['pkgs.example', true]);
  const text = `a ${one.url} b s3cr3t/p4ss c s3cr3t%2Fp4ss d ${one.environment['HTTPS_PROXY']} e hunter22`;
  assert.doesNotMatch(one.redact(text), /s3cr3t|hunter22/);
  assert.equal(redact('see https://tok3n@host/x and mail@host, git@host:x'), 'see https://***@host/x and mail@host, git@host:x');
  assert.equal((await settings({}, {})).secret, false);
});
