import * as Y from 'yjs';
import { Client, type Target } from './client.ts';
import { eachMark, mark, notebook, Writer } from './writer.ts';

/** One client sends so many small updates as fast as it can. */
export interface FloodJob {
  readonly kind: 'flood';
  readonly updates: number;
  readonly receivers: number;
}

/** So many open a notebook of this many cells at once. */
export interface OpenersJob {
  readonly kind: 'openers';
  readonly openers: number;
  readonly cells: number;
}

/** Somebody makes so many edits, of one letter each, at random places of twenty texts, and leaves. */
export interface EditsJob {
  readonly kind: 'edits';
  readonly room: string;
  readonly edits: number;
}

/** Somebody opens a room in which there were so many edits. */
export interface ReopenedJob {
  readonly kind: 'reopened';
  readonly room: string;
  readonly edits: number;
}

/** So many small notebooks with one client each, which does nothing, until the process is ended. */
export interface IdleJob {
  readonly kind: 'idle';
  readonly docs: number;
}

const fresh = (name: string): string => `${name}-${Math.floor(Math.random() * 1e9)}`;
const TEXTS = 20;

/** Milliseconds until every receiver has all. */
export async function flood(target: Target, { updates, receivers }: FloodJob): Promise<number> {
  const room = fresh('flood');
  let [left, done] = [updates * receivers, (): void => undefined];
  const all = new Promise<void>((resolve) => (done = resolve));
  const hear = (bytes: Buffer): void => eachMark(bytes, () => --left === 0 && done());
  const clients = Array.from({ length: receivers }, () => new Client(target, room, { hear }));
  const sender = new Client(target, room);
  for (const client of [...clients, sender]) await client.enter();
  const writer = new Writer(1);
  const messages = Array.from({ length: updates }, (_, index) => writer.insert(mark(0, index)));
  const begun = performance.now();
  for (const [index, message] of messages.entries()) {
    sender.edit(message);
    // What the clients hear has to be read meanwhile.
    if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await all;
  const took = performance.now() - begun;
  for (const client of [...clients, sender]) client.leave();
  return took;
}

/** Milliseconds until all have the whole notebook, which was just edited. */
export async function openers(target: Target, { openers: count, cells }: OpenersJob): Promise<number> {
  const room = fresh('openers');
  const all = notebook(cells, 1000, 5350);
  const writer = new Client(target, room);
  await writer.enter();
  writer.edit(all);
  const watcher = await holding(target, room, all.length * 0.99);
  const edited = new Promise<void>((resolve) => (watcher.heard = resolve));
  writer.edit(new Writer(1).insert('edited'));
  await edited;
  const begun = performance.now();
  const clients = Array.from({ length: count }, () => new Client(target, room));
  const sizes = await Promise.all(clients.map(async (client) => (await client.enter()).bytes));
  const took = performance.now() - begun;
  if (sizes.some((size) => size < all.length * 0.99)) throw new Error(`an opener got ${Math.min(...sizes)} bytes of ${all.length}`);
  for (const client of [...clients, writer, watcher.client]) client.leave();
  return took;
}

/** Somebody who is there when the room has so many bytes. */
async function holding(target: Target, room: string, bytes: number): Promise<{ client: Client; heard: () => void }> {
  for (;;) {
    const watcher = { client: new Client(target, room, { hear: () => watcher.heard() }), heard: (): void => undefined };
    if ((await watcher.client.enter()).bytes >= bytes) return watcher;
    watcher.client.leave();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Milliseconds that it took. */
export async function edits(target: Target, { room, edits: count }: EditsJob): Promise<number> {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  const texts = Array.from({ length: TEXTS }, (_, index) => doc.getText(`text ${index}`));
  let at = 0;
  for (let edit = 0; edit < count; edit++) {
    const text = texts[Math.floor(edit / 50) % TEXTS];
    // As one types: at a place for a while, then at another.
    if (edit % 50 === 0) at = Math.floor(Math.random() * ((text?.length ?? 0) + 1));
    text?.insert(at++, 'x');
  }
  const begun = performance.now();
  const client = new Client(target, room);
  await client.enter();
  for (const [index, update] of updates.entries()) {
    client.edit(update);
    if (index % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  const watcher = await lettered(target, room, count);
  const took = performance.now() - begun;
  watcher.leave();
  client.leave();
  return took;
}

async function lettered(target: Target, room: string, letters: number): Promise<Client> {
  for (;;) {
    const client = new Client(target, room, { isKept: true });
    const { update } = await client.enter();
    if (lettersOf(update) === letters) return client;
    client.leave();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function lettersOf(update: Uint8Array): number {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return Array.from({ length: TEXTS }, (_, index) => doc.getText(`text ${index}`).length).reduce((sum, each) => sum + each, 0);
}

/** Milliseconds from the connection to all that was ever written. */
export async function reopened(target: Target, { room, edits: count }: ReopenedJob): Promise<number> {
  const client = new Client(target, room, { isKept: true });
  const begun = performance.now();
  const { update } = await client.enter();
  const took = performance.now() - begun;
  const letters = lettersOf(update);
  if (letters !== count) throw new Error(`${letters} of ${count} letters came`);
  client.leave();
  return took;
}

/** Comes when all are there and have their notebook. */
export async function idle(target: Target, { docs }: IdleJob): Promise<number> {
  const small = notebook(20, 200, 250);
  for (let doc = 0; doc < docs; doc++) {
    const client = new Client(target, fresh('idle'));
    await client.enter();
    client.edit(small);
  }
  return 0;
}
