import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { assertAccessible, openPage, startBrowser } from '../fakes/browser.ts';
import type { Watched } from '../fakes/browser.ts';
import { FakeHub, type FakeLaunch } from '../fakes/hub.ts';
import { ended, running } from '../fakes/sessions.ts';

describe('the sessions page', () => {
  let browser: Browser;
  let hub: FakeHub;
  let watched: Watched;
  let page: Page;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());
  beforeEach(async () => {
    hub = new FakeHub();
    await hub.listen();
    watched = await openPage(browser);
    ({ page } = watched);
  });
  afterEach(async () => {
    await watched.context.close();
    await hub.close();
    assert.deepEqual(watched.complaints, []);
  });
  const card = (name: string): Locator => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) });

  it('says so when nothing runs, and notices what starts', async () => {
    await page.clock.install();
    await page.goto(`${hub.origin}/sessions`);
    await page.getByText('No session is running.').waitFor();
    hub.sessions = [running({ repoUrl: 'https://github.com/a/new' })];
    await page.clock.runFor(6000);
    await card('a/new').waitFor();
    await page.clock.runFor(200); // the title is set after the paint, which goes by the page's clock
    assert.equal(await page.title(), '1 running: Sessions · Bindery');
  });

  it('shows what is known of each and why it ended', async () => {
    hub.sessions = [
      running({ repoUrl: 'https://github.com/a/one', memoryBytes: 312e6, diskBytes: 52e6 }),
      ended({ repoUrl: 'https://github.com/a/two', endReason: 'memory', savedBytes: 52_000 }),
    ];
    await page.goto(`${hub.origin}/sessions`);
    for (const text of ['298 MB', '50 MB', '1 hour ago', 'in 59 minutes, unless it is used']) await card('a/one').getByText(text).waitFor();
    await card('a/two').getByText('It used more memory than a session may have.').waitFor();
    const saved = card('a/two').getByRole('link', { name: 'Download changed files (51 kB)' });
    assert.equal(await saved.getAttribute('href'), `${hub.origin}/api/v1/sessions/${hub.sessions[1]?.id}/saved`);
  });

  it('starts one again with what it changed, over the same commit', async () => {
    const link = `/v2/gh/a/two/${'b'.repeat(40)}?labpath=index.ipynb`;
    hub.sessions = [
      ended({ repoUrl: 'https://github.com/a/two', savedBytes: 52_000, link }),
      ended({ repoUrl: 'https://github.com/a/none', link }),
    ];
    await page.goto(`${hub.origin}/sessions`);
    await card('a/none').waitFor();
    assert.equal(await card('a/none').getByRole('link', { name: 'Start again' }).count(), 0);
    const launched = new Promise<FakeLaunch>((resolve) => (hub.onLaunch = resolve));
    await card('a/two').getByRole('link', { name: 'Start again with my changes' }).click();
    const { link: asked, options } = await launched;
    assert.deepEqual([asked, options], [link, { restore: hub.sessions[0]?.id }]);
  });

  it('makes links by which others come in', async () => {
    hub.sessions = [running({ repoUrl: 'https://github.com/a/one', shares: true }), running({ repoUrl: 'https://github.com/a/joint' })];
    await page.goto(`${hub.origin}/sessions`);
    await card('a/one').getByRole('button', { name: 'Share' }).click();
    const dialog = page.getByRole('dialog', { name: 'Share a/one' });
    await dialog.getByLabel('Read one notebook').check();
    await dialog.getByLabel('Notebook', { exact: true }).fill('work/a.ipynb');
    await dialog.getByLabel('For').selectOption('an hour');
    await assertAccessible(page, 'the share dialog');
    await dialog.getByRole('button', { name: 'Make a link' }).click();
    assert.match(await dialog.getByLabel('The link').inputValue(), /share=read$/);
    assert.ok(hub.changes.includes('share read 3600 work/a.ipynb'));
    await assertAccessible(page, 'the share dialog with its link');
    await dialog.getByRole('button', { name: 'Close' }).click();
    await card('a/joint').getByRole('button', { name: 'Share' }).click();
    await page.getByText('Documents are not shared in this session').waitFor();
    assert.equal(await page.getByRole('radio').count(), 1);
    await page.getByRole('button', { name: 'Make a link' }).click();
    await page.getByLabel('The link').waitFor();
    assert.ok(hub.changes.includes('share execute 86400'));
  });

  it('stops one only after it asked', async () => {
    hub.sessions = [running({ repoUrl: 'https://github.com/a/one' })];
    const request = `DELETE /api/v1/sessions/${hub.sessions[0]?.id}`;
    await page.goto(`${hub.origin}/sessions`);
    const stop = card('a/one').getByRole('button', { name: 'Stop' });
    await stop.click();
    await page.getByRole('dialog', { name: 'Stop a/one?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.ok(await stop.evaluate((button) => button === document.activeElement), 'the focus is back');
    assert.ok(!hub.changes.includes(request));
    await stop.click();
    await page.getByRole('button', { name: 'Stop it' }).click();
    await page.getByText('It was stopped.').waitFor();
    assert.ok(hub.changes.includes(request));
  });

  it('warns of an end on every page, and keeps the session with one click', async () => {
    const endsAt = new Date(Date.now() + 200_000).toISOString();
    hub.sessions = [running({ repoUrl: 'https://github.com/a/one', endsAt })];
    await page.goto(hub.origin);
    const warning = page.getByText('a/one ends in 3 minutes because nobody is using it.');
    await warning.waitFor();
    await page.getByRole('button', { name: 'Keep it running' }).click();
    await warning.waitFor({ state: 'detached' });
    assert.ok(hub.changes.includes(`POST /api/v1/sessions/${hub.sessions[0]?.id}/keep-alive`));
  });

  it('shows the log and opens the session', async () => {
    hub.sessions = [running({ repoUrl: 'https://github.com/a/one' })];
    hub.sessionLog = '\u001b[32m[I 2026]\u001b[0m <b>Server</b> is running\n';
    await page.goto(`${hub.origin}/sessions`);
    await card('a/one').getByRole('button', { name: 'Log' }).click();
    await page.getByRole('dialog').getByText('[I 2026] <b>Server</b> is running').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await card('a/one').getByRole('button', { name: 'Open' }).click();
    await page.waitForURL(`http://${hub.sessions[0]?.id}.localhost:*/s/**`);
  });

  it('says when the hub is gone, and goes on when it is back', async () => {
    hub.sessions = [running({ repoUrl: 'https://github.com/a/one' })];
    await page.goto(`${hub.origin}/sessions`);
    await card('a/one').waitFor();
    hub.down = true;
    await card('a/one').getByRole('button', { name: 'Keep it running' }).click();
    const gone = page.getByRole('heading', { name: 'The hub does not answer.' });
    await gone.or(page.getByText('is not running')).first().waitFor();
    hub.down = false;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Try again' }).waitFor({ state: 'detached' });
    await card('a/one').waitFor();
  });
});
