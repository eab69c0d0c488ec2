import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Digest, Instant } from '@bindery/wire/ids.ts';
import { instant, type Clock } from '../../base/clock.ts';
import type { Builder, BuildOrder, Environment, StageLog } from '../../contracts/engine.ts';
import type { LockedPackage } from '../../contracts/plan.ts';
import type { Uv } from '../../clients/uv.ts';
import { INSIDE } from './sandbox.ts';
import { discardFixed, fixedFolders, removeAll, removeWhole, seal } from './fixed-folder.ts';
import { makePrefix, newPrefix, ownBytes } from './prefix.ts';
import { runRepositorySteps, strangersSteps } from './repository-steps.ts';
import type { CondaTool } from './conda.ts';
import type { Egress } from './egress/egress.ts';
import { isLeftOver, partName, type Place } from './place.ts';

const Record = z.object({
  id: Digest,
  bytes: z.number(),
  builtAt: Instant,
  layers: z.number().int().min(1).max(2),
  leftovers: z.boolean(),
});

export interface LocalBuilderParts {
  readonly place: Place;
  readonly clock: Clock;
  readonly uv: () => Promise<Uv>;
  readonly egress: () => Promise<Egress | undefined>;
  /** What installs conda packages. */
  readonly conda: (log: StageLog, signal: AbortSignal) => Promise<CondaTool>;
  readonly lock: Builder['lock'];
  /** Environments that sessions use: never removed. */
  readonly inUse: () => ReadonlySet<string>;
}

/** Environments as folders: `<id>/prefix`, for content-dependent ones also `layer` and `leftovers`, and `environment.json`, written last. */
export class LocalBuilder implements Builder {
  readonly #parts: LocalBuilderParts;
  readonly #known = new Map<string, Environment>();
  readonly lock: Builder['lock'];

  constructor(parts: LocalBuilderParts) {
    this.#parts = parts;
    this.lock = parts.lock;
  }

  async find(id: Digest): Promise<Environment | undefined> {
    const known = this.#known.get(id);
    const folder = this.#folder(id);
    const now = this.#parts.clock.now() / 1000;
    if (known) {
      // Its time of use, for the clean-up; gone means that somebody removed it.
      return utimes(folder, now, now).then(
        () => known,
        () => this.#forget(id),
      );
    }
    const environment = await this.#read(id);
    if (environment) {
      this.#known.set(id, environment);
      await utimes(folder, now, now);
    }
    return environment;
  }

  async build(order: BuildOrder, watched: StageLog, signal: AbortSignal): Promise<Environment> {
    const { place, clock } = this.#parts;
    const folder = join(place.folders.environments, partName(order.id));
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await place.worker.give(folder);
    const log = keptLog(join(folder, 'build.log'), watched);
    try {
      const uv = await this.#parts.uv();
      if (order.lock.conda) await newPrefix(place, folder, INSIDE.environment);
      else await this.#installWheels(uv, folder, order, log, signal);
      const more = strangersSteps(order).length > 0;
      const tool = order.lock.conda ? await this.#parts.conda(log, signal) : undefined;
      if (more) await runRepositorySteps(place, uv, await this.#parts.egress(), folder, order, tool, log, signal);
      if (!place.isolated) await seal(await realpath(join(folder, 'prefix')));
      const record = { id: order.id, bytes: await this.#bytes(folder), builtAt: instant(clock), layers: more ? 2 : 1, leftovers: more };
      await writeFile(join(folder, 'environment.json'), JSON.stringify(record));
      await rename(folder, this.#folder(order.id)).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
        await removeWhole(place, folder); // another hub was first: the same bytes
      });
    } catch (error) {
      await removeWhole(place, folder);
      throw error;
    }
    return (await this.find(order.id))!;
  }

  async #installWheels(uv: Uv, folder: string, { lock }: BuildOrder, log: StageLog, signal: AbortSignal): Promise<void> {
    const wheels = lock.packages.filter((entry) => entry.from === 'wheel');
    log.info(`Installing ${wheels.length} packages for Python ${lock.python.version}`);
    const order = {
      folder,
      inside: INSIDE.environment,
      python: lock.python,
      requirements: requirementLines(wheels),
      packages: wheels,
      signal,
    };
    await makePrefix(this.#parts.place, uv, order, log);
  }

  async *list(): AsyncIterable<Environment> {
    for (const name of await readdir(this.#parts.place.folders.environments)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const environment = await this.#read(name);
      if (environment) yield environment;
    }
  }

  async remove(id: Digest): Promise<void> {
    if (this.inUse().has(id)) return;
    this.#forget(id);
    const gone = partName(this.#folder(id), 'gone');
    await rename(this.#folder(id), gone).catch(() => {});
    await removeWhole(this.#parts.place, gone);
  }

  /** Ids that running sessions use. */
  inUse(): ReadonlySet<string> {
    return this.#parts.inUse();
  }

  /** Clears away what hubs that died left half-built (I3). */
  async discardUnfinished(): Promise<void> {
    const { environments, tools } = this.#parts.place.folders;
    for (const folder of [environments, tools])
      for (const name of await readdir(folder)) if (isLeftOver(name)) await removeAll(join(folder, name));
    await discardFixed(this.#parts.place);
  }

  async #bytes(folder: string): Promise<number> {
    return ownBytes(this.#parts.place, [folder, ...(await fixedFolders(this.#parts.place, folder))]);
  }

  #folder(id: string): string {
    return join(this.#parts.place.folders.environments, id);
  }

  #forget(id: string): undefined {
    this.#known.delete(id);
    return undefined;
  }

  async #read(id: string): Promise<Environment | undefined> {
    const folder = this.#folder(id);
    const text = await readFile(join(folder, 'environment.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const record = Record.parse(JSON.parse(text));
    return { id, engine: 'local', location: folder, bytes: record.bytes, builtAt: record.builtAt };
  }
}

/** Bytes of a build's log that are kept with the environment. */
const LOG_BYTES = 16 << 20;

/** Tells a log on, and keeps it as a file. */
function keptLog(file: string, log: StageLog): StageLog {
  let left = LOG_BYTES;
  const keep = (text: string): void => {
    if (left <= 0) return;
    left -= text.length + 1;
    appendFileSync(file, left > 0 ? `${text}\n` : '… the log is too long to be kept whole\n');
  };
  return {
    info: (text) => (keep(text), log.info(text)),
    line: (text) => (keep(text), log.line(text)),
  };
}

/** Requirement lines with hashes. */
export function requirementLines(packages: readonly LockedPackage[]): string {
  return packages.map((entry) => `${[entry.requirement, ...entry.hashes.map((hash) => `    --hash=${hash}`)].join(' \\\n')}\n`).join('');
}
