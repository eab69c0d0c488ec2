import { join } from 'node:path';
import type { GroupFiles, Resource } from './control-group.ts';
import { folderOf, madeFolder, type Where } from './hierarchy.ts';

/** Which controller of version 1 bounds or counts what. */
const CONTROLLERS: readonly (readonly [Resource, string])[] = [
  ['memory', 'memory'],
  ['processes', 'pids'],
  ['cpus', 'cpu'],
  ['cpuTime', 'cpuacct'],
];
const PERIOD = 100_000; // microseconds

/** Files of version 1 (kernel documentation, cgroup-v1), for those controllers below whose present group we may make others. */
export async function findV1(where: Where): Promise<{ files?: GroupFiles; reason: string }> {
  const bases: Partial<Record<Resource, string>> = {};
  for (const [resource, controller] of CONTROLLERS) {
    const mount = where.mounts.find(({ version, controllers }) => version === 1 && controllers.includes(controller));
    if (!mount) continue;
    const base = join(await folderOf(mount, where.membership.get(controller) ?? '/'), where.folder);
    if (await madeFolder(base)) bases[resource] = base;
  }
  const found = CONTROLLERS.filter(([resource]) => resource in bases).map(([, controller]) => controller);
  if (!('memory' in bases) && !('processes' in bases)) return { reason: 'No controller of version 1 is mounted and writable.' };
  return { files: { bases, ...V1 }, reason: `Control groups, version 1: ${found.join(', ')}.` };
}

const V1: Omit<GroupFiles, 'bases'> = {
  bounds: ({ memory, cpus, processes }) => [
    { of: 'memory', file: 'memory.memsw.limit_in_bytes', value: '-1', maybe: true }, // never below the other limit, also while it changes
    { of: 'memory', file: 'memory.limit_in_bytes', value: String(memory) },
    { of: 'memory', file: 'memory.memsw.limit_in_bytes', value: String(memory), maybe: true }, // with swap accounting only
    { of: 'processes', file: 'pids.max', value: String(processes) },
    { of: 'cpus', file: 'cpu.cfs_period_us', value: String(PERIOD) },
    { of: 'cpus', file: 'cpu.cfs_quota_us', value: String(Math.round(cpus * PERIOD)) },
  ],
  memoryUsage: 'memory.usage_in_bytes',
  oomEvents: 'memory.oom_control',
  cacheLine: 'total_inactive_file',
  cpuTime: { file: 'cpuacct.usage', seconds: (text) => Number(text) / 1e9 },
};
