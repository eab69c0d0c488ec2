import { readdir, readFile } from 'node:fs/promises';

/** What the kernel tells of one process (proc(5), status). Bytes. */
export interface ProcessInfo {
  readonly parent: number;
  readonly anonymousBytes: number;
  readonly sharedBytes: number;
  readonly threads: number;
}

/** Every process that can be seen. */
export async function processTable(proc = '/proc'): Promise<Map<number, ProcessInfo>> {
  const table = new Map<number, ProcessInfo>();
  for (const name of await readdir(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`${proc}/${name}/status`, 'utf8').catch(() => ''); // ended meanwhile
    if (status) table.set(Number(name), parseStatus(status));
  }
  return table;
}

export function parseStatus(text: string): ProcessInfo {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    parent: field('PPid'),
    anonymousBytes: field('RssAnon') * 1024,
    sharedBytes: field('RssShmem') * 1024,
    threads: Math.max(1, field('Threads')),
  };
}

/**
 * A process and everything below it. For the process that holds a PID namespace this is all that runs in it: orphans there go
 * to the namespace's own init and nowhere else.
 */
export function descendants(table: ReadonlyMap<number, ProcessInfo>, root: number): number[] {
  const children = Map.groupBy(table.keys(), (pid) => table.get(pid)?.parent ?? 0);
  const found: number[] = [];
  const seen = new Set([root]);
  for (const pid of seen) {
    if (!table.has(pid)) continue;
    found.push(pid);
    for (const child of children.get(pid) ?? []) seen.add(child);
  }
  return found;
}

/**
 * An upper bound of the memory that some processes use, cheap: pages that they share after a fork are counted for each.
 * Where it is above a limit, `proportionalBytes` tells the truth.
 */
export function memoryAtMost(table: ReadonlyMap<number, ProcessInfo>, pids: readonly number[]): number {
  const infos = pids.flatMap((pid) => table.get(pid) ?? []);
  return infos.reduce((sum, info) => sum + info.anonymousBytes, 0) + Math.max(0, ...infos.map((info) => info.sharedBytes));
}

/** The memory that some processes use, shared pages in proportion (proc(5), smaps_rollup, without the pages of files). Bytes. */
export async function proportionalBytes(pids: readonly number[], proc = '/proc'): Promise<number> {
  let sum = 0;
  for (const pid of pids) {
    const text = await readFile(`${proc}/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    for (const name of ['Pss_Anon', 'Pss_Shmem']) sum += Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;
  }
  return sum;
}
