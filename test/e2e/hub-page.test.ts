import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { assertAccessible, openPage, startBrowser } from '../fakes/browser.ts';
import { NullEngine } from '../fakes/engine.ts';
import { nullHub, type NullHub } from '../fakes/null-hub.ts';

/** Stands for JupyterLab, which the browser is led to. */
const PAGE = '<!doctype html><title>the session</title><h1>the session</h1>';

describe('the hub, its page and a browser', () => {
  let engine: NullEngine;
  let hub: NullHub;
  let browser: Browser;
  let elsewhere: Server;
  let other: string;
  before(async () => {
    engine = await NullEngine.start({ answer: (_req, res) => res.setHeader('content-type', 'text/html').end(PAGE) });
    hub = await nullHub({ engine });
    browser = await startBrowser();
    // A page of another port of this machine: what any program of this machine could serve.
    elsewhere = createServer((_req, res) => {
      res.setHeader('content-type', 'text/html');
      res.end(`<a href="${hub.url}/v2/gh/user/repo/HEAD">go</a><script>
        const tried = [];
        const ask = (path, init) => fetch(${JSON.stringify('URL')}.replace('URL', '${hub.url}') + path, init).then((r) => tried.push(r.status), () => tried.push('refused'));
        const json = { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"link":"user/repo"}' };
        const plain = { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': 'text/plain' }, body: '{"link":"user/repo"}' };
        const source = new Promise((done) => { const s = new EventSource('${hub.url}/build/gh/user/repo/HEAD', { withCredentials: true }); s.onerror = () => { s.close(); done(); }; s.onmessage = () => { s.close(); done(); }; });
        Promise.all([ask('/api/v1/launches', json), ask('/api/v1/launches', plain), ask('/api/v1/sessions', { credentials: 'include' }), source]).then(() => (document.title = 'tried'));
      </script>`);
    });
    elsewhere.listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    other = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`;
  });
  after(async () => {
    await browser.close();
    elsewhere.closeAllConnections();
    elsewhere.close();
    await hub[Symbol.asyncDispose]();
    await engine.end();
  });

  it('lets a browser in by the one-time link, launches, and leads it to the session without a secret in the address', async () => {
    const { page, context, complaints } = await openPage(browser);
    await page.goto(hub.hub.enterUrl('/v2/gh/user/repo/HEAD'));
    await page.getByRole('heading', { name: 'the session' }).waitFor();
    assert.match(page.url(), /^http:\/\/[a-z2-7]{16}\.localhost:\d+\/s\/[a-z2-7]{16}\/$/);
    assert.deepEqual(complaints, []);
    assert.equal(engine.sessions.size, 1);
    await context.close();
  });

  it('leads on from the link that is printed for a session, and a second time in the same browser', async () => {
    const { sessionId } = (await hub.events((await hub.launch('user/repo')).id)).find((event) => event.phase === 'ready') ?? {};
    const link = hub.hub.enterUrl(`/open/${sessionId}`);
    const { page, context, complaints } = await openPage(browser);
    for (const _ of [1, 2]) {
      await page.goto(link);
      await page.getByRole('heading', { name: 'the session' }).waitFor();
      assert.equal(page.url().replace(/:\d+/, ''), `http://${sessionId}.localhost/s/${sessionId}/`);
    }
    assert.deepEqual(complaints, []);
    await page.goto(`${hub.url}/open/${'a'.repeat(16)}`);
    await page.getByRole('heading', { name: 'The notebook cannot be opened' }).waitFor();
    await page.getByText('There is no session').waitFor();
    await assertAccessible(page, 'session not opened');
    await context.close();
  });

  it('lets a page of another port of this machine do nothing, though the browser was let in', async () => {
    const before = engine.sessions.size;
    const { page, context } = await openPage(browser);
    await page.goto(hub.hub.enterUrl('/sessions'));
    await page.goto(other);
    await page.waitForFunction(() => document.title === 'tried');
    assert.equal(engine.sessions.size, before);
    await context.close();
  });

  it('asks before it launches what that page links to, and launches when told to', async () => {
    const before = engine.sessions.size;
    const { page, context } = await openPage(browser);
    await page.goto(hub.hub.enterUrl('/sessions'));
    await page.goto(other);
    await page.getByRole('link', { name: 'go' }).click();
    await page.getByText('a stranger wrote').waitFor();
    assert.equal(engine.sessions.size, before);
    await page.getByRole('button', { name: 'Launch' }).click();
    await page.getByRole('heading', { name: 'the session' }).waitFor();
    assert.equal(engine.sessions.size, before + 1);
    await context.close();
  });
});
