import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { createHook } from '../hooks.ts';
import { Value, type Observable } from '../observable.ts';
import { list, map, string, text } from '../tables/fields.ts';
import { defineTable } from '../tables/table.ts';
import { openLocal } from './local.ts';

const TABLES = { notes: defineTable({ title: string(), body: text(), tags: list(z.string()), marks: map(z.string()) }) };
const open = (more: { from?: Uint8Array; history?: { maxSteps?: number; joinMs?: number } } = {}) => {
  const room = openLocal({ tables: TABLES, ...more });
  return { ...room, notes: room.tables.notes };
};

describe('a transaction', () => {
  it('sends one update, and tells once', () => {
    const { doc, notes, transact } = open();
    let [updates, told] = [0, 0];
    doc.on('update', () => updates++);
    notes.records.subscribe(() => told++);
    const id = transact(() => {
      const made = notes.create({ title: 'a' });
      transact(() => notes.update(made, { body: 'b' }));
      return made;
    });
    assert.deepEqual([updates, told, notes.get(id)?.body], [1, 1, 'b']);
  });

  it('that fails changes nothing, here or elsewhere', () => {
    const { doc, notes, transact, history } = open();
    const twin = new Y.Doc();
    doc.on('update', (update: Uint8Array) => Y.applyUpdate(twin, update));
    notes.create({ title: 'kept', body: 'text', tags: ['a', 'b'], marks: { m: 'x' } }, { id: 'k' });
    const [before, steps] = [JSON.stringify(doc.getMap('table:notes')), history.depth.get().undo];
    const seen: unknown[] = [];
    notes.record('k').subscribe(() => seen.push(notes.get('k')));
    const failure = new Error('no');
    assert.throws(
      () =>
        transact(() => {
          notes.update('k', { title: 'gone', body: 'other', tags: { index: 0, remove: 1 }, marks: { m: undefined, n: 'y' } });
          notes.delete('k');
          notes.create({ title: 'new' });
          throw failure;
        }),
      failure,
    );
    assert.equal(JSON.stringify(doc.getMap('table:notes')), before);
    assert.equal(JSON.stringify(twin.getMap('table:notes')), before);
    for (const record of seen) assert.deepEqual(record, { title: 'kept', body: 'text', tags: ['a', 'b'], marks: { m: 'x' } });
    assert.equal(history.depth.get().undo, steps);
    assert.ok(history.undo());
    assert.deepEqual(notes.ids.get(), []);
  });

  it('of which a part fails fails as a whole, also when somebody caught the error', () => {
    const { notes, transact } = open();
    const failure = new Error('inner');
    assert.throws(
      () =>
        transact(() => {
          notes.create({ title: 'outer' });
          try {
            transact(() => {
              throw failure;
            });
          } catch {
            // Whoever catches it cannot make half a transaction of it.
          }
          notes.create({ title: 'after' });
        }),
      failure,
    );
    assert.deepEqual(notes.ids.get(), []);
    assert.ok(notes.create({ title: 'the next one works' }));
  });

  it('must not be asynchronous', () => {
    const { notes, transact } = open();
    assert.throws(() => transact(async () => void notes.create({})), /asynchronous/);
    assert.deepEqual(notes.ids.get(), []);
  });

  it('inside a foreign one takes back its own part only', () => {
    const { doc, notes, transact } = open();
    doc.transact(() => {
      notes.create({ title: 'before' }, { id: 'before' });
      assert.throws(() =>
        transact(() => {
          notes.update('before', { title: 'changed', body: 'x' });
          notes.create({});
          throw new Error('no');
        }),
      );
    });
    assert.deepEqual(
      notes.records.get().map(({ title, body }) => [title, body]),
      [['before', '']],
    );
  });

  it('leaves no trace, whatever was done before it failed', () => {
    type Step = { kind: number; which: number; at: number; value: string };
    const step = fc.record({ kind: fc.nat(5), which: fc.nat(3), at: fc.nat(9), value: fc.string({ maxLength: 3 }) });
    const steps = fc.array(step, { maxLength: 12 });
    fc.assert(
      fc.property(steps, steps, fc.boolean(), (first, second, undoBetween) => {
        const { doc, notes, transact, history } = open();
        const twin = new Y.Doc();
        doc.on('update', (update: Uint8Array) => Y.applyUpdate(twin, update));
        const play = ({ kind, which, at, value }: Step): void => {
          const id = String(which);
          const note = notes.getOrCreate(id, () => ({ body: 'start', tags: ['t'] }));
          if (kind === 0) notes.update(id, { title: value });
          else if (kind === 1) notes.update(id, { body: { index: Math.min(at, note.body.length), text: value } });
          else if (kind === 2) notes.update(id, { body: value });
          else if (kind === 3) notes.update(id, { tags: { index: 0, remove: Math.min(at, note.tags.length), values: [value] } });
          else if (kind === 4) notes.update(id, { marks: { [value]: at > 4 ? undefined : value } });
          else notes.delete(id);
        };
        for (const each of first) play(each);
        if (undoBetween) history.undo();
        const before = doc.getMap('table:notes').toJSON();
        assert.throws(() =>
          transact(() => {
            for (const each of second) play(each);
            throw new Error('no');
          }),
        );
        assert.deepEqual(doc.getMap('table:notes').toJSON(), before);
        assert.deepEqual(twin.getMap('table:notes').toJSON(), before);
        const read = Object.fromEntries(notes.records.get().map(({ id, ...record }) => [id, record]));
        assert.deepEqual(JSON.parse(JSON.stringify(read)), before);
        const steps = history.depth.get().undo;
        for (let count = 0; count < steps; count++) history.undo();
        assert.deepEqual(notes.ids.get(), []);
      }),
      { numRuns: 200 },
    );
  });
});

describe('history', () => {
  it('goes back and forth a transaction at a time', () => {
    const { notes, history } = open();
    const id = notes.create({ title: 'one' });
    notes.update(id, { title: 'two', body: 'b' });
    assert.deepEqual(history.depth.get(), { undo: 2, redo: 0 });
    assert.ok(history.undo());
    assert.deepEqual([notes.get(id)?.title, notes.get(id)?.body], ['one', '']);
    assert.deepEqual(history.depth.get(), { undo: 1, redo: 1 });
    assert.ok(history.redo());
    assert.equal(notes.get(id)?.title, 'two');
    assert.ok(history.undo() && history.undo());
    assert.equal(history.undo(), false);
    assert.deepEqual(notes.ids.get(), []);
  });

  it('leaves alone what others did, and what is no step', () => {
    const { doc, notes, transact, history } = open();
    const id = notes.create({ title: 'mine' });
    transact(() => notes.update(id, { tags: { index: 0, values: ['output'] } }), { undoable: false });
    notes.update(id, { body: 'mine' });
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    (other.getMap('table:notes').get(id) as Y.Map<Y.Text>).get('body')?.insert(0, 'theirs ');
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other), 'remote');
    assert.equal(notes.get(id)?.body, 'theirs mine');
    history.undo();
    assert.deepEqual([notes.get(id)?.body, notes.get(id)?.tags], ['theirs ', ['output']]);
  });

  it('follows an editor, joins what comes quickly, and ends a step where it is told', () => {
    const { notes, history } = open({ history: { joinMs: 60_000 } });
    const id = notes.create({});
    history.cut();
    const body = notes.text(id, 'body');
    history.follow('editor');
    for (const letter of ['a', 'b']) body.doc?.transact(() => body.insert(body.length, letter), 'editor');
    history.cut();
    body.doc?.transact(() => body.insert(body.length, 'c'), 'editor');
    body.doc?.transact(() => body.insert(body.length, 'd'), 'someone else');
    history.undo();
    assert.equal(notes.get(id)?.body, 'abd');
    history.undo();
    assert.equal(notes.get(id)?.body, 'd');
  });

  it('has an end', () => {
    const { notes, history } = open({ history: { maxSteps: 3 } });
    const id = notes.create({});
    for (let count = 1; count <= 10; count++) notes.update(id, { title: String(count) });
    assert.equal(history.depth.get().undo, 3);
    while (history.undo());
    assert.equal(notes.get(id)?.title, '7');
  });
});

describe('a local room', () => {
  it('goes on from a snapshot', () => {
    const room = open();
    const id = room.notes.create({ title: 'kept' });
    const again = open({ from: room.snapshot() });
    assert.equal(again.notes.get(id)?.title, 'kept');
    assert.deepEqual(again.history.depth.get(), { undo: 0, redo: 0 });
  });

  it('refuses a snapshot that is none', () => {
    const whole = Buffer.from(open().snapshot());
    for (const from of [new Uint8Array([255, 255, 255, 1]), new Uint8Array(0), Uint8Array.from([...whole, 9]).subarray(0, 1)]) {
      assert.throws(() => open({ from }));
    }
  });

  it('is saved at once, and closed for good', async () => {
    const room = open();
    room.awareness.setLocalState({ user: { name: 'me' } });
    const id = room.notes.create({});
    await room.saved();
    room.close();
    room.close();
    assert.equal(room.state.get().phase, 'closed');
    assert.throws(
      () => room.notes.update(id, { title: 'x' }),
      (error) => error instanceof BinderyError && error.code === 'room_closed',
    );
  });
});

describe('the hook', () => {
  it('subscribes once to each observable, through the framework', () => {
    const subscribed: unknown[] = [];
    const useValue = createHook((subscribe, get) => {
      subscribed.push(subscribe);
      return get();
    });
    const value: Observable<number> = new Value(1);
    assert.equal(useValue(value), 1);
    (value as Value<number>).set(2);
    assert.equal(useValue(value), 2);
    assert.equal(useValue(new Value('x')), 'x');
    assert.equal(subscribed[0], subscribed[1]);
    assert.notEqual(subscribed[0], subscribed[2]);
  });

  it('is told by every change, also when another listener fails', (t) => {
    const later = t.mock.fn();
    t.mock.method(globalThis, 'queueMicrotask', later);
    const value = new Value(1);
    let heard = 0;
    value.subscribe(() => {
      throw new Error('a listener that fails');
    });
    const stop = value.subscribe(() => heard++);
    value.set(1);
    value.set(2);
    stop();
    value.set(3);
    assert.equal(heard, 1);
    assert.equal(later.mock.callCount(), 2);
  });
});
