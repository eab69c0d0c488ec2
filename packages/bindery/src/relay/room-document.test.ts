import assert from 'node:assert/strict';
import { after, describe, it, mock } from 'node:test';
import * as Y from 'yjs';
import { RoomDocument, type RoomDocumentOptions } from './room-document.ts';

mock.timers.enable({ apis: ['setTimeout'] });
after(() => mock.timers.reset());

/** Updates of somebody who types two words. */
function words(): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  doc.getText('t').insert(0, 'one');
  doc.getText('t').insert(3, ' two');
  return updates;
}

function made(options: Partial<RoomDocumentOptions> = {}) {
  const heard: Uint8Array[] = [];
  const document = new RoomDocument({
    updates: words(),
    changed: (update) => heard.push(update),
    quietMs: 100,
    mayRest: () => true,
    ...options,
  });
  return { document, heard };
}

function textOf(update: Uint8Array): string {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc.getText('t').toJSON();
}

describe('the document of a room', () => {
  it('Q1 rests when it is quiet, and is the same before, while and after', () => {
    const { document, heard } = made();
    document.live.getText('t').insert(0, 'zero ');
    const [whole, vector] = [document.whole(), document.vector()];
    mock.timers.tick(100);
    assert.equal(document.isResting, false, 'it was edited a moment ago');
    mock.timers.tick(100);
    assert.equal(document.isResting, true);
    assert.deepEqual([document.whole(), document.vector()], [whole, vector]);
    assert.deepEqual(document.lacking(new Uint8Array([0])), whole);
    assert.equal(document.isResting, true, 'who has nothing does not wake it');
    document.live.getText('t').insert(0, 'minus one ');
    assert.equal(document.isResting, false);
    assert.equal(heard.length, 2);
    assert.equal(textOf(document.whole()), 'minus one zero one two');
    document.close();
  });

  it('Q1 tells those who have a part what they lack', () => {
    const { document } = made();
    const before = document.vector();
    document.live.getText('t').insert(7, ' three');
    mock.timers.tick(100);
    mock.timers.tick(100);
    assert.equal(document.isResting, true);
    const doc = new Y.Doc();
    for (const update of [...words(), document.lacking(before)]) Y.applyUpdate(doc, update);
    assert.deepEqual(Y.decodeStateVector(document.vector()), Y.decodeStateVector(Y.encodeStateVector(document.live)));
    document.close();
  });

  it('Q2 is no object before somebody edits it, where one record says it', () => {
    const all = Y.mergeUpdates(words());
    const { document } = made({ updates: [all] });
    assert.equal(document.isResting, true);
    assert.deepEqual(document.whole(), all);
    assert.throws(() => made({ updates: [new Uint8Array([1, 2, 3])] }));
    const told = document.vector();
    assert.equal(document.isResting, true);
    assert.deepEqual(Y.decodeStateVector(told), Y.decodeStateVector(Y.encodeStateVector(document.live)));
    document.close();
  });

  it('Q1 does not rest where it may not, or was not asked to', () => {
    const kept = made({ mayRest: () => false });
    const forever = made({ quietMs: undefined });
    mock.timers.tick(1000);
    mock.timers.tick(1000);
    assert.deepEqual([kept.document.isResting, forever.document.isResting], [false, false]);
    for (const { document } of [kept, forever]) document.close();
  });

  it('T6 edits as another each time it is an object', () => {
    const { document } = made();
    const first = document.live.clientID;
    mock.timers.tick(100);
    mock.timers.tick(100);
    assert.notEqual(document.live.clientID, first);
    assert.ok(document.live.clientID > 2 ** 32);
    document.close();
  });
});
