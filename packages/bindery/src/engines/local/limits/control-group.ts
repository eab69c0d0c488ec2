import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Bounds, Group, GroupUsage } from './limits.ts';

/** What of a group can be bounded or counted. */
export type Resource = 'memory' | 'cpus' | 'processes' | 'cpuTime';

/** Where groups lie and how their files are called: the whole difference between version 1 and 2. */
export interface GroupFiles {
  /** The folder that holds our groups, for each resource that is to be had. Version 2 has one for all. */
  readonly bases: Partial<Readonly<Record<Resource, string>>>;
  /** Files of a group to write for given bounds, in order; those marked `maybe` are not on every machine. */
  bounds(bounds: Bounds): readonly { readonly of: Resource; readonly file: string; readonly value: string; readonly maybe?: boolean }[];
  readonly memoryUsage: string;
  readonly oomEvents: string;
  /** The line of memory.stat that counts cache which can be given up. */
  readonly cacheLine: string;
  /** Seconds of processor time from the file of that name. */
  readonly cpuTime: { readonly file: string; seconds(text: string): number };
}

/** How long a killed group may take to become empty. */
const EMPTY_MS = 5000;

/** One group: a folder of the same name under each base. */
export class ControlGroup {
  readonly #files: GroupFiles;
  readonly #name: string;

  constructor(files: GroupFiles, name: string) {
    this.#files = files;
    this.#name = name;
  }

  static async list({ bases }: GroupFiles): Promise<string[]> {
    const names = new Set<string>();
    for (const base of new Set(Object.values(bases))) {
      const entries = await readdir(base, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) if (entry.isDirectory()) names.add(entry.name);
    }
    return [...names].toSorted();
  }

  async create(bounds: Bounds): Promise<Group> {
    for (const folder of this.#folders()) await mkdir(folder, { recursive: true });
    for (const { of, file, value, maybe } of this.#files.bounds(bounds)) {
      const path = this.#path(of, file);
      if (path === undefined) continue;
      await writeFile(path, value).catch((error: unknown) => {
        if (!maybe) throw error;
      });
    }
    const memoryUsage = this.#path('memory', this.#files.memoryUsage);
    const oomEvents = this.#path('memory', this.#files.oomEvents);
    return {
      name: this.#name,
      joinFiles: this.#folders().map((folder) => join(folder, 'cgroup.procs')),
      ...(memoryUsage && oomEvents ? { memoryUsage, oomEvents } : {}),
    };
  }

  async usage(): Promise<GroupUsage> {
    const of = async (resource: Resource, file: string): Promise<string> => {
      const path = this.#path(resource, file);
      return path === undefined ? '' : readFile(path, 'utf8').catch(() => '');
    };
    const [used, stat, events, time, tasks] = await Promise.all([
      of('memory', this.#files.memoryUsage),
      of('memory', 'memory.stat'),
      of('memory', this.#files.oomEvents),
      of('cpuTime', this.#files.cpuTime.file),
      of('processes', 'pids.current'),
    ]);
    return {
      memoryBytes: Math.max(0, Number(used) - counted(stat, this.#files.cacheLine)),
      cpuSeconds: this.#files.cpuTime.seconds(time),
      processes: Number(tasks),
      oomKills: counted(events, 'oom_kill'),
    };
  }

  async end(): Promise<void> {
    for (const folder of this.#folders()) {
      const deadline = performance.now() + EMPTY_MS;
      while (!(await removed(folder))) {
        if (performance.now() > deadline) throw new Error(`The control group ${folder} does not become empty.`);
        await killAll(folder);
        await wait(10);
      }
    }
  }

  #folders(): string[] {
    return [...new Set(Object.values(this.#files.bases))].map((base) => join(base, this.#name));
  }

  #path(resource: Resource, file: string): string | undefined {
    const base = this.#files.bases[resource];
    return base === undefined ? undefined : join(base, this.#name, file);
  }
}

/** The number behind a name in a file of `name number` lines. */
export function counted(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** Removes an empty group; true when it is gone. */
async function removed(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Kills everything in a group: at once where the kernel can (version 2 since 5.14), else one by one. */
async function killAll(folder: string): Promise<void> {
  try {
    await writeFile(join(folder, 'cgroup.kill'), '1', { flag: 'r+' });
  } catch {
    const pids = (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n').map(Number);
    for (const pid of pids) if (pid > 1) killed(pid);
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}
