import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import type { Role } from '@bindery/wire/roles.ts';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser, type Watched } from '../fakes/browser.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { until } from '../fakes/until.ts';

const HELLO = `file://${fileURLToPath(new URL('../../examples/hello', import.meta.url))}`;

describe('the notebook page of a session', () => {
  let home: RealHub;
  let browser: Browser;
  before(async () => void ([home, browser] = await Promise.all([realHub(), startBrowser()])));
  after(async () => {
    await browser.close();
    await home[Symbol.asyncDispose]();
  });

  it(
    'runs cells for all who are there, also when whoever asked has gone; a reader is led to it and only reads',
    { timeout: 300_000 },
    async () => {
      const session = await home.ready(HELLO);
      const link = async (role: Role): Promise<string> => {
        const body = JSON.stringify({ role, path: 'index.ipynb' });
        const shared = (await (await home.ask(`/api/v1/sessions/${session.sessionId}/share`, { method: 'POST', body })).json()) as {
          url: string;
        };
        const url = new URL(shared.url);
        if (role === 'execute') url.searchParams.set('next', '-/notebook?path=index.ipynb');
        return url.href;
      };
      const [one, two, reader] = [await openPage(browser), await openPage(browser), await openPage(browser)];
      // A kernel takes a while to start.
      for (const { page } of [one, two, reader]) page.setDefaultTimeout(60_000);
      await Promise.all([one.page.goto(await link('execute')), two.page.goto(await link('execute')), reader.page.goto(await link('read'))]);
      const response = await one.page.reload();
      assert.match(response?.headers()['content-security-policy'] ?? '', /^default-src 'none'; script-src 'self';/);

      await cell(one.page, 2).getByRole('button', { name: 'Run cell 2' }).click();
      for (const { page } of [one, two, reader]) await cell(page, 2).getByText('or 137.51 degrees').last().waitFor();
      await cell(one.page, 4).getByRole('button', { name: 'Run cell 4' }).click();
      await cell(reader.page, 4).locator('img[src^="data:image/svg+xml"]').waitFor();
      assert.equal(await reader.page.locator('.cell button').count(), 0);

      await cell(one.page, 6).getByRole('textbox').click();
      await one.page.keyboard.press('Control+a');
      await one.page.keyboard.type('name = input("Your name? ")\nprint("hello", name)');
      await one.page.keyboard.press('Control+Enter');
      await two.page.getByLabel('Your name?').waitFor();
      await one.context.close();
      await two.page.getByLabel('Your name?').fill('Ada');
      await two.page.keyboard.press('Enter');
      await cell(reader.page, 6).getByText('hello Ada').waitFor();

      await two.page.getByRole('button', { name: 'Restart kernel' }).click();
      await cell(two.page, 6).getByRole('textbox').click();
      await two.page.keyboard.press('Control+a');
      await two.page.keyboard.type('1 / 0');
      await two.page.keyboard.press('Control+Enter');
      await cell(reader.page, 6).getByText('ZeroDivisionError').first().waitFor();
      await cell(two.page, 6).getByText('[1]', { exact: true }).waitFor();

      await until('the file has it', async () => {
        const response = await fetch(`${session.url}api/contents/index.ipynb?content=1&token=${session.token}`);
        return (await response.text()).includes('ZeroDivisionError');
      });
      await assertAccessible(reader.page, 'a reader of a session');
      assert.deepEqual([one.complaints, two.complaints, reader.complaints], [[], [], []]);
    },
  );

  it(
    'makes, opens, runs, renames and deletes notebooks for all who are there, also when the browser is closed in between',
    { timeout: 300_000 },
    async () => {
      const session = await home.ready(HELLO);
      const body = JSON.stringify({ role: 'execute', path: '' });
      const shared = (await (await home.ask(`/api/v1/sessions/${session.sessionId}/share`, { method: 'POST', body })).json()) as {
        url: string;
      };
      const enter = async (next: string, options: BrowserContextOptions = {}): Promise<Watched> => {
        const watched = await openPage(browser, options);
        watched.page.setDefaultTimeout(60_000);
        const url = new URL(shared.url);
        url.searchParams.set('next', next);
        await watched.page.goto(url.href);
        return watched;
      };
      const inFile = async (name: string): Promise<string> =>
        (await fetch(`${session.url}api/contents/${name}?content=1&token=${session.token}`)).text();
      const one = await enter('-/notebook', { viewport: { width: 1280, height: 900 } });
      const two = await enter('-/notebook', { viewport: { width: 375, height: 780 }, colorScheme: 'dark' });

      // Create: it opens here, and is listed there.
      await one.page.getByRole('button', { name: 'New notebook' }).click();
      await one.page.getByRole('textbox', { name: 'Name' }).fill('study');
      await one.page.keyboard.press('Enter');
      await one.page.getByRole('heading', { name: 'study.ipynb' }).waitFor();
      await two.page.getByRole('link', { name: 'Notebook study.ipynb' }).waitFor();
      for (const { page } of [one, two]) {
        await assertNoSideScroll(page, 'a folder');
        await assertAccessible(page, 'a folder');
      }

      // Read and update: both have it open.
      await one.page.getByRole('button', { name: 'Add code' }).click();
      await cell(one.page, 1).getByRole('textbox').click();
      await one.page.keyboard.type('import time\nfor step in range(8):\n    print("step", step, flush=True)\n    time.sleep(0.5)');
      await two.page.getByRole('link', { name: 'Notebook study.ipynb' }).click();
      await cell(two.page, 1).getByText('import time').waitFor();

      // Run, and close the browser in the middle.
      await one.page.getByRole('button', { name: 'Run cell 1' }).click();
      await cell(two.page, 1).getByText('step 1').waitFor();
      await Promise.all([one.context.close(), two.context.close()]);
      const three = await enter('-/notebook?path=study.ipynb');
      await cell(three.page, 1).getByText('step 7').waitFor();
      await cell(three.page, 1).getByText('[1]', { exact: true }).waitFor();
      await until('the file has it', async () => (await inFile('study.ipynb')).includes('step 7'), { seen: () => inFile('study.ipynb') });

      // Rename: who has it open follows, and keeps the kernel.
      const four = await enter('-/notebook');
      await four.page.getByRole('button', { name: 'Rename study.ipynb' }).click();
      await four.page.getByRole('textbox', { name: 'New name' }).fill('index.ipynb');
      await four.page.keyboard.press('Enter');
      await four.page.getByText(/already exists/).waitFor();
      await four.page.getByRole('button', { name: 'Rename study.ipynb' }).click();
      await four.page.getByRole('textbox', { name: 'New name' }).fill('result.ipynb');
      await four.page.keyboard.press('Enter');
      await three.page.getByRole('heading', { name: 'result.ipynb' }).waitFor();
      await three.page.getByRole('button', { name: 'Add code' }).click();
      await cell(three.page, 2).getByRole('textbox').click();
      await three.page.keyboard.type('print("still at", step)');
      await three.page.keyboard.press('Control+Enter');
      await cell(three.page, 2).getByText('still at 7').waitFor();
      await until('the file has it', async () => (await inFile('result.ipynb')).includes('still at 7'));

      // Delete.
      await four.page.getByRole('button', { name: 'Delete result.ipynb' }).click();
      await assertAccessible(four.page, 'a question');
      await four.page.getByRole('button', { name: 'Delete it' }).click();
      await four.page.getByRole('link', { name: 'Notebook result.ipynb' }).waitFor({ state: 'detached' });
      assert.match(await inFile('result.ipynb'), /does not exist/);
      assert.deepEqual(
        [one, two, three, four].map(({ complaints }) => complaints),
        [[], [], [], []],
      );
    },
  );
});

function cell(page: Page, number: number): Locator {
  return page.getByRole('region', { name: `Cell ${number}`, exact: true });
}
