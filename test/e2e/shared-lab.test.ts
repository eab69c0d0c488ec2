import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { randomId } from '@bindery/wire/ids.ts';
import type { Browser, Locator, Page } from 'playwright-core';
import { openPage, startBrowser } from '../fakes/browser.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { until } from '../fakes/until.ts';

const cell = (id: string, source: string) => ({ cell_type: 'code', execution_count: null, id, metadata: {}, outputs: [], source });
const book = (...cells: object[]): string =>
  JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    cells,
  });

interface Content {
  readonly cells: readonly { readonly source: string; readonly outputs: readonly { readonly text?: string }[] }[];
}

/** Processes of this one that keep shared documents. */
function keepers(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const isOurs = new RegExp(`^PPid:\\s*${process.pid}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'utf8'));
      return isOurs && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('supernode/worker.ts') ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe('two people in one session, with JupyterLab as it is published', () => {
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  let home: RealHub;
  let browser: Browser;
  let session: { readonly id: string; readonly url: string; readonly token: string };
  before(async () => {
    repository.commit({ 'index.ipynb': book(cell('a', 'print("answer", 6 * 7)'), cell('b', 'x = 1')), 'notes.md': '# Notes\n' });
    [home, browser] = await Promise.all([realHub(), startBrowser()]);
    const { url, token } = await home.ready(repository.url);
    session = { id: /\/s\/([a-z2-7]{16})\//.exec(url)?.[1] ?? '', url, token };
  });
  after(async () => {
    await browser.close();
    await home[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function enter(path: string): Promise<Page> {
    const { page } = await openPage(browser);
    page.setDefaultTimeout(120_000);
    // In a workspace of its own: the default one opens what others had open.
    await page.goto(home.hub.sessions.browserUrl(session.id, `lab/workspaces/${randomId()}/tree/${path}`));
    return page;
  }
  const cells = (page: Page): Locator => page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell');
  const editor = (page: Page, index: number): Locator => cells(page).nth(index).locator('.cm-content');
  const sources = (page: Page): Promise<string[]> => cells(page).locator('.cm-content').allInnerTexts();
  async function type(page: Page, index: number, text: string): Promise<void> {
    await editor(page, index).click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(text);
  }
  async function api(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${session.url}api/contents/${path}`, {
      method,
      headers: { authorization: `token ${session.token}` },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  }
  const saved = async (path: string): Promise<Content> => ((await api('GET', path)) as { content: Content }).content;
  /** What a file says when it says so. The server writes in place: who reads at that moment finds half a file. */
  async function savedWith(path: string, isSo: (cells: Content['cells']) => boolean): Promise<Content> {
    let content: Content = { cells: [] };
    const look = async (): Promise<boolean> => {
      content = await saved(path).catch(() => ({ cells: [] }));
      return isSo(content.cells);
    };
    await until(`${path} has been saved`, look, { seen: () => content });
    return content;
  }

  it('see each other, and what the other types and runs; it is saved', { timeout: 300_000 }, async () => {
    const one = await enter('index.ipynb');
    await cells(one).nth(1).waitFor();
    const other = await enter('index.ipynb');
    await cells(other).nth(1).waitFor();
    await one.getByText('Python 3 (ipykernel) | Idle').waitFor();
    await type(one, 0, '  # typed');
    await editor(other, 0).getByText('# typed').waitFor();
    await other.locator('.jp-remote-cursor').first().waitFor({ state: 'attached' });
    await editor(one, 0).press('Shift+Enter');
    await cells(other).nth(0).locator('.jp-OutputArea-output', { hasText: 'answer 42' }).waitFor();
    await savedWith('index.ipynb', ([a]) => a?.source === 'print("answer", 6 * 7)  # typed' && a.outputs[0]?.text === 'answer 42\n');
    await one.keyboard.press('Control+s');
    await one.locator('.lm-TabBar-tab.lm-mod-current.jp-mod-dirty').waitFor({ state: 'detached' });
    assert.deepEqual(await one.locator('.jp-Dialog').allInnerTexts(), []);

    // Somebody writes to the file, in another place than somebody edits; whoever writes has read what is in it.
    const now = await savedWith('index.ipynb', (all) => all.length > 1);
    const [first] = now.cells;
    const writing = api('PUT', 'index.ipynb', {
      type: 'notebook',
      format: 'json',
      content: { ...now, cells: [{ ...first, source: 'print("from a script")' }, ...now.cells.slice(1)] },
    });
    await type(one, 1, '0');
    await writing;
    for (const page of [one, other]) {
      await editor(page, 0).getByText('from a script').waitFor();
      await editor(page, 1).getByText('x = 10').waitFor();
    }
    for (const page of [one, other]) assert.deepEqual(await sources(page), ['print("from a script")', 'x = 10']);

    // The process that keeps the documents is killed; both go on, also while it is away.
    const [pid] = keepers();
    process.kill(pid ?? 0, 'SIGKILL');
    await type(one, 1, '5');
    await type(other, 0, '  # meanwhile');
    for (const page of [one, other]) {
      await editor(page, 0).getByText('# meanwhile').waitFor();
      await editor(page, 1).getByText('x = 105').waitFor();
    }
    for (const page of [one, other]) assert.deepEqual(await sources(page), ['print("from a script")  # meanwhile', 'x = 105']);
    assert.notDeepEqual(keepers(), [pid]);
    await savedWith('index.ipynb', ([, b]) => b?.source === 'x = 105');

    // One renames it.
    await one.locator('.jp-DirListing-item[data-file-type="notebook"]', { hasText: 'index.ipynb' }).click();
    await one.keyboard.press('F2');
    await one.locator('.jp-DirListing-editor').fill('renamed.ipynb');
    await one.keyboard.press('Enter');
    for (const page of [one, other]) await page.locator('.lm-TabBar-tab', { hasText: 'renamed.ipynb' }).waitFor();
    await type(other, 1, '1');
    await editor(one, 1).getByText('x = 1051').waitFor();
    await savedWith('renamed.ipynb', ([, b]) => b?.source === 'x = 1051');
    const { content } = (await api('GET', '')) as { content: { name: string }[] };
    assert.deepEqual(
      content.map(({ name }) => name).filter((name) => name.endsWith('.ipynb')),
      ['renamed.ipynb'],
    );
    for (const page of [one, other]) assert.deepEqual(await page.locator('.jp-Dialog').allInnerTexts(), []);
    await Promise.all([one.context().close(), other.context().close()]);
  });

  it('run cells that go on when the browser is closed, and ask in the other', { timeout: 300_000 }, async () => {
    const source =
      'import time\nfor i in range(40):\n    print("step", i)\n    time.sleep(0.1)\nname = input("Who? ")\nprint("hello", name)';
    // More than the session's own server lets through, of which a terminal keeps a word.
    const loud = 'for i in range(100): print("x" * 60_000, end="\\r\\x1b[K", flush=True)\nprint("all of it")';
    const content = JSON.parse(book(cell('a', source), cell('b', loud))) as object;
    await api('PUT', 'long.ipynb', { type: 'notebook', format: 'json', content });
    const one = await enter('long.ipynb');
    await cells(one).first().waitFor();
    await one.getByText('Python 3 (ipykernel) | Idle').waitFor();
    await editor(one, 0).click();
    await editor(one, 0).press('Shift+Enter');
    await cells(one).first().locator('.jp-OutputArea-output', { hasText: 'step 1' }).waitFor();
    await one.context().close();
    const other = await enter('long.ipynb');
    await cells(other).first().locator('.jp-OutputArea-output', { hasText: 'step 39' }).waitFor();
    const dialog = other.locator('.jp-Dialog');
    await dialog.getByText('Who?').waitFor();
    await dialog.locator('input').fill('Ada');
    await dialog.getByRole('button', { name: 'Answer' }).click();
    await cells(other).first().locator('.jp-OutputArea-output', { hasText: 'hello Ada' }).waitFor();
    await cells(other).first().locator('.jp-InputPrompt', { hasText: '[1]:' }).waitFor();
    await savedWith('long.ipynb', ([a]) => /^step 0\n(.*\n)*hello Ada\n$/.test(a?.outputs[0]?.text ?? ''));
    await editor(other, 1).click();
    await editor(other, 1).press('Shift+Enter');
    await savedWith('long.ipynb', ([, b]) => b?.outputs.length === 1 && b.outputs[0]?.text === 'all of it\n');
    await other.context().close();
  });

  it('by a link: with the role execute JupyterLab, below it only what is shared', { timeout: 120_000 }, async () => {
    const share = async (body: object): Promise<{ url: string; role: string; endsAt: string }> => {
      const response = await home.ask(`/api/v1/sessions/${session.id}/share`, { method: 'POST', body: JSON.stringify(body) });
      assert.equal(response.status, 200);
      return (await response.json()) as { url: string; role: string; endsAt: string };
    };
    const { url, role, endsAt } = await share({ path: 'notes.md' });
    assert.equal(role, 'execute');
    assert.ok(Math.abs(Date.parse(endsAt) - Date.now() - 86_400_000) < 60_000);
    const { page, context } = await openPage(browser);
    await page.goto(url);
    await page.locator('.jp-FileEditor .cm-content').getByText('Notes').waitFor({ timeout: 60_000 });
    assert.doesNotMatch(page.url(), /share=/, 'no secret stays in the address');
    await context.close();

    const guest = await openPage(browser);
    await guest.page.goto((await share({ role: 'read', path: 'long.ipynb', seconds: 600 })).url);
    await guest.page.getByText('step 39').waitFor();
    assert.equal(await guest.page.getByRole('button', { name: /^Run/ }).count(), 0);
    assert.doesNotMatch(guest.page.url(), /share=/);
    await guest.context.close();
    assert.deepEqual(guest.complaints, []);

    const reader = (await share({ role: 'read', path: 'notes.md', seconds: 60 })).url;
    const token = new URL(reader).searchParams.get('share') ?? '';
    const get = async (path: string): Promise<number> =>
      (await fetch(`${session.url}${path}`, { headers: { authorization: `token ${token}` } })).status;
    assert.deepEqual(
      await Promise.all(['api/contents/notes.md', 'api/contents/index.ipynb', 'api/kernels', 'lab'].map(get)),
      [200, 403, 403, 403],
    );
    assert.equal((await home.ask(`/api/v1/sessions/${session.id}/share`, { method: 'POST', body: '{"role":"owner"}' })).status, 400);
  });

  it('share a text file too', { timeout: 120_000 }, async () => {
    const [one, other] = await Promise.all([enter('notes.md'), enter('notes.md')]);
    const text = (page: Page): Locator => page.locator('.jp-FileEditor .cm-content');
    await Promise.all([one, other].map((page) => text(page).getByText('Notes').waitFor()));
    await text(one).click();
    await one.keyboard.press('Control+End');
    await one.keyboard.type('by one');
    await text(other).getByText('by one').waitFor();
    await until(
      'it is in the file',
      async () => ((await api('GET', 'notes.md?type=file')) as { content: string }).content === '# Notes\nby one',
    );
    await Promise.all([one.context().close(), other.context().close()]);
  });
});
