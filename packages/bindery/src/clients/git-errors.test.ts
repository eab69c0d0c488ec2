import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remoteError, tail } from './git-errors.ts';

const URL_ = 'https://git.invalid/a/b';
/** What git 2.39 and curl really say → code, retryable. */
const SAID: readonly (readonly [stderr: string, code: string, retryable: boolean])[] = [
  [
    "fatal: unable to access 'https://git.invalid/a/b/': Failed to connect to git.invalid port 443 after 1 ms: Couldn't connect to server",
    'upstream_unreachable',
    true,
  ],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 502", 'upstream_unreachable', true],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 301", 'repository_not_found', false],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 429", 'upstream_rate_limited', true],
  ["fatal: unable to access 'https://x/': The requested URL returned error: 403", 'repository_not_found', false],
  ["fatal: repository 'https://x/' not found", 'repository_not_found', false],
  ["fatal: could not read Username for 'https://github.com': terminal prompts disabled", 'repository_not_found', false],
  ["remote: Invalid username or token.\nfatal: Authentication failed for 'https://x/'", 'repository_not_found', false],
  ["fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.", 'repository_not_found', false],
  ['git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.', 'repository_not_found', false],
  ['Host key verification failed.\nfatal: Could not read from remote repository.', 'upstream_unreachable', false],
  ['ssh: connect to host x port 22: Connection timed out', 'upstream_unreachable', true],
  [
    "fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none",
    'upstream_unreachable',
    true,
  ],
  ["fatal: unable to access 'https://x/': OpenSSL SSL_read: Connection reset by peer, errno 104", 'upstream_unreachable', true],
  ['fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output', 'disk_full', true],
  ["fatal: transport 'ext' not allowed", 'link_forbidden', false],
  ['fatal: early EOF\nfatal: fetch-pack: invalid index-pack output', 'fetch_failed', true],
  ['error: RPC failed; curl 28 Operation too slow. Less than 100 bytes/sec transferred the last 60 seconds', 'upstream_unreachable', true],
  ['remote: fatal: unable to read 548a0db3ba464db3a56dc4925ae87348d7a1c868\nfatal: early EOF', 'fetch_failed', false],
  ['', 'fetch_failed', true],
];

const failed = (stderr: string, timedOut = false) => ({ code: 128, signal: null, stdout: '', stderr, timedOut });

for (const [stderr, code, retryable] of SAID)
  test(`"${stderr.slice(0, 70)}" is ${code}`, async () => {
    const error = await remoteError(failed(stderr), URL_, 60);
    assert.deepEqual([error.code, error.retryable], [code, retryable], error.message);
    assert.ok(error.hint.length > 0);
  });

test('the tail shows sentences, not percentages', () => {
  const said =
    'Cloning\nReceiving objects:   1% (1/99)\rReceiving objects:  50% (50/99)\rReceiving objects: 100% (99/99), done.\nfatal: x\n';
  assert.equal(tail(said), 'Cloning\nReceiving objects: 100% (99/99), done.\nfatal: x');
});

test('a time-out names the host and the time', async () => {
  const error = await remoteError(failed('', true), URL_, 60);
  assert.deepEqual(
    [error.code, error.retryable, error.message],
    ['upstream_unreachable', true, 'git.invalid did not answer within 60 seconds.'],
  );
});

test('an unknown host is told from a resolver that does not answer, and named', async () => {
  const error = await remoteError(failed("fatal: unable to access 'x': Could not resolve host: git.invalid"), URL_, 60);
  assert.equal(error.code, 'upstream_unreachable');
  assert.match(error.message, /git\.invalid/);
});
