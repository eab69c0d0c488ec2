import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { ConfigSchema } from '../../packages/bindery/src/base/config.ts';
import { serveRelay } from '../../packages/bindery/src/relay/relay-server.ts';
import { Shares } from '../../packages/bindery/src/relay/shares.ts';
import { assertAccessible, assertNoSideScroll, openPage, startBrowser } from '../fakes/browser.ts';
import { enterNotes, type NotesRoom } from '../fakes/notes-room.ts';
import { nullHub } from '../fakes/null-hub.ts';
import { TemporaryFolder } from '../fakes/repository.ts';

test(
  'the hub’s page that looks into a room of a relay shows its tables, whoever made them, as they change',
  { timeout: 60_000 },
  async () => {
    using folder = new TemporaryFolder();
    await using hub = await nullHub();
    const browser = await startBrowser();
    const settings = { port: 0, allowOrigins: [hub.url] };
    const relay = await serveRelay(ConfigSchema.parse({ folders: { state: folder.path }, relay: settings }), systemClock);
    const rooms: NotesRoom[] = [];
    try {
      const shares = new Shares((await readFile(relay.keyFile, 'utf8')).trim());
      const link = (role: 'read' | 'edit'): string =>
        `${relay.url}/room/notes?share=${shares.sign({ room: 'notes', role, until: Date.now() + 60_000 })}`;
      const room = await enterNotes(link('edit'), rooms);
      room.tables.notes.create({ title: 'before' }, { id: 'first' });
      const { page, complaints } = await openPage(browser, { viewport: { width: 375, height: 780 } });
      await page.goto(hub.hub.enterUrl('/look'));
      await page.getByLabel('Link of the room').fill('https://elsewhere.example');
      await page.keyboard.press('Enter');
      await page.locator('.wrong').waitFor();
      await page.getByLabel('Link of the room').fill(link('read'));
      await page.keyboard.press('Enter');
      await page.getByRole('cell', { name: '"before"' }).waitFor();
      room.tables.notes.update('first', { title: 'after' });
      await page.getByRole('cell', { name: '"after"' }).waitFor();
      room.transact(() => room.doc.getMap('table:others').set('x', 1));
      await page.getByRole('tab', { name: 'others' }).waitFor();
      await page.getByRole('tab', { name: 'Log' }).click();
      await page.getByRole('cell', { name: '2', exact: true }).waitFor();
      await assertAccessible(page, 'a room that is looked into');
      await assertNoSideScroll(page, 'a room that is looked into');
      assert.deepEqual(complaints, []);

      await page.getByLabel('Link of the room').fill(link('read').replace('share=read', 'share=edit'));
      await page.keyboard.press('Enter');
      await page.getByText("The room can't be entered").waitFor();
      await assertAccessible(page, 'a room that is closed');
    } finally {
      for (const room of rooms) room.close();
      await browser.close();
      await relay.close();
    }
  },
);
