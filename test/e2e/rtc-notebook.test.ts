import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { readNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser, type Watched } from '../fakes/browser.ts';
import { NotebookHost } from '../fakes/notebook-host.ts';
import { hostileNotebook } from '../fakes/hostile-notebook.ts';
import { until } from '../fakes/until.ts';

const DESKTOP = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 375, height: 780 }, colorScheme: 'dark' } as const;

const code = (id: string, source: string): object => ({ cell_type: 'code', id, source, metadata: {}, outputs: [], execution_count: null });
const NOTEBOOK = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
  cells: [
    { cell_type: 'markdown', id: 'title', source: '# A study\n\nwith **words**', metadata: {} },
    code('one', 'print("\\x1b[31mred\\x1b[0m")'),
    code('ask', 'input("Your name? ")'),
  ],
};
const ANSWERS = {
  'print("\\x1b[31mred\\x1b[0m")': { outputs: [{ output_type: 'stream', name: 'stdout', text: '\u001b[31mred\u001b[0m\n' }] },
  'input("Your name? ")': { ask: 'Your name? ' },
  '6 * 7': { outputs: [{ output_type: 'execute_result', execution_count: 1, metadata: {}, data: { 'text/html': '<b>42</b>' } }] },
};

describe('the notebook page', () => {
  let browser: Browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  it('is edited, run, moved and undone by two at once', { timeout: 60_000 }, async () => {
    const host = await NotebookHost.start(NOTEBOOK, ANSWERS);
    const [one, two] = [await openPage(browser, DESKTOP), await openPage(browser, PHONE)];
    try {
      await Promise.all([one, two].map(({ page }) => page.goto(host.page('execute'))));
      await two.page.getByRole('heading', { name: 'A study' }).waitFor();
      await two.page.getByText('Saved', { exact: true }).waitFor();

      await cell(one.page, 2).getByRole('button', { name: 'Run cell 2' }).click();
      await cell(two.page, 2).locator('.ansi-red', { hasText: 'red' }).waitFor();
      await cell(two.page, 2).getByText('[1]').waitFor();

      await source(one.page, 3).focus();
      await one.page.keyboard.press('Shift+Enter');
      await two.page.getByLabel('Your name?').fill('Ada');
      await two.page.keyboard.press('Enter');
      await cell(one.page, 3).getByText('hello Ada').waitFor();

      // The cell after the last was made by Shift+Enter, and has the focus.
      await source(one.page, 4).and(one.page.locator(':focus')).waitFor();
      await one.page.keyboard.type('6 * 7');
      await cell(two.page, 4).getByText('6 * 7').waitFor();
      await cell(two.page, 4).locator('.cm-remote-caret').waitFor();
      await one.page.keyboard.press('Control+Enter');
      await cell(two.page, 4).locator('b', { hasText: '42' }).waitFor();

      await cell(two.page, 4).getByRole('button', { name: 'Move cell 4 up' }).click();
      await cell(one.page, 3).locator('b', { hasText: '42' }).waitFor();
      await cell(one.page, 1).getByRole('button', { name: 'Delete cell 1' }).click();
      await two.page.getByRole('heading', { name: 'A study' }).waitFor({ state: 'detached' });
      await one.page.getByRole('button', { name: 'Undo' }).click();
      await two.page.getByRole('heading', { name: 'A study' }).waitFor();

      await cell(one.page, 1).getByRole('button', { name: 'Edit cell 1' }).click();
      await source(one.page, 1).focus();
      await one.page.keyboard.press('Control+End');
      await one.page.keyboard.type(' and *more*');
      await one.page.keyboard.press('Control+Enter');
      await two.page.locator('em', { hasText: 'more' }).waitFor();
      await cell(two.page, 2).getByLabel('Type of cell 2').selectOption('raw');
      await cell(one.page, 2).getByText('raw', { exact: true }).first().waitFor();
      await until(
        'all is in the document',
        () =>
          readNotebook(host.room.doc)
            .cells.map(({ type }) => type)
            .join() === 'markdown,raw,code,code',
      );
      assert.equal(readNotebook(host.room.doc).cells[0]?.source, '# A study\n\nwith **words** and *more*');
      await good([one, two], 'a notebook');
    } finally {
      await Promise.all([one.context.close(), two.context.close()]);
      await host.close();
    }
  });

  it('offers what the role allows; what runs goes on without the page', { timeout: 60_000 }, async () => {
    const host = await NotebookHost.start(NOTEBOOK, ANSWERS);
    const [runner, editor, reader] = [await openPage(browser), await openPage(browser, DESKTOP), await openPage(browser, PHONE)];
    try {
      await reader.page.goto(host.page('read'));
      await editor.page.goto(host.page('edit'));
      await runner.page.goto(host.page('execute'));
      await reader.page.getByText('Read only').waitFor();
      await cell(reader.page, 3).waitFor();
      assert.deepEqual(await reader.page.locator('.cell button, .cell select, .cell [contenteditable=true]').count(), 0);
      await source(editor.page, 2).focus();
      await editor.page.keyboard.press('Control+Home');
      await editor.page.keyboard.type('# checked\n');
      await cell(reader.page, 2).getByText('# checked').waitFor();
      assert.equal(await editor.page.getByRole('button', { name: /Run|Restart/ }).count(), 0);

      await cell(runner.page, 3).getByRole('button', { name: 'Run cell 3' }).click();
      await cell(editor.page, 3).getByText('Running…').waitFor();
      await cell(editor.page, 3).getByText('somebody who may run code can answer').waitFor();
      await runner.context.close();
      host.room.tables.stdin.update(host.room.tables.stdin.ids.get()[0] ?? '', { answer: 'nobody' });
      await cell(reader.page, 3).getByText('hello nobody').waitFor();
      await good([editor, reader], 'roles');

      await reader.page.goto(host.page('read', 'nothing.ipynb'));
      await reader.page.getByText('There is no such notebook.').waitFor();
      await assertAccessible(reader.page, 'no such notebook');
    } finally {
      await Promise.all([editor.context.close(), reader.context.close()]);
      await host.close();
    }
  });

  it('runs nothing of a hostile notebook, and asks nobody else for anything', { timeout: 60_000 }, async () => {
    // The policy lets everything happen: what keeps it from happening is the page.
    const host = await NotebookHost.start(hostileNotebook(), {}, "script-src * 'unsafe-inline' 'unsafe-eval' data: blob:; img-src * data:");
    const watched = await openPage(browser, DESKTOP);
    const { page } = watched;
    const elsewhere: string[] = [];
    page.on('request', (request) => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(host.page('edit').split('/edit')[0] ?? ''))
        elsewhere.push(request.url());
    });
    page.on('dialog', (dialog) => void dialog.dismiss().then(() => elsewhere.push('a dialog')));
    try {
      await page.goto(host.page('edit'));
      await page.getByText('the last cell').waitFor();
      host.room.awareness.setLocalStateField('user', { name: '<img src=x onerror=pwned()>', color: 'red;background:url(//evil.example)' });
      await page.getByText('<img src=x onerror=pwned()>').first().waitFor();
      for (const link of await page.locator('.rich a').all()) await link.click({ modifiers: ['Alt'], trial: true }).catch(() => undefined);
      assert.equal(await page.evaluate(() => 'pwned' in globalThis), false);
      assert.deepEqual(elsewhere, []);
      const found = await page.evaluate(() =>
        [...document.querySelectorAll('.cells *')].flatMap((element) => {
          const bad = /^(?:script|iframe|object|embed|style|link|meta|base|form|svg|math|template|video|audio)$/i.test(element.tagName);
          const attributes = element.closest('.rich') && !element.matches('.rich') ? [...element.attributes] : [];
          const names = attributes.filter(
            ({ name, value }) => /^(?:on|style|class|id|name|srcdoc)/i.test(name) || /^\s*javascript:/i.test(value),
          );
          return bad || names.length > 0 ? [element.outerHTML.slice(0, 200)] : [];
        }),
      );
      assert.deepEqual(found, []);
      assert.deepEqual(watched.complaints, []);
      await assertNoSideScroll(page, 'a hostile notebook');
    } finally {
      await watched.context.close();
      await host.close();
    }
  });
});

function cell(page: Page, number: number): Locator {
  return page.getByRole('region', { name: `Cell ${number}`, exact: true });
}

function source(page: Page, number: number): Locator {
  return page.getByRole('textbox', { name: `Source of cell ${number}`, exact: true });
}

async function good(all: readonly Watched[], state: string): Promise<void> {
  for (const { page, complaints } of all) {
    await assertAccessible(page, state);
    await assertNoSideScroll(page, state);
    assert.deepEqual(complaints, []);
  }
}
