import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { openPage, startBrowser } from '../fakes/browser.ts';
import type { Watched } from '../fakes/browser.ts';
import { FakeHub } from '../fakes/hub.ts';
import type { FakeLaunch, ScriptedEvent } from '../fakes/hub.ts';
import { BROKEN, BUILDING, LOCKED, PLANNED, READY, SESSION } from '../fakes/launch-scripts.ts';
import { ended } from '../fakes/sessions.ts';

const PATH = '/v2/gh/binder-examples/requirements/HEAD';

describe('the launch page', () => {
  let browser: Browser;
  let hub: FakeHub;
  let watched: Watched;
  let page: Page;
  let origin: string;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());
  beforeEach(async () => {
    hub = new FakeHub();
    origin = await hub.listen();
    watched = await openPage(browser);
    ({ page } = watched);
  });
  afterEach(async () => {
    await watched.context.close();
    await hub.close();
    assert.deepEqual(watched.complaints, []);
  });

  const heading = (name: string | RegExp): Locator => page.getByRole('heading', { name });
  const button = (name: string | RegExp): Locator => page.getByRole('button', { name });
  const script = (...events: ScriptedEvent[]): void => void (hub.onLaunch = (launch) => hub.emit(launch, ...events));
  const planned = (): Locator => page.locator('.stage-note', { hasText: 'Python 3.12, 2 packages from requirements.txt' });
  const only = (): FakeLaunch => {
    assert.equal(hub.launches.length, 1, 'one launch');
    return hub.launches[0] as FakeLaunch;
  };
  const session = `http://${SESSION}.localhost:*/s/${SESSION}/lab/tree/index.ipynb?code=once`;

  it('goes from pasted text through the stages into the notebook', async () => {
    script(...PLANNED, ...LOCKED, ...BUILDING);
    await page.goto(origin);
    await page.getByLabel('Repository').fill('https://github.com/binder-examples/requirements/blob/HEAD/index.ipynb');
    await page.getByText('GitHub repository binder-examples/requirements, default branch, opens index.ipynb').waitFor();
    await button('Launch').click();
    await heading('Building the environment').waitFor();
    assert.match(await page.title(), /^Building the environment: binder-examples\/requirements/);
    await page.getByRole('row', { name: /apt\.txt Not supported here/ }).waitFor();
    assert.equal(await page.getByRole('listitem').filter({ hasText: 'Settle the packages' }).getByText('0.4 s').count(), 1);
    assert.equal(await page.locator('.log-last').textContent(), '+ matplotlib 3.10.7');

    hub.emit(only(), ...READY);
    await page.waitForURL(session);
    assert.ok(hub.changes.includes('open host lab/tree/index.ipynb'));

    await page.goBack();
    await heading('Your notebook is ready').waitFor();
    await button('Open the notebook').click();
    await page.waitForURL(session);
    only();
  });

  it('stays when it is told to', async () => {
    script(...PLANNED);
    await page.goto(origin + PATH);
    await page.getByLabel('Open the notebook as soon as it is ready').uncheck();
    hub.emit(only(), ...READY);
    await heading('Your notebook is ready').waitFor();
    await page.getByText('It took 4.8 s.').waitFor();
    assert.ok(!hub.changes.some((change) => change.startsWith('open')));
  });

  it('a session that has ended meanwhile is started again with what it changed', async () => {
    script(...PLANNED, ...READY);
    hub.sessions = [ended({ id: SESSION, savedBytes: 52_000 })];
    await page.goto(origin + PATH);
    await heading('This session has ended').waitFor();
    const launched = new Promise<FakeLaunch>((resolve) => (hub.onLaunch = resolve));
    await button('Start again with my changes').click();
    const again = await launched;
    hub.emit(again, ...PLANNED);
    await heading('This session has ended').waitFor({ state: 'detached' });
    assert.deepEqual(again.options, { restore: SESSION, retry: true });
  });

  it('uses the second port where the browser cannot reach session host names', async () => {
    hub.answersProbe = false;
    script(...PLANNED, ...READY);
    await page.goto(origin + PATH);
    await page.waitForURL(`${origin}/spent-port-form/**`);
    assert.ok(hub.changes.includes('open port lab/tree/index.ipynb'));
  });

  it('says how a launch failed, with its report, and launches again', async () => {
    await watched.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    script(...PLANNED, BROKEN);
    await page.goto(origin + PATH);
    await heading("The repository's requirements cannot be met together.").waitFor();
    assert.match(await page.title(), /^Failed: /);
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2');
    await page.getByRole('region', { name: 'End of the log' }).getByText('No solution found').waitFor();
    await page.getByRole('listitem').filter({ hasText: 'Settle the packages' }).getByText('failed').waitFor();
    await button('Copy report').click();
    const report = await page.evaluate(() => navigator.clipboard.readText());
    for (const part of ['code: unsatisfiable', 'numpy==1.16.0', `link: ${PATH}`, 'apt.txt (unsupported', 'remote: Enumerating'])
      assert.ok(report.includes(part), `${part} in:\n${report}`);

    script(...PLANNED, ...LOCKED);
    await button('Use packages of the commit’s date').click();
    await heading('Building the environment').waitFor();
    assert.equal(hub.launches.length, 2);
    assert.deepEqual(hub.launches[1]?.options, { asOf: 'commit', retry: true });
  });

  it('goes on where a cut stream ended, without launching again', async () => {
    script(...PLANNED);
    await page.goto(origin + PATH);
    await planned().waitFor();
    hub.down = true;
    hub.cut();
    await page.getByText('The connection to the hub is cut. Reconnecting').waitFor();
    hub.emit(only(), ...LOCKED, ...BUILDING);
    hub.down = false;
    await heading('Building the environment').waitFor();
    assert.deepEqual(only().resumes, [undefined, String(PLANNED.length - 1)]);
    await page.getByText('The connection to the hub is cut').waitFor({ state: 'detached' });
    const said = PLANNED.length + LOCKED.length + BUILDING.length;
    await page.getByText(`${said} lines`).waitFor();
  });

  it('finds the same launch again after a reload, even before the answer to the first request', async () => {
    script(...PLANNED);
    await page.goto(origin + PATH);
    await planned().waitFor();
    await page.reload();
    await planned().waitFor();
    only();
    // Neither the skip link nor a mere # in the address is another page.
    await page.getByText('Skip to the content').focus();
    await page.keyboard.press('Enter');
    await page.evaluate(() => void (location.hash = 'somewhere'));
    await planned().waitFor();
    await page.reload();
    await planned().waitFor();
    only();
    // A request that was never answered is repeated under the same name.
    await page.evaluate(() => history.replaceState({ once: (history.state as { once: string }).once }, ''));
    await page.reload();
    await planned().waitFor();
    only();
  });

  it('starts once when the answer to the first request was lost and a person tries again', async () => {
    script(...PLANNED);
    hub.losesAnswers = true;
    await page.clock.install();
    await page.goto(origin + PATH);
    await page.getByText('The connection to the hub is cut').waitFor();
    for (let i = 0; i < 5; i++) await page.clock.runFor(10_000);
    await heading('The hub does not answer.').waitFor();
    hub.losesAnswers = false;
    await button('Try again').click();
    await page.clock.resume();
    await planned().waitFor();
    only();
  });

  it('asks before it runs what another site opened', async () => {
    hub.config = { ask: true, askFrom: 'https://elsewhere.example' };
    script(...PLANNED);
    await page.goto(origin + PATH);
    await heading('Launch binder-examples/requirements?').waitFor();
    await page.getByText('https://elsewhere.example').waitFor();
    assert.equal(hub.launches.length, 0);
    await button('Launch').click();
    await planned().waitFor();
    only();
    await page.reload();
    await planned().waitFor();
    only();
  });

  it('cancels', async () => {
    script(...PLANNED, ...LOCKED, ...BUILDING);
    await page.goto(origin + PATH);
    await button('Cancel the launch').click();
    await heading('The launch was cancelled').waitFor();
    assert.ok(hub.changes.includes(`DELETE /api/v1/launches/${only().id}`));
    await button('Launch again').click();
    await heading('Building the environment').waitFor();
    assert.equal(hub.launches.length, 2);
  });

  it('shows the log in a terminal and as text', async () => {
    script(...PLANNED, ...LOCKED, { phase: 'building', kind: 'begin', message: '<img src=x onerror=alert(1)>\u001b]0;owned\u0007' });
    await page.goto(origin + PATH);
    await button(/^Log/).click();
    await page.locator('.xterm-rows').getByText('remote: Enumerating objects: 9, done.').waitFor();
    // The terminal's own style sheets are in force under the page's policy.
    const height = await page
      .locator('.xterm-rows > div')
      .first()
      .evaluate((row) => row.getBoundingClientRect().height);
    assert.ok(height > 10 && height < 30, `row height ${height}`);
    const colour = await page
      .locator('.xterm-rows span', { hasText: 'Resolved' })
      .first()
      .evaluate((span) => getComputedStyle(span).color);
    assert.equal(colour, 'rgb(15, 100, 112)');
    await button('Plain text').click();
    const text = await page.getByRole('region', { name: 'Log as plain text' }).textContent();
    assert.ok(text?.includes('Resolved 38 packages in 310ms\n'), text ?? '');
    assert.ok(text?.endsWith('<img src=x onerror=alert(1)>'), text ?? '');
  });

  it('launches by keyboard alone, and Tab leaves the terminal', async () => {
    script(...PLANNED);
    await page.goto(origin);
    const press = async (key: string, times = 1): Promise<void> => {
      for (let i = 0; i < times; i++) await page.keyboard.press(key);
    };
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent || document.activeElement?.id || '');
    await press('Tab');
    assert.match(await focused(), /Skip/);
    await press('Enter');
    await press('Tab');
    await page.keyboard.type('binder-examples/requirements');
    await press('Enter');
    await planned().waitFor();
    assert.equal(await focused(), 'binder-examples/requirements', 'the heading of the new page');
    await button(/^Log/).focus();
    await press('Enter');
    await page.locator('.xterm-rows').getByText('remote:').waitFor();
    const seen: string[] = [];
    for (let i = 0; i < 6; i++) {
      await press('Tab');
      seen.push(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''));
    }
    const terminal = seen.findIndex((name) => name.startsWith('Log. Arrow keys'));
    assert.ok(terminal >= 0 && terminal < 5 && !seen[terminal + 1]?.startsWith('Log.'), seen.join(' | '));
  });

  it('explains a link that is none, a missing key, and a hub that is gone', async () => {
    hub.authorized = false;
    await page.goto(origin + PATH);
    await heading('This browser has no key to the hub yet').waitFor();
    await page.goto(origin);
    await heading('This browser has no key to the hub yet').waitFor();
    hub.authorized = true;
    await page.goto(`${origin}/v2/gh/nobody`);
    await heading('The link could not be understood.').waitFor();
    await page.goto(`${origin}/nowhere`);
    await heading('There is nothing here').waitFor();
  });
});
