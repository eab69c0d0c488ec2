import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Digest, Instant } from '@bindery/wire/ids.ts';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { Flight, type FlightCall } from '../base/flight.ts';
import { Memo } from '../base/memo.ts';
import type { Progress } from '../contracts/context.ts';
import type { Locks } from '../contracts/locks.ts';
import type { Lock } from '../contracts/plan.ts';

const LockedPackage = z.strictObject({
  name: z.string(),
  version: z.string(),
  from: z.enum(['wheel', 'source']),
  own: z.literal(true).optional(),
  hashes: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)),
  requirement: z.string(),
});
const LockSchema = z.strictObject({
  version: z.literal(1),
  id: Digest,
  planId: Digest,
  python: z.strictObject({
    path: z.string(),
    version: z.string(),
    prefix: z.string(),
    build: z.string(),
    from: z.enum(['machine', 'managed']),
  }),
  layout: z.enum(['split', 'joint']),
  layoutBecause: z.string(),
  packages: z.array(LockedPackage),
  conda: z
    .array(z.strictObject({ url: z.string(), sha256: z.string(), name: z.string(), version: z.string(), record: z.string() }))
    .optional(),
  asOf: Instant.optional(),
  madeAt: Instant,
  notes: z.array(z.string()),
  fixed: z.boolean(),
});

const IN_MEMORY = 500;
const RETRY_MS = 10 * 60_000;

/** Locks as files of `folder`, one for each plan, complete by rename, with the last used ones in memory. */
export class LockFolder implements Locks {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #memory = new Memo<Lock>(IN_MEMORY);
  readonly #flight: Flight<Lock, Progress>;
  readonly #renewals = new Memo<number>(IN_MEMORY);

  /** @param folder `locks` in the cache folder; made when first needed. */
  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
    this.#flight = new Flight(clock);
  }

  async find(planId: Digest): Promise<Lock | undefined> {
    const remembered = this.#memory.get(planId);
    const lock = remembered ?? (await this.#read(planId));
    if (!lock || !(await isThere(lock))) return undefined;
    // a newer one may have been kept meanwhile: it stays
    if (!this.#memory.get(planId)) this.#memory.set(planId, lock);
    return lock;
  }

  async keep(lock: Lock): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const temporary = join(this.#folder, `.${randomUUID()}`);
    try {
      await writeFile(temporary, JSON.stringify(lock));
      await rename(temporary, this.#path(lock.planId));
    } finally {
      await rm(temporary, { force: true });
    }
    this.#memory.set(lock.planId, lock);
  }

  once(planId: Digest, call: FlightCall<Progress>, make: (call: FlightCall<Progress>) => Promise<Lock>): Promise<Lock> {
    return this.#flight.do(planId, call, async (inner) => {
      const lock = await make(inner);
      await this.keep(lock);
      return lock;
    });
  }

  mayRenew(planId: Digest): boolean {
    const now = this.#clock.monotonic();
    if (now - (this.#renewals.get(planId) ?? -Infinity) < RETRY_MS) return false;
    this.#renewals.set(planId, now);
    return true;
  }

  async #read(planId: Digest): Promise<Lock | undefined> {
    try {
      const parsed = LockSchema.parse(JSON.parse(await readFile(this.#path(planId), 'utf8')));
      const { conda, asOf, ...rest } = parsed;
      if (parsed.planId !== planId) return undefined;
      return { ...rest, ...(conda === undefined ? {} : { conda }), ...(asOf === undefined ? {} : { asOf }) };
    } catch {
      return undefined; // missing or damaged: it is made again, and the file replaced
    }
  }

  #path(planId: Digest): string {
    return join(this.#folder, `${planId}.json`);
  }
}

/** A lock whose interpreter was removed from the machine is none. With conda packages the interpreter is one of them. */
async function isThere(lock: Lock): Promise<boolean> {
  return lock.conda !== undefined || (await stat(lock.python.path).catch(() => undefined)) !== undefined;
}
