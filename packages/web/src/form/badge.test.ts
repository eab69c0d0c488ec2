import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { badgeText } from './badge-text.ts';

describe('the badge', () => {
  const path = '/v2/gh/a/b/HEAD?urlpath=lab&as-of=commit';
  it('comes in each format', () => {
    assert.equal(
      badgeText('Markdown', 'https://hub.example', path),
      `[![Launch](https://hub.example/badge_logo.svg)](https://hub.example${path})`,
    );
    assert.equal(
      badgeText('HTML', 'https://hub.example', path),
      '<a href="https://hub.example/v2/gh/a/b/HEAD?urlpath=lab&amp;as-of=commit"><img src="https://hub.example/badge_logo.svg" alt="Launch"></a>',
    );
    assert.equal(
      badgeText('reStructuredText', 'https://hub.example', path),
      `.. image:: https://hub.example/badge_logo.svg\n   :alt: Launch\n   :target: https://hub.example${path}`,
    );
  });
});
