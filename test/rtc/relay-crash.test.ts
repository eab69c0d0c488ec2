import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as Y from 'yjs';
import { RelayProcess } from '../fakes/relay-process.ts';
import { Seeded } from '../fakes/seeded.ts';
import { until } from '../fakes/until.ts';
import { WeakNetwork } from '../fakes/weak-network.ts';
import { publishedYWebsocket, type ProviderClass, type YWebsocketVersion } from '../fakes/y-websocket.ts';
import { Book, guest, member, piecesOf, type Actor } from './actors.ts';
import { docInLog, tearLog } from './torn-log.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);
const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);
/** Rounds after which the rooms are others: their logs would grow without end. */
const ROUNDS_A_ROOM = 10;

const base = await mkdtemp(join(tmpdir(), 'relay-crash-'));
after(() => rm(base, { recursive: true }));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A room, those who are in it, and what they know to be safe. */
class Stage {
  readonly name: string;
  readonly book = new Book();
  readonly actors: Actor[] = [];
  /** With those who have left: leaving twice is no harm. */
  readonly #all: Actor[] = [];
  readonly #random: Seeded;
  readonly #url: string;
  readonly #Client: ProviderClass;
  #names = 0;

  constructor(name: string, url: string, random: Seeded, Client: ProviderClass) {
    this.name = name;
    this.#url = url;
    this.#random = random;
    this.#Client = Client;
    for (const isOurs of [true, true, false]) this.actors.push(this.#actor(isOurs));
  }

  #actor(isOurs: boolean): Actor {
    const name = `${isOurs ? 'm' : 'g'}${this.#names++}`;
    const actor = isOurs ? member(this.#url, name, this.#random, this.book) : guest(this.#Client, this.#url, name, this.#random, this.book);
    this.#all.push(actor);
    return actor;
  }

  /** One of ours leaves without waiting for anything, and somebody else comes. */
  replace(): void {
    const index = this.#random.below(2);
    this.actors[index]?.leave();
    this.actors[index] = this.#actor(true);
  }

  /** Somebody new, who has seen nothing yet. */
  witness(): Actor {
    return this.#actor(true);
  }

  leave(): void {
    for (const actor of this.#all.splice(0)) actor.leave();
  }
}

describe(`the relay is killed (SEED=${SEED} ROUNDS=${ROUNDS})`, () => {
  const random = new Seeded(SEED);
  const clients: ProviderClass[] = [];
  const folder = join(base, 'relay');
  let network: WeakNetwork;
  let relay: RelayProcess;
  let stages: Stage[] = [];

  before(async () => {
    for (const version of ['1.5.4', '3.1.0'] satisfies YWebsocketVersion[]) clients.push(await publishedYWebsocket(version, base));
    network = await WeakNetwork.open();
    relay = await RelayProcess.start(folder);
    network.target = relay.port;
  });
  after(async () => {
    for (const stage of stages) stage.leave();
    await network.close();
    await relay.kill('SIGKILL');
  });

  /** Until `isOver`, all edit, some leave, connections are cut or stand still. */
  async function act(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      for (const stage of stages) {
        for (const actor of stage.actors) if (random.happens(60)) actor.edit();
        if (random.happens(1)) stage.replace();
      }
      if (random.happens(2)) network.cut(() => random.happens(30));
      if (random.happens(2)) network.hold(() => random.happens(30));
      if (random.happens(2)) network.lift();
      await pause(random.below(4));
    }
  }

  const fileOf = ({ name }: Stage): string => join(folder, 'rooms', `${createHash('sha256').update(name).digest('hex')}.log`);

  function tear(stage: Stage): void {
    const file = fileOf(stage);
    const missing = (doc: Y.Doc): string[] => stage.book.missing(piecesOf(doc));
    assert.deepEqual(missing(docInLog(file)), [], `what was acknowledged is in the log of ${stage.name}`);
    tearLog(file, random, (doc) => missing(doc).length === 0);
  }

  async function settled(): Promise<void> {
    network.lift();
    for (const stage of stages) {
      const everybody = [...stage.actors, stage.witness()];
      const said = ({ doc }: Actor): unknown[] =>
        [doc.getText('text'), doc.getArray('cells'), doc.getMap('table:notes')].map((each) => each.toJSON() as unknown);
      const isSame = (): boolean => {
        if (!everybody.every((actor) => actor.isSettled())) return false;
        const [first, ...others] = everybody.map(said);
        return others.every((each) => isDeepStrictEqual(each, first));
      };
      await until(`all in ${stage.name} have the same`, isSame, {
        withinMs: 20_000,
        seen: () => everybody.map((each) => [each.isSettled(), said(each)]),
      });
      assert.deepEqual(stage.book.missing(piecesOf((everybody[0] as Actor).doc)), []);
      everybody.at(-1)?.leave();
    }
  }

  it('and nothing that was acknowledged is lost, nothing doubled, and all have the same', async () => {
    let safe = 0;
    for (let round = 0; round < ROUNDS; round++) {
      if (round % ROUNDS_A_ROOM === 0) {
        safe += stages.reduce((sum, { book }) => sum + book.safeCount, 0);
        for (const stage of stages) stage.leave();
        stages = clients.map((Client, index) => {
          const name = `room ${round}.${index}`;
          return new Stage(name, relay.room(name, network.port), random, Client);
        });
        await until('all are there', () => stages.every((stage) => stage.actors.every((actor) => actor.isThere())));
      }
      try {
        let isDead = false;
        const [acting, life] = [act(() => isDead), pause(20 + random.below(400))];
        await life;
        await relay.kill('SIGKILL');
        network.target = undefined;
        network.lift();
        isDead = true;
        await acting;
        await until('no connection is left', () => network.size === 0);
        await until('all have noticed', () =>
          stages.every(({ actors }) => actors.every((actor) => !('room' in actor) || !actor.isThere())),
        );
        for (const stage of stages) tear(stage);
        let isUp = false;
        const meanwhile = act(() => isUp);
        relay = await RelayProcess.start(folder);
        network.target = relay.port;
        await pause(random.below(200));
        isUp = true;
        await meanwhile;
        await settled();
      } catch (error) {
        throw new Error(`round ${round}, SEED=${SEED}: ${(error as Error).message}; the relay: ${relay.said()}`, { cause: error });
      }
    }
    safe += stages.reduce((sum, { book }) => sum + book.safeCount, 0);
    assert.ok(safe > ROUNDS * 10, `only ${safe} edits were acknowledged`);
  });

  it('and two hundred who were there come back at once, with what they wrote meanwhile', async () => {
    const book = new Book();
    const everybody = Array.from({ length: 200 }, (_none, index) => member(relay.room('crowd', network.port), `c${index}`, random, book));
    try {
      await until('all are there', () => everybody.every((actor) => actor.isSettled()));
      for (const actor of everybody.slice(0, 20)) actor.edit();
      await relay.kill('SIGKILL');
      network.target = undefined;
      await until('all have noticed', () => everybody.every((actor) => !actor.isThere()));
      for (const actor of everybody) actor.edit();
      relay = await RelayProcess.start(folder);
      network.target = relay.port;
      const witness = member(relay.room('crowd', network.port), 'w', random, book);
      everybody.push(witness);
      const found = (): number[] => everybody.map(({ doc }) => piecesOf(doc).size);
      await until('all have what all wrote', () => everybody.every((actor) => actor.isSettled()) && new Set(found()).size === 1);
      const pieces = piecesOf(witness.doc);
      for (const { doc } of everybody) assert.deepEqual(piecesOf(doc), pieces);
      assert.deepEqual(book.missing(pieces), []);
      assert.ok(pieces.size >= 200, `${pieces.size} pieces`);
    } finally {
      for (const actor of everybody) actor.leave();
    }
  });
});
