import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { newKey } from '../base/secrets.ts';
import { admission } from './admission.ts';
import { OWN, Y_WEBSOCKET } from './dialect.ts';
import { roomPath } from './places.ts';
import { ROLES } from '@bindery/wire/roles.ts';
import { Shares, type Share } from './shares.ts';

const key = newKey();
const shares = new Shares(key);
let now = 1_000_000_000_000;
const clock = { now: () => now, monotonic: () => now };
const UNTIL = now + 60_000;

function ask(url: string, headers: Record<string, string> = {}, origins: readonly string[] = []) {
  return admission({ key, clock, origins })({ url, headers } as unknown as IncomingMessage);
}
const linkTo = (share: Share): string => `${roomPath(share.room)}?share=${shares.sign(share)}`;

describe('who may enter a room', () => {
  it('S1 the key admits to every room, and nothing like it does', async () => {
    const admin = { room: 'a b/ü', role: 'admin', user: {}, dialect: OWN };
    assert.deepEqual(await ask(`/room/a%20b%2F%C3%BC?key=${key}`), admin);
    assert.deepEqual(await ask('/room/a%20b%2F%C3%BC', { authorization: `Bearer ${key}` }), admin);
    for (const wrong of ['', 'x', key.slice(1), `${key}x`, newKey()])
      assert.equal(await ask(`/room/x?key=${wrong}`), 'This is not the key of the relay.');
    assert.equal(await ask('/room/x'), 'Entering a room needs a share link, or the key of the relay.');
  });

  it('Y1 the same rooms, spoken of as y-websocket does', async () => {
    const [token, user] = [shares.sign({ room: 'a/b', role: 'edit', until: UNTIL }), {}];
    assert.deepEqual(await ask(`/y/a/b?share=${token}`), { room: 'a/b', role: 'edit', user, dialect: Y_WEBSOCKET, until: UNTIL });
  });

  it('S2 a link admits to its room in its role', async () => {
    for (const role of ROLES)
      for (const room of ['x', 'a b/ü', 'read.1\nx'])
        assert.deepEqual(await ask(linkTo({ room, role, until: UNTIL })), { room, role, user: {}, dialect: OWN, until: UNTIL });
  });

  it('S3 a link that was changed in any character admits to nothing', async () => {
    const token = shares.sign({ room: 'x', role: 'read', until: UNTIL });
    const forged = 'This share link was changed, or is for another room or relay.';
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === '1' ? '2' : '1';
      assert.equal(await ask(`/room/x?share=${token.slice(0, at)}${other}${token.slice(at + 1)}`), forged, `character ${at}`);
    }
    const stranger = new Shares(newKey()).sign({ room: 'x', role: 'read', until: UNTIL });
    for (const wrong of [token.replace('read', 'admin'), `${token}.`, token.slice(0, -1), '', '..', stranger])
      assert.equal(await ask(`/room/x?share=${wrong}`), forged, wrong);
    assert.equal(await ask(`/room/y?share=${token}`), forged);
  });

  it('S4 a link admits until its second has come', async () => {
    const link = linkTo({ room: 'x', role: 'edit', until: UNTIL });
    now = UNTIL - 1;
    assert.equal(typeof (await ask(link)), 'object');
    now = UNTIL;
    assert.equal(await ask(link), `This share link ended at ${new Date(UNTIL).toISOString()}.`);
    now = UNTIL - 60_000;
  });

  it('S5 pages of sites that are not named do not connect, whatever they have', async () => {
    const link = linkTo({ room: 'x', role: 'edit', until: UNTIL });
    const app = 'http://localhost:5173';
    for (const [origin, origins, isIn] of [
      [app, [app], true],
      [app, ['*'], true],
      [app, [], false],
      ['null', [app], false],
      ['http://localhost:51730', [app], false],
      ['http://relay', [app], false],
    ] as const)
      for (const way of [link, `/room/x?key=${key}`])
        assert.equal(typeof (await ask(way, { origin }, origins)), isIn ? 'object' : 'string', origin);
  });

  it('E5 knows rooms by names that an address can say', async () => {
    for (const path of ['/', '/room', '/room/', '/rooms/x', '/room/%ff', `/room/${'x'.repeat(1025)}`, '//room/x', 'http://x/room/y'])
      assert.equal(await ask(`${path}?key=${key}`), 'There is no room at this address.', path);
    for (const name of ['', '.', '..', 'x'.repeat(1025)]) assert.equal(roomPath(name), undefined, name);
  });

  it('C1 says why in as many bytes as a close may have', async () => {
    const answers = [ask('/'), ask('/room/x'), ask('/room/x?key=x'), ask('/room/x?share=x'), ask('/room/x', { origin: 'x' })];
    for (const answer of await Promise.all(answers))
      assert.ok(typeof answer === 'string' && Buffer.byteLength(answer) <= 123, JSON.stringify(answer));
  });
});
