import { cpuOf } from '../proxy/process.ts';
import { Client, type Target } from './client.ts';
import { eachMark, mark, Writer } from './writer.ts';

/** Milliseconds between two looks at what is due. */
const TICK_MS = 1;
/** Milliseconds that may pass before all is delivered. */
const LATE_MS = 120_000;

/** Documents, clients in each of them, updates a second in each, by each client in turn. */
export interface FanOutJob {
  readonly kind: 'fanOut';
  readonly docs: number;
  readonly clients: number;
  readonly rate: number;
  readonly seconds: number;
  /** Letters of an update beside the mark. */
  readonly letters: number;
  /** One more client in each document, which never reads. */
  readonly isOneDeaf: boolean;
  /** Whether all stay when it is done, until the process is ended. */
  readonly isStaying: boolean;
}

export interface FanOut {
  readonly p50: number;
  readonly p99: number;
  readonly deliveries: number;
  /** CPU time of the server, from the first update to the last delivery, by delivery; in microseconds. */
  readonly cpu: number;
}

/** Every update reaches all others in its document; throws when one does not. */
export async function fanOut(target: Target, { docs, clients, rate, seconds, letters, isOneDeaf, isStaying }: FanOutJob): Promise<FanOut> {
  const delays: number[] = [];
  const run = Math.floor(Math.random() * 1e6);
  const hear = (own: number) => (bytes: Buffer) => {
    const now = performance.now();
    eachMark(bytes, (who, microseconds) => {
      if (who !== own) delays.push(now - microseconds / 1000);
    });
  };
  const all = Array.from({ length: docs }, (_, doc) =>
    Array.from({ length: clients }, (_client, index) => ({
      index,
      client: new Client(target, `fan-out-${run}-${doc}`, { hear: hear(index) }),
      writer: new Writer(run * 1000 + index + 1),
    })),
  );
  for (const one of all.flat()) await one.client.enter();
  const deaf = isOneDeaf ? all.map((_, doc) => new Client(target, `fan-out-${run}-${doc}`)) : [];
  for (const client of deaf) {
    await client.enter();
    client.deafen();
  }
  const cpu = cpuOf(target.pid);
  const padding = 'x'.repeat(letters);
  const total = docs * rate * seconds;
  await steadily(total, docs * rate, (count) => {
    const writers = all[count % docs] ?? [];
    const { index, client, writer } = writers[Math.floor(count / docs) % clients] ?? {};
    client?.edit(writer?.insert(mark(index ?? 0, performance.now() * 1000) + padding) ?? new Uint8Array());
  });
  const deliveries = total * (clients - 1);
  await within(() => delays.length >= deliveries);
  const spent = cpuOf(target.pid) - cpu;
  if (!isStaying) for (const client of [...all.flat().map((one) => one.client), ...deaf]) client.leave();
  if (delays.length !== deliveries) throw new Error(`${delays.length} deliveries came, of ${deliveries}`);
  const sorted = Float64Array.from(delays).toSorted();
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), deliveries, cpu: spent / deliveries };
}

/** Does something so many times a second, whatever comes of it. */
function steadily(total: number, perSecond: number, work: (count: number) => void): Promise<void> {
  const begun = performance.now();
  let done = 0;
  return new Promise((resolve) => {
    const tick = (): void => {
      const due = Math.min(total, Math.ceil(((performance.now() - begun) / 1000) * perSecond));
      while (done < due) work(done++);
      if (done < total) setTimeout(tick, TICK_MS);
      else resolve();
    };
    tick();
  });
}

async function within(isSo: () => boolean): Promise<void> {
  const end = performance.now() + LATE_MS;
  while (!isSo() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
