import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import type { Role } from '@bindery/wire/roles.ts';
import { assertAccessible, openPage, startBrowser } from '../fakes/browser.ts';
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
});

function cell(page: Page, number: number): Locator {
  return page.getByRole('region', { name: `Cell ${number}`, exact: true });
}
