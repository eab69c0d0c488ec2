import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { counted, type GroupFiles } from './control-group.ts';
import { folderOf, madeFolder, type Where } from './hierarchy.ts';

const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
const PERIOD = 100_000; // microseconds
/** The leaf into which the hub moves: a group that gives controllers to others may hold no process itself. */
const LEAF = 'bindery-hub';
const ASK = 'Start the hub by `systemd-run --user --scope -p Delegate=yes` to give it a group of its own.';

/** Files of version 2 (kernel documentation, cgroup-v2), where the group we are in has been given to us. */
export async function findV2(where: Where): Promise<{ files?: GroupFiles; reason: string }> {
  const mount = where.mounts.find(({ version }) => version === 2);
  if (!mount) return { reason: 'Control groups of version 2 are not mounted.' };
  const present = await folderOf(mount, where.membership.get('') ?? '/');
  const own = basename(present) === LEAF ? dirname(present) : present;
  const offered = (await read(join(own, 'cgroup.controllers'))).trim().split(' ');
  const controllers = CONTROLLERS.filter((name) => offered.includes(name));
  if (!controllers.includes('memory') && !controllers.includes('pids'))
    return { reason: 'Control groups of version 2 offer neither memory nor pids here.' };
  const base = join(own, where.folder);
  if (!(await madeFolder(base))) return { reason: `The control group ${own} is not ours to change. ${ASK}` };
  const refusal = (await share(own, controllers, where)) ?? (await share(base, controllers, where));
  if (refusal !== undefined) return { reason: refusal };
  const bases = {
    cpuTime: base,
    ...(controllers.includes('memory') ? { memory: base } : {}),
    ...(controllers.includes('pids') ? { processes: base } : {}),
    ...(controllers.includes('cpu') ? { cpus: base } : {}),
  };
  return { files: { bases, ...V2 }, reason: `Control groups, version 2: ${controllers.join(', ')}.` };
}

/** Lets the groups below a folder have the controllers; says why where that cannot be. */
async function share(folder: string, controllers: readonly string[], where: Where): Promise<string | undefined> {
  const file = join(folder, 'cgroup.subtree_control');
  const missing = async (): Promise<string[]> => {
    const shared = (await read(file)).trim().split(' ');
    return controllers.filter((name) => !shared.includes(name));
  };
  const pids = (await read(join(folder, 'cgroup.procs'))).split('\n').filter(Boolean).map(Number);
  if ((await missing()).length > 0 && pids.length > 0) {
    const ours = await line(where.proc);
    if (!pids.every((pid) => ours.includes(pid))) return `The control group ${folder} holds other programs beside the hub. ${ASK}`;
    await madeFolder(join(folder, LEAF));
    for (const pid of pids) await writeFile(join(folder, LEAF, 'cgroup.procs'), String(pid)).catch(() => {}); // one that has ended
  }
  try {
    for (const name of await missing()) await writeFile(file, `+${name}`);
    return undefined;
  } catch (error) {
    return `The control group ${folder} does not pass on its controllers (${(error as NodeJS.ErrnoException).code}). ${ASK}`;
  }
}

/** This process and those that started it: the shell, npm. */
async function line(proc: string): Promise<number[]> {
  const pids: number[] = [];
  for (let pid = process.pid; pid > 1 && pids.length < 64;) {
    pids.push(pid);
    const status = await read(`${proc}/${pid}/status`);
    pid = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return pids;
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

const V2: Omit<GroupFiles, 'bases'> = {
  bounds: ({ memory, cpus, processes }) => [
    { of: 'memory', file: 'memory.max', value: String(memory) },
    { of: 'memory', file: 'memory.swap.max', value: '0', maybe: true },
    { of: 'processes', file: 'pids.max', value: String(processes) },
    { of: 'cpus', file: 'cpu.max', value: `${Math.round(cpus * PERIOD)} ${PERIOD}` },
  ],
  memoryUsage: 'memory.current',
  oomEvents: 'memory.events',
  cacheLine: 'inactive_file',
  cpuTime: { file: 'cpu.stat', seconds: (text) => counted(text, 'usage_usec') / 1e6 },
};
