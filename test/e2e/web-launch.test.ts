import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { openPage, startBrowser } from '../fakes/browser.ts';
import type { Watched } from '../fakes/browser.ts';
import { FakeHub } from '../fakes/hub.ts';
import { BROKEN, BUILDING, LOCKED, PLANNED, READY, SESSION } from '../fakes/launch-scripts.ts';

const PATH = '/v2/gh/binder-examples/requirements/HEAD?labpath=index.ipynb';

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

  const heading = (name: string | RegExp) => page.getByRole('heading', { name });
  const script = (...events: Parameters<FakeHub['emit']>[1][]) => void (hub.onLaunch = (launch) => hub.emit(launch, ...events));

  it('goes from pasted text through the stages into the notebook', async () => {
    script(...PLANNED, ...LOCKED, ...BUILDING);
    await page.goto(origin);
    await page.getByLabel('Repository').fill('https://github.com/binder-examples/requirements/blob/HEAD/index.ipynb');
    await page.getByText('GitHub repository binder-examples/requirements, default branch, opens index.ipynb').waitFor();
    await page.getByRole('button', { name: 'Launch' }).click();
    await heading('Building the environment').waitFor();
    assert.match(await page.title(), /^Building the environment: binder-examples\/requirements/);
    await page.getByRole('row', { name: /apt\.txt Not supported here/ }).waitFor();
    assert.equal(await page.getByRole('listitem').filter({ hasText: 'Settle the packages' }).getByText('0.4 s').count(), 1);
    assert.equal(await page.locator('.log-last').textContent(), '+ matplotlib 3.10.7');

    const [launch] = hub.launches;
    assert.ok(launch);
    hub.emit(launch, ...READY);
    await page.waitForURL(`http://${SESSION}.localhost:*/s/${SESSION}/lab/tree/index.ipynb?code=once`);
    assert.equal(hub.launches.length, 1);
    assert.ok(hub.changes.includes('open host lab/tree/index.ipynb'));

    await page.goBack();
    await heading('Your notebook is ready').waitFor();
    assert.equal(hub.launches.length, 1, 'coming back does not launch again');
  });
});
