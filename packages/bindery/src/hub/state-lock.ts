import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { isAlive, ownIdentity } from '../base/process-identity.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Instant } from '@bindery/wire/ids.ts';

/** `hub.json` in the state folder: how the command line finds the hub that runs. */
export const HubRecord = z.object({
  pid: z.number().int(),
  /** Of the process, in clock ticks since boot; with `bootId` it tells this process from a later one of the same pid. */
  startTime: z.number(),
  bootId: z.string(),
  startedAt: Instant,
  url: z.url(),
  version: z.string(),
});
export type HubRecord = z.infer<typeof HubRecord>;

/**
 * One hub a state folder. The lock is one of the operating system (an exclusive transaction on an empty database), so a
 * hub that dies in any way leaves none behind.
 */
export class StateLock {
  readonly #database: DatabaseSync;
  readonly #folder: string;

  private constructor(database: DatabaseSync, folder: string) {
    this.#database = database;
    this.#folder = folder;
  }

  /** Takes the lock. @throws BinderyError hub_locked, naming the other hub's address */
  static async take(folder: string): Promise<StateLock> {
    const database = new DatabaseSync(join(folder, 'hub.lock'));
    try {
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (!/locked/.test(String(error))) throw error;
      const other = await readHubRecord(folder);
      const where = other ? `at ${other.url} (process ${other.pid})` : 'that is just starting';
      throw new BinderyError('hub_locked', `A hub ${where} already uses ${folder}.`);
    }
    await rm(join(folder, 'hub.json'), { force: true });
    return new StateLock(database, folder);
  }

  /** Tells where this hub is to be found. */
  async announce(url: string, startedAt: string, version: string): Promise<void> {
    const record: HubRecord = { ...ownIdentity(), startedAt, url, version };
    const path = join(this.#folder, 'hub.json');
    await writeFile(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async release(): Promise<void> {
    await rm(join(this.#folder, 'hub.json'), { force: true });
    this.#database.close();
  }
}

/** The hub that runs on this state folder, undefined when there is none; what a dead one left is not believed. */
export async function readHubRecord(folder: string): Promise<HubRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, 'hub.json'), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = HubRecord.safeParse(tryJson(text));
  if (!parsed.success) return undefined;
  return isAlive(parsed.data) ? parsed.data : undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
