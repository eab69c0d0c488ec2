import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SessionView } from '@bindery/wire/api.ts';
import { canBeKept, endedWords, endWords, repoAddress, repoName, shortRef, warningWords, webAddress } from './session-words.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const base: SessionView = {
  id: 'abcdefgh234567ij',
  state: 'running',
  repoUrl: 'https://github.com/a/b',
  ref: 'main',
  refUrl: '',
  environmentId: 'e',
  startedAt: '2026-03-01T11:00:00.000Z',
  activeAt: '2026-03-01T11:59:00.000Z',
  isolated: true,
};
const soon = new Date(NOW + 4.5 * 60_000).toISOString();

describe('a session in words', () => {
  it('says when and why it ends', () => {
    assert.equal(endWords(base, NOW), 'not by itself');
    assert.equal(endWords({ ...base, endsAt: soon, endsBecause: 'idle' }, NOW), 'in 4 minutes, unless it is used');
    assert.equal(endWords({ ...base, endsAt: soon, endsBecause: 'age' }, NOW), 'in 4 minutes because no session may run longer');
    assert.equal(endWords({ ...base, state: 'ending', endsAt: soon }, NOW), 'now');
    assert.equal(warningWords({ ...base, endsAt: soon, endsBecause: 'idle' }, NOW), 'ends in 4 minutes because nobody is using it');
  });

  it('offers to keep only what can be kept', () => {
    assert.equal(canBeKept({ ...base, endsBecause: 'idle' }), true);
    assert.equal(canBeKept({ ...base, endsBecause: 'age' }), false);
    assert.equal(canBeKept({ ...base, state: 'ending' }), false);
  });

  it('says why it ended, best in the words of whoever ended it', () => {
    assert.equal(endedWords({ ...base, state: 'ended', endReason: 'memory' }), 'It used more memory than a session may have.');
    assert.equal(endedWords({ ...base, state: 'ended', endReason: 'memory', message: 'It used 2 GB.' }), 'It used 2 GB.');
    assert.equal(endedWords({ ...base, state: 'ended' }), 'It ended.');
  });

  it('shortens addresses and commits, and links nothing but web pages', () => {
    const names = ['https://github.com/a/b.git', 'git@host:group/sub/c.git', 'file:///home/me/my%20course', 'ssh://git@h/x', ''].map(
      repoName,
    );
    assert.deepEqual(names, ['a/b', 'sub/c', 'my course', 'x', '']);
    assert.deepEqual(['file:///home/me/my%20course', 'https://x/y%20z'].map(repoAddress), ['/home/me/my course', 'https://x/y%20z']);
    assert.deepEqual(['main', '4f2c1be7a90d3c55e8b1a7f06d92c3e4b5a60718'].map(shortRef), ['main', '4f2c1be7']);
    // oxlint-disable-next-line no-script-url -- what must not become a link
    assert.deepEqual(['https://x/y', 'javascript:alert(1)', 'file:///x', ''].map(webAddress), [
      'https://x/y',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
