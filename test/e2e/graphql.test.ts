// GraphQL of a session that a hub launched: by its token, by a share link, and on its page.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { GraphqlClient } from '@bindery/rtc/graphql/client.ts';
import * as operations from '@bindery/rtc/graphql/operations.gen.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Role } from '@bindery/wire/roles.ts';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser } from '../fakes/browser.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { until } from '../fakes/until.ts';

const XSS = '<img src=x onerror="document.title=1"></script><script>document.title=1</script>';
const cell = (id: string, source: string) => ({ cell_type: 'code', execution_count: null, id, metadata: {}, outputs: [], source });
const book = (...cells: object[]): string => JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });

describe('GraphQL of a session', () => {
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  const clients: GraphqlClient[] = [];
  let home: RealHub;
  let browser: Browser;
  let session: { readonly id: string; readonly url: string; readonly token: string };
  before(async () => {
    repository.commit({
      'shared.ipynb': book(cell('a', 'print("answer", 6 * 7)'), cell('x', `# ${XSS}`)),
      'other.ipynb': book(cell('b', 'secret')),
    });
    [home, browser] = await Promise.all([realHub(), startBrowser()]);
    const { url, token } = await home.ready(repository.url);
    session = { id: /\/s\/([a-z2-7]{16})\//.exec(url)?.[1] ?? '', url, token };
  });
  after(async () => {
    for (const client of clients) await client.close();
    await browser.close();
    await home[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const clientOf = (token: string): GraphqlClient => {
    const client = new GraphqlClient({ url: `${session.url}graphql`, token });
    clients.push(client);
    return client;
  };
  async function share(role: Role, path = ''): Promise<URL> {
    const body = JSON.stringify({ role, path, seconds: 600 });
    const response = await home.ask(`/api/v1/sessions/${session.id}/share`, { method: 'POST', body });
    const { url } = (await response.json()) as { url: string };
    return new URL(url);
  }
  const tokenOf = (link: URL): string => link.searchParams.get('share') ?? '';

  it(
    'Run a cell: with the token, seen by who has a link to read, and by nobody whose link is for another file',
    { timeout: 300_000 },
    async () => {
      const owner = clientOf(session.token);
      const [reader, editor, stranger] = await Promise.all([
        share('read', 'shared.ipynb'),
        share('edit', 'shared.ipynb'),
        share('read', 'other.ipynb'),
      ]);
      const path = 'shared.ipynb';
      const texts: string[] = [];
      clientOf(tokenOf(reader)).subscribe(
        operations.CellChanges,
        { path, cell: 'a' },
        {
          next: ({ cell: { outputs } }) => {
            const [output] = outputs;
            if (output?.__typename === 'StreamOutput') texts.push(output.text);
          },
        },
      );
      await clientOf(tokenOf(editor)).mutate(operations.ChangeCell, { path, cell: 'a', splices: [{ at: 7, text: 'the ' }] });
      const isRefused = (error: unknown) => error instanceof BinderyError && error.code === 'forbidden';
      await assert.rejects(clientOf(tokenOf(editor)).mutate(operations.RunCell, { path, cell: 'a' }), isRefused);
      await assert.rejects(clientOf(tokenOf(stranger)).query(operations.Notebook, { path }), isRefused);
      await assert.rejects(clientOf('nonsense').query(operations.Me), isRefused);
      await owner.mutate(operations.RunCell, { path, cell: 'a' });
      await until('the reader sees what came out', () => texts.at(-1) === 'the answer 42\n', { withinMs: 60_000 });
    },
  );

  /** The page in a browser that opened a link, and was sent there by the address itself. */
  async function enter(link: URL, options = {}): Promise<{ page: Page; complaints: string[] }> {
    const opened = await openPage(browser, options);
    opened.page.setDefaultTimeout(60_000);
    link.searchParams.set('next', 'graphql');
    await opened.page.goto(link.href);
    await opened.page.getByRole('heading', { name: 'Ask this session' }).waitFor();
    await opened.page.getByRole('button', { name: 'Run' }).waitFor();
    assert.equal(new URL(opened.page.url()).pathname, `/s/${session.id}/-/graphql`);
    return opened;
  }
  const answer = (page: Page, text: string | RegExp) => page.getByLabel('Answer as JSON').filter({ hasText: text }).waitFor();
  const write = async (page: Page, label: string, text: string): Promise<void> => {
    await page.getByLabel(label).click();
    await page.keyboard.press('Control+a');
    // In place of coloured text, the browser itself would try to colour what is put in, and its own policy check would say so.
    await page.keyboard.press('Delete');
    await page.keyboard.insertText(text);
  };

  it('has a page: asks, completes, follows and shows what there is, with nothing from elsewhere', { timeout: 300_000 }, async () => {
    const { page, complaints } = await enter(await share('execute'), { viewport: { width: 1440, height: 900 } });
    await page.getByRole('button', { name: 'Run' }).click();
    await answer(page, '"shared.ipynb"');
    await page.getByLabel('Begin with').selectOption({ label: 'Cells and outputs' });
    await write(page, 'Variables as JSON', '{"path": "shared.ipynb"}');
    await page.keyboard.press('Control+Enter');
    // What somebody wrote is text, here too.
    await answer(page, 'onerror');
    await answer(page, 'answer 42');
    await write(page, 'GraphQL operation', 'query { noteb');
    await page.keyboard.press('Control+Space');
    await page.locator('.cm-tooltip-autocomplete').getByText('notebooks', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await write(page, 'GraphQL operation', '{ nothing }');
    await page.locator('.cm-lintRange-error').waitFor();
    await page.keyboard.press('Control+Enter');
    await answer(page, '"query_invalid"');
    await page.getByLabel('Begin with').selectOption({ label: 'Follow a notebook' });
    await write(page, 'Variables as JSON', '{"path": "shared.ipynb"}');
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByText('Following: 1 event').waitFor();
    await clientOf(session.token).mutate(operations.InsertCell, { path: 'shared.ipynb', source: 'seen at once' });
    await answer(page, 'seen at once');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByPlaceholder('Search').fill('Splice');
    await page.locator('#type-Splice').getByText('UTF-16').waitFor();
    await page.getByPlaceholder('Search').fill('');
    await page.locator('#type-Query').getByRole('button', { name: 'Notebook', exact: true }).first().click();
    await page.locator('#type-Notebook').getByText('cellCount').waitFor();
    await assertAccessible(page, 'the page for GraphQL');
    await assertNoSideScroll(page, 'the page for GraphQL');
    assert.notEqual(await page.title(), '1');
    assert.deepEqual(complaints, []);
  });

  it('has a page on a phone, in the dark, for who may only read', { timeout: 300_000 }, async () => {
    const { page, complaints } = await enter(await share('read', 'shared.ipynb'), {
      viewport: { width: 375, height: 780 },
      colorScheme: 'dark',
    });
    await page.getByText('Your role: read').waitFor();
    await page.getByLabel('Begin with').selectOption({ label: 'Kernels and sessions' });
    await page.getByRole('button', { name: 'Run' }).click();
    await answer(page, '"forbidden"');
    await assertAccessible(page, 'the page for GraphQL on a phone');
    await assertNoSideScroll(page, 'the page for GraphQL on a phone');
    assert.deepEqual(complaints, []);
  });
});
