import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { plainText } from '../../packages/web/src/log/log-buffer.ts';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser } from '../fakes/browser.ts';
import { FakeHub } from '../fakes/hub.ts';
import type { ScriptedEvent } from '../fakes/hub.ts';
import { BROKEN, BUILDING, LOCKED, PLANNED, READY } from '../fakes/launch-scripts.ts';
import { ended, running } from '../fakes/sessions.ts';

const PATH = '/v2/gh/binder-examples/requirements/HEAD?labpath=index.ipynb';
const LONG = 'https://gitlab.example.org/a-group-with-a-long-name/sub-group/a_course_with_a_name_that_does_not_end_on_one_line_of_a_phone';

interface State {
  readonly name: string;
  readonly path: string;
  readonly set?: (hub: FakeHub) => void;
  readonly act?: (page: Page, hub: FakeHub) => Promise<void>;
  /** Text that shows that the state is reached. */
  readonly shows: string;
}

const script =
  (...events: ScriptedEvent[]) =>
  (hub: FakeHub): void =>
    void (hub.onLaunch = (launch) => hub.emit(launch, ...events));
const examples = (hub: FakeHub): void =>
  void (hub.examples = [
    { link: 'binder-examples/requirements', title: 'requirements.txt', about: 'numpy and matplotlib' },
    { link: `${LONG}.git`, title: 'A long one', about: LONG },
  ]);
const sessions = (hub: FakeHub): void =>
  void (hub.sessions = [
    running({ endsAt: new Date(Date.now() + 100_000).toISOString() }),
    running({ repoUrl: LONG, isolated: false, memoryBytes: 3e9 }),
    // The oldest, so that it is not the first on the page: it cannot be stopped any more.
    running({ state: 'ending', startedAt: new Date(Date.now() - 86_400_000).toISOString() }),
    ended({ endReason: 'crash', savedBytes: 52_000 }),
  ]);

const STATES: readonly State[] = [
  { name: 'empty form', path: '/', shows: 'This hub offers none.' },
  {
    name: 'form filled in',
    path: '/',
    set: examples,
    act: async (page) => {
      await page.getByLabel('Repository').fill(LONG);
      await page.getByText('Branch, file to open, date').click();
    },
    shows: 'at gitlab.example.org',
  },
  { name: 'form with a mistake', path: '/', act: (page) => page.getByLabel('Repository').fill('ext::sh -c x'), shows: 'A remote helper' },
  { name: 'form without isolation', path: '/', set: (hub) => void (hub.config = { isolated: false }), shows: 'cannot isolate' },
  { name: 'no key', path: '/', set: (hub) => void (hub.authorized = false), shows: 'has no key' },
  { name: 'launch begins', path: PATH, shows: 'Find the commit' },
  {
    name: 'launch waits',
    path: PATH,
    set: script(...PLANNED, { phase: 'waiting', kind: 'begin', message: 'Busy', position: 3 }),
    shows: 'Place 3',
  },
  { name: 'launch builds', path: PATH, set: script(...PLANNED, ...LOCKED, ...BUILDING), shows: 'setup.py' },
  {
    name: 'log in the terminal',
    path: PATH,
    set: script(...PLANNED, ...LOCKED, ...BUILDING),
    act: async (page) => {
      await page.getByRole('button', { name: /^Log/ }).click();
      await page.locator('.xterm-rows').getByText('matplotlib').waitFor();
    },
    shows: 'Plain text',
  },
  {
    name: 'log as text',
    path: PATH,
    set: script(...PLANNED, { phase: 'building', kind: 'log', message: 'x'.repeat(3000) }),
    act: async (page) => {
      await page.getByRole('button', { name: /^Log/ }).click();
      await page.getByRole('button', { name: 'Plain text' }).click();
    },
    shows: 'remote: Enumerating',
  },
  { name: 'launch failed', path: PATH, set: script(...PLANNED, BROKEN), shows: 'Launch again' },
  {
    name: 'launch ready',
    path: PATH,
    set: script(...PLANNED, ...LOCKED, ...BUILDING),
    act: async (page, hub) => {
      await page.getByLabel('Open the notebook as soon as it is ready').uncheck();
      for (const launch of hub.launches) hub.emit(launch, ...READY);
    },
    shows: 'Your notebook is ready',
  },
  {
    name: 'stream cut',
    path: PATH,
    set: script(...PLANNED),
    act: async (page, hub) => {
      await page.getByText('setup.py').waitFor();
      hub.down = true;
      hub.cut();
    },
    shows: 'Reconnecting',
  },
  {
    name: 'asked first',
    path: PATH,
    set: (hub) => void (hub.config = { ask: true, askFrom: 'https://elsewhere.example' }),
    shows: 'Don’t launch',
  },
  { name: 'no link', path: '/v2/gh/nobody', shows: 'This is not a link to launch' },
  { name: 'no session', path: '/sessions', shows: 'No session is running.' },
  { name: 'sessions', path: '/sessions', set: sessions, shows: 'Download changed files' },
  {
    name: 'stop?',
    path: '/sessions',
    set: sessions,
    act: (page) => page.getByRole('button', { name: 'Stop' }).first().click(),
    shows: 'Let it run',
  },
  {
    name: "a session's log",
    path: '/sessions',
    set: sessions,
    act: (page) => page.getByRole('button', { name: 'Log' }).first().click(),
    shows: 'ServerApp',
  },
  { name: 'nothing here', path: '/nowhere', shows: 'There is nothing here' },
];

describe('every state of the pages', () => {
  let browser: Browser;
  before(async () => void (browser = await startBrowser()));
  after(() => browser.close());

  for (const state of STATES) {
    it(`${state.name}: accessible in both schemes, fits a phone, breaks no policy`, async () => {
      const hub = new FakeHub();
      const origin = await hub.listen();
      state.set?.(hub);
      const { context, page, complaints } = await openPage(browser, { colorScheme: 'light', viewport: { width: 1280, height: 900 } });
      try {
        await page.goto(origin + state.path);
        await state.act?.(page, hub);
        await page.getByText(state.shows).locator('visible=true').first().waitFor();
        await assertAccessible(page, `${state.name}, light`);
        await page.emulateMedia({ colorScheme: 'dark' });
        await page.setViewportSize({ width: 360, height: 740 });
        await assertAccessible(page, `${state.name}, dark, phone`, ['color-contrast', 'target-size', 'scrollable-region-focusable']);
        await assertNoSideScroll(page, state.name);
        assert.deepEqual(complaints, []);
      } finally {
        await context.close();
        await hub.close();
      }
    });
  }

  for (const width of [1280, 360]) {
    it(`moves nothing while a launch goes from its first moment to its end, ${width} px wide`, async () => {
      const hub = new FakeHub();
      const origin = await hub.listen();
      const { context, page } = await openPage(browser, { viewport: { width, height: 2200 } });
      try {
        await page.addInitScript(recordShifts);
        await page.goto(origin + PATH);
        await page.getByLabel('Open the notebook as soon as it is ready').uncheck();
        const [launch] = hub.launches;
        assert.ok(launch);
        for (const part of [PLANNED, LOCKED, BUILDING, READY]) {
          hub.emit(launch, ...part);
          await page.locator('.log-last', { hasText: plainText(part.at(-1)?.message ?? '') }).waitFor();
        }
        await page.getByText('Your notebook is ready').waitFor();
        const shifts = await page.evaluate(() => (globalThis as unknown as { shifts: string[] }).shifts);
        assert.deepEqual(shifts, []);
      } finally {
        await context.close();
        await hub.close();
      }
    });
  }
});

/** Runs in the page: notes everything that moved without being asked to (the Layout Instability API). */
function recordShifts(): void {
  interface Shift {
    hadRecentInput: boolean;
    sources: { node?: Element; previousRect: DOMRect; currentRect: DOMRect }[];
  }
  const shifts: string[] = [];
  Object.assign(globalThis, { shifts });
  const place = ({ x, y }: DOMRect): string => `${Math.round(x)},${Math.round(y)}`;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as unknown as Shift[]) {
      // Text that grows where it stands moves nothing else.
      for (const one of entry.sources.filter(({ node }) => node instanceof Element))
        shifts.push(`${one.node?.nodeName}.${one.node?.className}: ${place(one.previousRect)} to ${place(one.currentRect)}`);
    }
  }).observe({ type: 'layout-shift', buffered: true });
}
