// The process between sandboxes and the internet, apart from the hub: what strangers send ends here, without the hub's rights or secrets.
import { lookup } from 'node:dns/promises';
import { chmodSync, renameSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { decider } from './decision.ts';
import { dialer, goesVia } from './dial.ts';
import { EgressOrder, type EgressReport } from './messages.ts';
import { createProxy } from './proxy.ts';

const DENIALS_A_SECOND = 5;
const STATS_MS = 2000;
const OWN_ADDRESSES_MS = 2000;

/** The addresses of this machine, read again when they are older than a moment. */
function ownAddresses(): () => string[] {
  let addresses: string[] = [];
  let readAt = -Infinity;
  return () => {
    if (performance.now() - readAt > OWN_ADDRESSES_MS) {
      addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
      readAt = performance.now();
    }
    return addresses;
  };
}

function say(report: EgressReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Tells of denials, few enough that nobody can flood the hub's log through us. */
function denials(): (target: { host: string; port: number }, why: string) => void {
  let said = 0;
  let unsaid = 0;
  setInterval(() => (said = 0), 1000).unref();
  return ({ host, port }, why) => {
    if (++said > DENIALS_A_SECOND) {
      unsaid++;
      return;
    }
    say({ says: 'denied', host: host.slice(0, 255), port, why: why.slice(0, 500), unsaid });
    unsaid = 0;
  };
}

/** For good: a process that has listened needs nothing more of root. */
function dropTo(uid: number): void {
  flushCompileCache(); // where only who we are now may write
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}

function serve(order: EgressOrder): void {
  const { server, counters } = createProxy({
    decide: decider({
      allowHosts: order.allowHosts,
      lookup: (name) => lookup(name, { all: true, verbatim: true }),
      ownAddresses: ownAddresses(),
      viaProxy: (target) => goesVia(order.proxy, target),
    }),
    dial: dialer(order.limits.connectMs, order.proxy),
    limits: order.limits,
    indexes: order.indexes,
    key: order.key,
    onDenied: denials(),
  });
  const fresh = `${order.socketPath}.${process.pid}`;
  server.listen(fresh, () => {
    chmodSync(fresh, 0o666); // whoever sees the folder may use it
    renameSync(fresh, order.socketPath); // at once in place of one that a dead process left
    if (order.uid !== undefined) dropTo(order.uid);
    say({ says: 'ready' });
  });
  let last = '';
  setInterval(() => {
    const text = JSON.stringify(counters);
    if (text !== last) say({ says: 'stats', stats: { ...counters } });
    last = text;
  }, STATS_MS).unref();
}

const input = createInterface({ input: process.stdin });
input.once('line', (line) => serve(EgressOrder.parse(JSON.parse(line))));
input.once('close', () => process.exit(0));
process.stdout.on('error', () => process.exit(0));
