// A real Chromium for browser tests, and what every test of a page wants from it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Chromium as Debian has it; `CHROMIUM` names another. */
export async function startBrowser(): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--disable-gpu', '--disable-dev-shm-usage', ...(root ? ['--no-sandbox'] : [])],
  });
}

/** What went wrong in a page without anybody looking: script errors and blocked content. */
export interface Watched {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: string[];
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    // Answers with an error status and cut connections belong to some tests.
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(text)) complaints.push(text);
  });
  return { context, page, complaints };
}

interface AxeResult {
  violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[];
}

/**
 * Fails with every accessibility rule of axe-core (WCAG 2.2 AA and best practices) that the page breaks as it is now.
 * @param rules only these, where the others were seen to hold for the same content
 */
export async function assertAccessible(page: Page, state: string, rules?: readonly string[]): Promise<void> {
  // Through the debugger, not as an inline script, which the page's policy would block.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(async (runOnly) => {
    const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResult> } };
    return axe.run({ resultTypes: ['violations'], ...(runOnly ? { runOnly } : {}) });
  }, rules);
  const said = violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${one.help}\n    ${node.html}\n    ${node.failureSummary}`));
  assert.deepEqual(said, [], `accessibility of: ${state}`);
}

/** Fails when the page is wider than its window. */
export async function assertNoSideScroll(page: Page, state: string): Promise<void> {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok((content ?? 0) <= (window ?? 0), `${state}: the page is ${content} px wide in a window of ${window} px`);
}
