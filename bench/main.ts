// Side by side with the peers, on this machine, in this run: `npm run bench [-- --json] [launch|burst|build|proxy|hub|execute …]`.
import type { Row } from './row.ts';

const PARTS: Record<string, () => Promise<AsyncIterable<Row>>> = {
  launch: async () => (await import('./launch.ts')).single(),
  burst: async () => (await import('./launch.ts')).bursts(),
  build: async () => (await import('./build.ts')).rows(),
  proxy: async () => (await import('./proxy.ts')).rows(),
  hub: async () => (await import('./hub.ts')).rows(),
  execute: async () => (await import('./execute.ts')).rows(),
};

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.filter((word) => word in PARTS);
const all: Row[] = [];
for (const name of wanted.length > 0 ? wanted : Object.keys(PARTS)) {
  process.stderr.write(`${name} …\n`);
  for await (const row of (await PARTS[name]?.()) ?? []) {
    all.push(row);
    if (!json) console.log(line(row));
  }
}
if (json) console.log(JSON.stringify(all, undefined, 1));

function line({ name, value, unit, ours, peer, target, met }: Row): string {
  const spread = (one: Row['ours']): string => `${round(one.median)} (${round(one.min)}–${round(one.max)})`;
  return `${met ? 'met   ' : 'MISSED'} ${name}: ${round(value)} ${unit} (target ${target}); ours ${spread(ours)}${peer ? `; peer ${spread(peer)}` : ''}`;
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
