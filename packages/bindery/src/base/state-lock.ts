import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { isAlive, ownIdentity } from './process-identity.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Instant } from '@bindery/wire/ids.ts';
import { tryJson } from './try-json.ts';

/** Programs of which one may use a folder at a time. */
type Service = 'hub' | 'relay' | 'supernode' | 'documents';

/** Milliseconds between two tries to take a lock that is waited for. */
const AGAIN_MS = 50;

/** `hub.json`, `relay.json` … in the folder: how the command line finds the one that runs. */
const ServiceRecord = z.object({
  pid: z.number().int(),
  /** Of the process, in clock ticks since boot; with `bootId` it tells this process from a later one of the same pid. */
  startTime: z.number(),
  bootId: z.string(),
  startedAt: Instant,
  url: z.url(),
  version: z.string(),
});
type ServiceRecord = z.infer<typeof ServiceRecord>;

/**
 * One hub, one relay and so on a folder. The lock is one of the operating system (an exclusive transaction on an empty database), so a
 * process that dies in any way leaves none behind.
 */
export class StateLock {
  readonly #database: DatabaseSync;
  readonly #record: string;

  private constructor(database: DatabaseSync, record: string) {
    this.#database = database;
    this.#record = record;
  }

  /** Takes the lock. @throws BinderyError hub_locked, relay_locked …, naming the other one's address */
  static async take(folder: string, service: Service): Promise<StateLock> {
    return StateLock.await(folder, service, 0);
  }

  /** The same for one that may be held by a process that is about to end: waits for that so many milliseconds. @throws BinderyError */
  static async await(folder: string, service: Service, withinMs: number): Promise<StateLock> {
    const end = performance.now() + withinMs;
    const database = new DatabaseSync(join(folder, `${service}.lock`));
    try {
      while (!couldTake(database)) {
        if (performance.now() >= end) throw await locked(folder, service);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    } catch (error) {
      database.close();
      throw error;
    }
    const record = join(folder, `${service}.json`);
    await rm(record, { force: true });
    return new StateLock(database, record);
  }

  /** Tells where this process is to be found. */
  async announce(url: string, startedAt: string, version: string): Promise<void> {
    const record: ServiceRecord = { ...ownIdentity(), startedAt, url, version };
    await writeFile(`${this.#record}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    await rename(`${this.#record}.new`, this.#record);
  }

  async release(): Promise<void> {
    await rm(this.#record, { force: true });
    this.#database.close();
  }
}

/** Tries to take the lock: false while somebody else has it. */
function couldTake(database: DatabaseSync): boolean {
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (/locked/.test(String(error))) return false;
    throw error;
  }
}

async function locked(folder: string, service: Service): Promise<BinderyError> {
  const other = await readRecord(folder, service);
  const where = other ? `at ${other.url} (process ${other.pid})` : 'that is just starting';
  return new BinderyError(`${service}_locked`, `A ${service} ${where} already uses ${folder}.`);
}

/** The hub, relay … that runs on this folder, undefined when there is none; what a dead one left is not believed. */
export async function readRecord(folder: string, service: Service): Promise<ServiceRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, `${service}.json`), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = ServiceRecord.safeParse(tryJson(text));
  if (!parsed.success) return undefined;
  return isAlive(parsed.data) ? parsed.data : undefined;
}
