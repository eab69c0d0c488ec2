// Runs one of the examples of packages/rtc: `npm run example rtc-todo`. What it needs runs on a free port of this machine; it
// prints a link that lets whoever has it in. Ctrl-C ends it, and takes the documents away unless --folder says where to keep them.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../packages/bindery/src/base/clock.ts';
import { interruptOf } from '../packages/bindery/src/cli/interrupt.ts';
import { ROLES } from '../packages/wire/src/roles.ts';
import { startPage, type Running } from './example-page.ts';

/** The pages, and what one has to know of each. */
const EXAMPLES: Record<string, string> = {
  'rtc-todo': 'a shared to-do list',
  'rtc-lumino': 'three shared texts with cursors',
  'rtc-jupyter': 'a shared notebook, in a session of its own',
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string' }, port: { type: 'string', default: '0' }, role: { type: 'string' } },
});
const [name = ''] = positionals;
const port = Number(values.port);
const role = ROLES.find((each) => each === (values.role ?? (name === 'rtc-jupyter' ? 'execute' : 'edit')));
if (!(name in EXAMPLES) || !role || !Number.isInteger(port)) {
  const known = Object.entries(EXAMPLES).map(([each, about]) => `  npm run example ${each}    ${about}`);
  process.stderr.write(
    `One of:\n${known.join('\n')}\nwith -- --folder <folder> to keep the documents, --port <number>, --role ${ROLES.join('|')}\n`,
  );
  process.exit(2);
}

const interrupt = interruptOf(process, () => systemClock.monotonic());
const folder = resolve(values.folder ?? (await mkdtemp(join(tmpdir(), 'bindery-example-'))));
await mkdir(folder, { recursive: true });
const running = await start();
process.stdout.write(`${running.link}\n`);
process.stderr.write('  Whoever has this link, on this machine, shares the documents. Press Ctrl-C to end it.\n');
await new Promise<void>((done) => {
  if (interrupt.signal.aborted) done();
  else interrupt.signal.addEventListener('abort', () => done(), { once: true });
});
await running.close();
if (values.folder === undefined) await rm(folder, { recursive: true });
process.exit(0);

async function start(): Promise<Running> {
  if (name !== 'rtc-jupyter') return startPage(name, folder, port, role ?? 'edit');
  // A hub is much to load for those that need none.
  const { startNotebook } = await import('./example-notebook.ts');
  return startNotebook(folder, port, role ?? 'execute');
}
