import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser } from '../fakes/browser.ts';
import { RunningExample } from '../fakes/example.ts';
import { TemporaryFolder } from '../fakes/repository.ts';

const DESKTOP = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 375, height: 780 }, colorScheme: 'dark' } as const;

describe('the examples on shared documents', () => {
  let browser: Browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  it('rtc-todo: two pages share one list; each undoes its own; a page that is offline goes on', { timeout: 60_000 }, async () => {
    using folder = new TemporaryFolder();
    const port = 20_000 + (process.pid % 20_000);
    let example = await RunningExample.start('rtc-todo', '--folder', folder.path, '--port', String(port));
    const [one, two] = [await openPage(browser, DESKTOP), await openPage(browser, PHONE)];
    try {
      await Promise.all([one, two].map(({ page }) => page.goto(example.link)));
      await add(one.page, 'thread');
      await saysValue(two.page, 'thread');
      await add(two.page, 'glue');
      await saysValue(one.page, 'glue');
      await two.page.getByLabel('Done: thread').check();
      await one.page.getByLabel('Done: thread').and(one.page.locator(':checked')).waitFor();
      // Both edit one line: the caret of the one stays where it was in the text.
      const line = one.page.getByLabel('What is to be done').first();
      await line.focus();
      await one.page.keyboard.press('End');
      await two.page.getByLabel('What is to be done').first().fill('red thread');
      await saysValue(one.page, 'red thread');
      await one.page.keyboard.type('!');
      await saysValue(two.page, 'red thread!');
      await two.page.getByRole('button', { name: 'Remove: glue' }).click();
      await one.page.getByText('0 of 1 left.').waitFor();
      await two.page.getByRole('button', { name: 'Undo' }).click();
      await one.page.getByText('1 of 2 left.').waitFor();
      await one.page.getByText('Saved', { exact: true }).waitFor();

      await rename(one.page, '<img src=x onerror=alert(1)>');
      await two.page.getByText('<img src=x onerror=alert(1)>').waitFor();

      assert.equal(await example.end(), 0);
      await one.page.getByText('Offline', { exact: true }).waitFor();
      await add(one.page, 'paste');
      await one.page.getByText('Offline, not saved').waitFor();
      example = await RunningExample.start('rtc-todo', '--folder', folder.path, '--port', new URL(example.link).port);
      await saysValue(two.page, 'paste');
      await one.page.getByText('Saved', { exact: true }).waitFor();
      await one.page.getByText('Look inside').click();
      for (const { page } of [one, two]) {
        await assertAccessible(page, 'the list');
        await assertNoSideScroll(page, 'the list');
      }
      assert.deepEqual([one.complaints, two.complaints], [[], []]);
    } finally {
      await Promise.all([one.context.close(), two.context.close()]);
      await example.end();
    }
  });

  it('rtc-lumino: texts, cursors and the switch are shared; who may only read, reads', { timeout: 60_000 }, async () => {
    const example = await RunningExample.start('rtc-lumino');
    const [one, two, reader] = [await openPage(browser, DESKTOP), await openPage(browser, DESKTOP), await openPage(browser, PHONE)];
    try {
      await Promise.all([one, two].map(({ page }) => page.goto(example.link)));
      await rename(one.page, 'Ada');
      await editor(one.page, 'First').click();
      await one.page.keyboard.type('# One\nbegun by Ada');
      await editor(two.page, 'First').getByText('begun by Ada').waitFor();
      await two.page.locator('.cm-remote-name', { hasText: 'Ada' }).waitFor();
      await editor(two.page, 'First').click();
      await two.page.keyboard.press('Control+Home');
      await two.page.keyboard.type('Two was here. ');
      await editor(one.page, 'First').getByText('Two was here. ').waitFor();
      await one.page.keyboard.press('Control+z');
      await editor(two.page, 'First').getByText('begun by Ada').waitFor({ state: 'detached' });
      assert.equal((await editor(two.page, 'First').innerText()).includes('Two was here.'), true);

      await two.page.getByRole('switch').nth(1).check();
      await one.page.locator('[aria-label="Second document"][contenteditable="false"]').waitFor();

      // The debugger tells what happens while it happens.
      await two.page.getByText('Look inside').click();
      const inside = two.page.getByRole('region', { name: 'Debugger' });
      await inside.getByRole('rowheader', { name: 'three' }).waitFor();
      await editor(one.page, 'Third').click();
      await one.page.keyboard.type('seen');
      await inside.getByRole('cell', { name: '"seen"' }).waitFor();
      await inside.getByRole('tab', { name: 'Log' }).click();
      await inside.getByRole('cell', { name: 'Ada' }).first().waitFor();
      await two.page.keyboard.press('ArrowRight');
      await inside.getByRole('cell', { name: 'Ada', exact: true }).waitFor();
      await assertAccessible(two.page, 'the debugger');
      await assertAccessible(one.page, 'the documents');

      // A link of another role, made from the same key.
      await reader.page.goto(example.link.replace(/share=edit/, 'share=admin'));
      await reader.page.getByText('You are out of the room').waitFor();
      await assertAccessible(reader.page, 'a link that was changed');
      assert.deepEqual([one.complaints, two.complaints, reader.complaints], [[], [], []]);
    } finally {
      await Promise.all([one, two, reader].map(({ context }) => context.close()));
      assert.equal(await example.end(), 0);
    }
  });

  it('rtc-todo: a reader sees and cannot write; documents without a folder are gone in the end', { timeout: 60_000 }, async () => {
    using folder = new TemporaryFolder();
    process.env['TMPDIR'] = folder.path;
    const example = await RunningExample.start('rtc-todo', '--role', 'read').finally(() => delete process.env['TMPDIR']);
    const { page, context, complaints } = await openPage(browser, PHONE);
    try {
      await page.goto(example.link);
      await page.getByText('Read only').waitFor();
      await page.getByText('Nothing to do.').waitFor();
      assert.equal(await page.getByLabel('New to-do').count(), 0);
      await assertAccessible(page, 'a reader');
      assert.deepEqual(complaints, []);
      for (const path of ['/', '/..%2fpackage.json', '/assets/%2e%2e/x.js'])
        assert.equal((await fetch(new URL(path, example.link))).status, 404, path);
    } finally {
      await context.close();
      assert.equal(await example.end(), 0);
    }
    assert.deepEqual(existsSync(folder.path) ? readdirSync(join(folder.path)) : [], []);
  });
});

async function add(page: Page, what: string): Promise<void> {
  await page.getByLabel('New to-do').fill(what);
  await page.keyboard.press('Enter');
}

async function saysValue(page: Page, value: string): Promise<void> {
  await page.waitForFunction((wanted) => [...document.querySelectorAll('input')].some((each) => each.value === wanted), value);
}

async function rename(page: Page, name: string): Promise<void> {
  await page.getByTitle('Change your name').click();
  await page.getByLabel('Your name').fill(name);
  await page.keyboard.press('Enter');
}

function editor(page: Page, which: string): ReturnType<Page['getByRole']> {
  return page.getByRole('textbox', { name: `${which} document` });
}
