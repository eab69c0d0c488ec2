import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { openPage, startBrowser } from '../fakes/browser.ts';
import { Kernel } from '../fakes/kernel.ts';
import { realHub, type RealHub } from '../fakes/real-hub.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';

const NOTEBOOK = JSON.stringify({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
  cells: [
    { id: 'a', cell_type: 'code', metadata: {}, execution_count: null, outputs: [], source: 'import sys\nprint("answer", 6 * 7)' },
    {
      id: 'b',
      cell_type: 'code',
      metadata: {},
      execution_count: null,
      outputs: [],
      source: '%pip install --quiet iniconfig\nimport iniconfig\nprint("installed", iniconfig.__name__)',
    },
  ],
});

describe('from a link to a running cell', () => {
  const folder = new TemporaryFolder();
  const repository = new Repository(`${folder.path}/repository`);
  let home: RealHub;
  let browser: Browser;
  before(async () => {
    repository.commit({ 'index.ipynb': NOTEBOOK, 'data.txt': 'unique to this commit\n' });
    [home, browser] = await Promise.all([realHub(), startBrowser()]);
  });
  after(async () => {
    await browser.close();
    await home[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  it('by the page, in Chromium: a cell, a terminal, a %pip install', { timeout: 300_000 }, async () => {
    const { page, context } = await openPage(browser);
    page.setDefaultTimeout(120_000);
    await page.goto(home.hub.enterUrl('/'));
    await page.getByLabel('Repository').fill(repository.url);
    await page.getByRole('button', { name: 'Launch' }).click();
    await page.waitForURL(/\/\/[a-z2-7]{16}\.localhost:\d+\/s\/[a-z2-7]{16}\/lab/);
    assert.doesNotMatch(page.url(), /token|code/, 'no secret stays in the address');
    await page.getByText('index.ipynb').first().dblclick();
    const cells = page.locator('.jp-Notebook .jp-CodeCell');
    const runCell = async (index: number, output: string): Promise<void> => {
      await page.getByText('Python 3 (ipykernel) | Idle').waitFor();
      await cells.nth(index).locator('.cm-content').click();
      await cells.nth(index).locator('.cm-content').press('Shift+Enter');
      await cells.nth(index).locator('.jp-OutputArea-output', { hasText: output }).waitFor();
    };
    await runCell(0, 'answer 42');
    await runCell(1, 'installed iniconfig');
    await page.locator('.lm-TabBar-tab', { hasText: 'Launcher' }).click();
    await page.locator('.jp-LauncherCard', { hasText: 'Terminal' }).click();
    await page.locator('.jp-Terminal .xterm-helper-textarea').waitFor({ state: 'attached' });
    await page.locator('.jp-Terminal .xterm-screen').click();
    await page.keyboard.type(
      'echo $((40 + 2)) > from-terminal.txt; which python >> from-terminal.txt; git status --porcelain >> from-terminal.txt\n',
    );
    const sessionId = /\/s\/([a-z2-7]{16})\//.exec(page.url())?.[1] ?? '';
    const read = (): Promise<string> =>
      page.evaluate(async (id) => {
        const response = await fetch(`/s/${id}/api/contents/from-terminal.txt?content=1`);
        return response.ok ? ((await response.json()) as { content: string }).content : '';
      }, sessionId);
    const deadline = Date.now() + 30_000;
    let text = '';
    while (!text.includes('index.ipynb') && !text.includes('??') && Date.now() < deadline) text = await read();
    assert.match(text, /^42\n\/srv\/conda\/envs\/notebook\/bin\/python\n/);
    await context.close();
  });

  it('by the token API, from any site: a kernel, a cell, its reply', { timeout: 300_000 }, async () => {
    const ready = await home.ready(repository.url);
    const contents = (await (await fetch(`${ready.url}api/contents/data.txt?token=${ready.token}`)).json()) as { content: string };
    assert.equal(contents.content, 'unique to this commit\n');
    using kernel = await Kernel.start(ready);
    assert.equal(await kernel.execute('print(6 * 7)'), '42');
    assert.equal(
      await kernel.execute(
        'import os, subprocess\nprint(os.getcwd(), subprocess.check_output(["git", "status", "--porcelain"]).decode(), subprocess.check_output(["git", "rev-parse", "HEAD"]).decode())',
      ),
      `/home/jovyan  ${repository.git('rev-parse', 'HEAD')}`,
    );
    assert.match(await kernel.execute('print(open("/proc/self/status").read())'), /NoNewPrivs:\t1/);
  });

  it('and nothing of a session without its token', async () => {
    const ready = await home.ready(repository.url);
    for (const path of ['api/status', 'api/contents', 'lab', 'api/kernels?token=wrong', 'static/lab/index.html']) {
      const response = await fetch(ready.url + path, { redirect: 'manual', headers: { authorization: 'token wrong' } });
      assert.ok([401, 403].includes(response.status), `${path}: ${response.status}`);
    }
  });
});
