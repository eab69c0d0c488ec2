import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { RelayProcess, type Memory } from '../fakes/relay-process.ts';
import { Seeded } from '../fakes/seeded.ts';
import { until } from '../fakes/until.ts';
import { WeakNetwork } from '../fakes/weak-network.ts';
import { publishedYWebsocket, type ProviderClass } from '../fakes/y-websocket.ts';
import { Book, guest, member, type Actor } from './actors.ts';

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 2);
const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);
/** Looks at the memory: so many, at equal distances; those of the first sixth are the warm-up. */
const LOOKS = 12;
const WARM_UP = LOOKS / 6;
/**
 * How much the memory may grow after the warm-up. In an hour what grows shows; in the two minutes of the short form the collector has not yet found
 * its sizes, which alone makes some hundredths.
 */
const MOST_GROWTH = MINUTES >= 30 ? 0.05 : 0.15;
/** Who is there at once. */
const CROWD = 12;

const base = await mkdtemp(join(tmpdir(), 'relay-soak-'));
after(() => rm(base, { recursive: true }));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe(`the relay runs for long (SEED=${SEED} SOAK_MINUTES=${MINUTES})`, () => {
  const random = new Seeded(SEED);
  const folder = join(base, 'relay');
  const there = new Set<Actor>();
  let Client: ProviderClass;
  let network: WeakNetwork;
  let relay: RelayProcess;
  let visits = 0;

  before(async () => {
    Client = await publishedYWebsocket('3.1.0', base);
    network = await WeakNetwork.open();
    relay = await RelayProcess.start(folder, { settings: ['relay.idle=1'], isProbed: true });
    network.target = relay.port;
  });
  after(async () => {
    for (const actor of there) actor.leave();
    await network.close();
    await relay.kill('SIGKILL');
  });

  /** Somebody comes to a room where others may be or have been, or to one where nobody has, edits, shows where they are, and goes. */
  async function visit(): Promise<void> {
    const number = visits++;
    const room = random.happens(30) ? `alone ${number}` : `crowd ${random.below(10)} of ${Math.floor(number / 300)}`;
    const [url, name, book] = [relay.room(room, network.port), `v${number}`, new Book()];
    const actor = random.happens(40) ? guest(Client, url, name, random, book) : member(url, name, random, book);
    there.add(actor);
    for (let count = random.below(20); count > 0; count--) {
      if (random.happens(70)) actor.edit();
      if (random.happens(50)) actor.setPresence({ name, cursor: count, padding: 'x'.repeat(random.below(500)) });
      await pause(random.below(200));
    }
    actor.leave();
    there.delete(actor);
  }

  async function crowd(end: number): Promise<void> {
    const visitor = async (): Promise<void> => {
      while (Date.now() < end) await visit();
    };
    const weather = async (): Promise<void> => {
      for (; Date.now() < end; await pause(100)) {
        if (random.happens(10)) network.cut(() => random.happens(20));
        if (random.happens(10)) network.hold(() => random.happens(20));
        if (random.happens(20)) network.lift();
      }
    };
    await Promise.all([weather(), ...Array.from({ length: CROWD }, visitor)]);
    network.lift();
  }

  /** Logs that the relay has open: one for every room in memory. */
  const openLogs = (): number => relay.openFiles().filter((name) => name.endsWith('.log')).length;

  it('and takes no more memory in the end than after it was warm', async (t) => {
    const begin = Date.now();
    const looks: Memory[] = [];
    for (let look = 1; look <= LOOKS; look++) {
      await crowd(begin + (look / LOOKS) * MINUTES * 60_000);
      await until('nobody is there, and no room in memory', () => network.size === 0 && openLogs() === 0);
      looks.push(await relay.memory());
    }
    const mean = (list: readonly Memory[], kind: keyof Memory): number =>
      list.reduce((sum, each) => sum + each[kind], 0) / list.length / 1e6;
    const warm = looks.slice(WARM_UP, WARM_UP + 2);
    for (const kind of ['rss', 'used'] as const) {
      const [first, last] = [mean(warm, kind), mean(looks.slice(-2), kind)];
      const story = `${kind}: ${looks.map((each) => (each[kind] / 1e6).toFixed(1)).join(' ')} MB; ${((last / first - 1) * 100).toFixed(1)} % more`;
      t.diagnostic(story);
      assert.ok(last <= first * (1 + MOST_GROWTH), story);
    }
    t.diagnostic(`${visits} visits`);
    assert.ok(visits > MINUTES * 60, `only ${visits} came`);
    assert.equal(relay.child.exitCode, null, relay.said());
  });
});
