// Side by side with the peers, on this machine, in this run: `npm run bench [-- --json] [launch|burst|build|proxy|hub|execute|collaboration …]`.
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Row } from './row.ts';

const PARTS: Record<string, () => Promise<AsyncIterable<Row>>> = {
  launch: async () => (await import('./launch.ts')).single(),
  burst: async () => (await import('./launch.ts')).bursts(),
  build: async () => (await import('./build.ts')).rows(),
  proxy: async () => (await import('./proxy.ts')).rows(),
  hub: async () => (await import('./hub.ts')).rows(),
  execute: async () => (await import('./execute.ts')).rows(),
  'fan-out': async () => (await import('./collaboration.ts')).fanOuts(),
  cost: async () => (await import('./collaboration.ts')).costs(),
  flood: async () => (await import('./collaboration.ts')).floods(),
  open: async () => (await import('./collaboration.ts')).opens(),
  idle: async () => (await import('./collaboration.ts')).idles(),
  deaf: async () => (await import('./collaboration.ts')).deafs(),
};
/** Names for several. */
const GROUPS: Record<string, readonly string[]> = { collaboration: ['fan-out', 'cost', 'flood', 'open', 'idle', 'deaf'] };

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.flatMap((word) => GROUPS[word] ?? (word in PARTS ? [word] : []));
const all: Row[] = [];
process.stderr.write(`${conditions()}\n`);
for (const name of wanted.length > 0 ? wanted : Object.keys(PARTS)) {
  process.stderr.write(`${name} …\n`);
  for await (const row of (await PARTS[name]?.()) ?? []) {
    all.push(row);
    if (!json) console.log(line(row));
  }
}
if (json) console.log(JSON.stringify(all, undefined, 1));

function line({ name, value, unit, ours, peer, peers, target, met }: Row): string {
  const spread = (one: Row['ours']): string => `${round(one.median)} (${round(one.min)}–${round(one.max)})`;
  const verdict = met === undefined ? '      ' : met ? 'met   ' : 'MISSED';
  const wanted = target === undefined ? '' : ` (target ${target})`;
  const others = Object.entries(peers ?? (peer ? { peer } : {})).map(([which, one]) => `; ${which} ${spread(one)}`);
  return `${verdict} ${name}: ${round(value)}${unit && ` ${unit}`}${wanted}; ours ${spread(ours)}${others.join('')}`;
}

/** What the figures depend on. The load is that of others. */
function conditions(): string {
  const [processor] = cpus();
  const load = loadavg().map((one) => one.toFixed(2));
  return `${cpus().length} × ${processor?.model ?? ''}, ${round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}, load ${load.join(' ')}`;
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
