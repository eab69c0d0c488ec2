import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import * as Y from 'yjs';
import { UnsafeEdits } from '../room/unsafe-edits.ts';
import { keepLateEdits } from './late-edits.ts';
import type { Cell, Notebook } from './notebook.ts';
import { cellsOf, fillNotebook, readNotebook, sharedCell } from './shared-notebook.ts';

/** As the relay's T6 says. */
const SERVER = 2 ** 32;
const PIECE = /\[c(\d)\.\d+\]/g;

function cell(id: string, source = ''): Cell {
  return { id, type: 'code', source, metadata: {}, outputs: [], executionCount: null, extra: {} };
}

/** Applies to one what it lacks of the other. */
function bring(to: Y.Doc, from: Y.Doc): void {
  Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
}

class Client {
  readonly doc = new Y.Doc();
  readonly unsafe = new UnsafeEdits(this.doc);
  /** Of the server that it last met. */
  run = 0;

  source(at: number): Y.Text {
    const cells = cellsOf(this.doc);
    return (cells.get(at % cells.length) as Y.Map<unknown>).get('source') as Y.Text;
  }

  write(at: number, where: number, piece: string): void {
    const text = this.source(at);
    const places = [...[...text.toJSON().matchAll(/\[/g)].map(({ index }) => index), text.length];
    text.insert(places[where % places.length] as number, piece);
  }

  /** Takes something of its own out again. Returns what. */
  take(at: number, who: number): string | undefined {
    const text = this.source(at);
    const mine = [...text.toJSON().matchAll(PIECE)].find((match) => Number(match[1]) === who);
    if (mine) text.delete(mine.index, mine[0].length);
    return mine?.[0];
  }

  /** As JupyterLab moves: out, and a copy in. */
  move(at: number, to: number): void {
    const cells = cellsOf(this.doc);
    const from = at % cells.length;
    this.doc.transact(() => {
      const copy = (cells.get(from) as Y.Map<unknown>).clone();
      cells.delete(from);
      cells.insert(to % (cells.length + 1), [copy]);
    });
  }
}

/** A server with what a relay does: it keeps what is safe, begins anew with that, and is not heard of moves before they are safe (its T7). */
class Server {
  doc = new Y.Doc();
  run = 0;
  #end: () => void = () => undefined;
  #safe: Uint8Array;

  constructor(notebook: Notebook) {
    this.doc.clientID = SERVER;
    fillNotebook(this.doc, notebook);
    this.#safe = Y.encodeStateAsUpdate(this.doc);
    this.#end = keepLateEdits(this.doc);
  }

  /** Begins anew with all it has, or only with what is safe. */
  begin(isCrash: boolean): void {
    this.#end();
    const kept = isCrash ? this.#safe : Y.encodeStateAsUpdate(this.doc);
    this.doc = new Y.Doc({ gc: false });
    this.run += 1;
    this.doc.clientID = SERVER + this.run;
    Y.applyUpdate(this.doc, kept);
    this.#end = keepLateEdits(this.doc);
    this.doc.gc = true;
    Y.tryGc(Y.createDeleteSetFromStructStore(this.doc.store), this.doc.store, this.doc.gcFilter);
  }

  /** What it says to others. */
  tell(client: Client): void {
    for (let item = cellsOf(this.doc)._start; item; item = item.right) if (item.deleted) this.#safe = Y.encodeStateAsUpdate(this.doc);
    if (client.run === this.run) bring(client.doc, this.doc);
  }

  meet(client: Client): void {
    if (client.run !== this.run) bring(client.doc, this.doc);
    bring(this.doc, client.doc);
    bring(client.doc, this.doc);
    client.run = this.run;
    this.#safe = Y.encodeStateAsUpdate(this.doc);
    client.unsafe.safeUpTo(Y.getState(client.doc.store, client.doc.clientID));
  }

  /** All come at the same time; what the first `together` say is taken in as one. */
  meetAll(clients: readonly Client[], together: number): void {
    for (const client of clients) if (client.run !== this.run) bring(client.doc, this.doc);
    const updates = clients.map(({ doc }) => Y.encodeStateAsUpdate(doc, Y.encodeStateVector(this.doc)));
    for (const those of [updates.slice(0, together), updates.slice(together)])
      this.doc.transact(() => those.forEach((update) => Y.applyUpdate(this.doc, update)));
    for (const client of clients) this.meet(client);
  }

  end(): void {
    this.#end();
  }
}

describe('cells that several write in and move at the same time, while the server is killed (M6, M10, U8)', () => {
  const step = fc.record({
    kind: fc.constantFrom(
      'write',
      'write',
      'take',
      'move',
      'move',
      'put',
      'send',
      'hear',
      'pass on',
      'meet',
      'meet all',
      'begin anew',
      'crash',
    ),
    who: fc.nat(2),
    at: fc.nat(3),
    to: fc.nat(20),
  });

  it('are there once, with all that was written, once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const server = new Server({ minor: 5, metadata: {}, cells: [cell('a', 'a..'), cell('b', 'b..')], extra: {} });
        const clients = [new Client(), new Client(), new Client()];
        for (const { doc } of clients) bring(doc, server.doc);
        const [ids, written, taken] = [['a', 'b'], [] as string[], new Set<string>()];
        for (const [count, { kind, who, at, to }] of steps.entries()) {
          const [client, next] = [clients[who] as Client, clients[(who + 1) % clients.length] as Client];
          if (kind === 'write') {
            const piece = `[c${who}.${count}]`;
            written.push(piece);
            client.write(at, to, piece);
          } else if (kind === 'take') taken.add(client.take(at, who) ?? '');
          else if (kind === 'move') client.move(at, to);
          else if (kind === 'put') {
            ids.push(`n${count}`);
            const cells = cellsOf(client.doc);
            cells.insert(to % (cells.length + 1), [sharedCell(cell(`n${count}`))]);
          } else if (kind === 'meet') server.meet(client);
          else if (kind === 'meet all') server.meetAll(clients, to % 4);
          else if (kind === 'hear') server.tell(client);
          else if (kind === 'send' || kind === 'pass on') {
            if (client.run !== server.run) continue;
            bring(server.doc, client.doc);
            if (kind === 'pass on') server.tell(next);
          } else server.begin(kind === 'crash');
        }
        server.meetAll(clients, 2);
        for (let round = 0; round < 3; round++) for (const client of clients) server.meet(client);
        const said = readNotebook(server.doc).cells.map(({ source }) => source);
        for (const { doc } of clients)
          assert.deepEqual(
            readNotebook(doc).cells.map(({ source }) => source),
            said,
          );
        const there = cellsOf(server.doc).map((each) => (each as Y.Map<unknown>).get('id'));
        assert.deepEqual(new Set(there), new Set(ids));
        assert.equal(there.length, ids.length);
        const all = said.join('');
        for (const piece of written.filter((each) => !taken.has(each)))
          assert.equal(all.split(piece).length, 2, `${piece} is there ${all.split(piece).length - 1} times: ${all}`);
        server.end();
      }),
      { numRuns: 1000, seed: Number(process.env['SEED'] ?? 1) },
    );
  });
});
