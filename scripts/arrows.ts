// The arrows between rooms (ARCHITECTURE.md): who may import whom. Fails on an arrow that points back and on import cycles.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const STAGES = ['link', 'resolve', 'checkout', 'plan', 'lock', 'build', 'session'];
const BASIS = ['wire', 'base', 'clients', 'contracts', 'formats'];
const ALLOWED: Record<string, string[]> = {
  wire: [],
  rtc: ['wire'],
  base: ['wire'],
  contracts: ['wire', 'base'],
  formats: ['wire', 'base', 'contracts'],
  clients: ['wire', 'base', 'formats'],
  ...Object.fromEntries(STAGES.map((stage, index) => [stage, [...BASIS, ...STAGES.slice(0, index)]])),
  providers: BASIS,
  packs: BASIS,
  emitters: BASIS,
  engines: BASIS,
  proxy: [...BASIS, 'rtc'],
  relay: [...BASIS, 'rtc'],
  graphql: [...BASIS, 'rtc', 'relay'],
  supernode: [...BASIS, 'rtc', 'relay', 'proxy', 'graphql'],
  pipeline: [...BASIS, ...STAGES],
  hub: [...BASIS, ...STAGES, 'pipeline', 'proxy', 'providers', 'packs', 'emitters', 'engines', 'relay', 'supernode'],
  cli: [...BASIS, ...STAGES, 'pipeline', 'proxy', 'providers', 'packs', 'engines', 'relay', 'supernode', 'hub'],
  main: ['cli', 'base', 'wire'],
  web: ['wire', 'rtc'],
};
/** Plug-ins never import a sibling, only what lies in their own folder. */
const APART = new Set(['providers', 'packs', 'emitters']);

function roomOf(file: string): string {
  const [, pkg, , first = ''] = file.split('/');
  if (pkg !== 'bindery') return pkg ?? '';
  return first.replace(/\.ts$/, '');
}

const files = globSync('packages/*/src/**/*.{ts,tsx}').filter((file) => !file.includes('.test.') && !file.includes('node_modules'));
const problems: string[] = [];
const graph = new Map<string, string[]>();

for (const file of files) {
  const targets: string[] = [];
  const text = readFileSync(file, 'utf8');
  for (const match of text.matchAll(/^\s*(?:import|export)\s(?:(type)\s)?[^'"]*?from\s+['"]([^'"]+)['"]|import\(['"]([^'"]+)['"]\)/gm)) {
    const name = match[2] ?? match[3] ?? '';
    const target = name.startsWith('.')
      ? normalize(join(dirname(file), name))
      : name.startsWith('@bindery/')
        ? `packages/${name.slice('@bindery/'.length).replace('/', '/src/')}`
        : undefined;
    if (!target) continue;
    if (match[1] !== 'type') targets.push(target);
    const [from, to] = [roomOf(file), roomOf(target)];
    if (from !== to && !(ALLOWED[from] ?? []).includes(to)) problems.push(`${file}: ${from} may not import ${to} (${name})`);
    if (from === to && APART.has(from)) problems.push(`${file}: a plug-in may not import its sibling ${name}`);
    const engine = (path: string): string | undefined => /src\/engines\/([^/]+)/.exec(path)?.[1];
    if (from === 'engines' && to === 'engines' && engine(file) !== engine(target))
      problems.push(`${file}: an engine may not import another engine (${name})`);
  }
  graph.set(file, targets);
}

const done = new Set<string>();
function visit(file: string, trail: string[]): void {
  if (trail.includes(file)) {
    problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`);
    return;
  }
  if (done.has(file)) return;
  for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
  done.add(file);
}
for (const file of graph.keys()) visit(file, []);

for (const problem of new Set(problems)) console.log(problem);
process.exit(problems.length ? 1 : 0);
