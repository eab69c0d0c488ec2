import { readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EndReason, ResolvedSource } from '@bindery/wire/api.ts';
import { Instant, SessionId } from '@bindery/wire/ids.ts';
import { isAlive } from '../../base/process-identity.ts';
import type { Session } from '../../contracts/engine.ts';

/** What is known of a session on disk; the folder is the truth (DESIGN idea 3). */
const SessionRecord = z.object({
  id: SessionId,
  environment: z.string(),
  source: ResolvedSource,
  token: z.string(),
  basePath: z.string(),
  startedAt: Instant,
  isolated: z.boolean(),
  /** Whether its JupyterLab has the parts by which documents are shared. */
  shares: z.boolean().default(false),
  /** Where its kernels' sockets are; sessions of before have none that could be reached. */
  kernels: z.string().optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

const ProcessRecord = z.object({ pid: z.number().int(), startTime: z.number(), bootId: z.string() });
const UsageRecord = z.object({
  memoryBytes: z.number().int().optional(),
  processes: z.number().int().optional(),
  diskBytes: z.number().int().optional(),
});
const EndedRecord = z.object({
  reason: EndReason,
  message: z.string().nullish(),
  code: z.number().nullish(),
  at: Instant,
  savedBytes: z.number().optional(),
  saveError: z.string().optional(),
});
export type EndedRecord = z.infer<typeof EndedRecord>;

/** One session's folder: reading and writing its small files. */
export class SessionFolder {
  readonly path: string;

  constructor(sessions: string, id: string) {
    this.path = join(sessions, id);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async writeRecord(record: SessionRecord): Promise<void> {
    await writeFile(this.file('session.json'), JSON.stringify(record), { mode: 0o600 });
  }

  async record(): Promise<SessionRecord | undefined> {
    return readParsed(this.file('session.json'), SessionRecord);
  }

  async ended(): Promise<EndedRecord | undefined> {
    return readParsed(this.file('ended.json'), EndedRecord);
  }

  /** What the supervisor saw last of what the session uses. */
  async usage(): Promise<z.infer<typeof UsageRecord>> {
    return (await readParsed(this.file('usage.json'), UsageRecord)) ?? {};
  }

  /** The supervisor's pid if it is really alive: same pid, same start time, same boot (I3). */
  async supervisor(): Promise<number | undefined> {
    const known = await readParsed(this.file('process.json'), ProcessRecord);
    return known && isAlive(known) ? known.pid : undefined;
  }

  /**
   * The same, for good: where there is none, one that is still being forked finds its order gone, and starts nothing (I3).
   * The supervisor says who it is before it takes the order.
   */
  async supervisorIfAny(): Promise<number | undefined> {
    const there = await this.supervisor();
    if (there !== undefined) return there;
    await rename(this.file('order.json'), this.file('taken.json')).catch(() => {});
    return this.supervisor();
  }

  async renewLease(): Promise<void> {
    const now = new Date();
    await utimes(this.file('lease'), now, now).catch(() => writeFile(this.file('lease'), ''));
  }

  /** The kept log, oldest first; at most the last `bytes`. */
  async log(bytes: number): Promise<string> {
    const parts = await Promise.all(['server.log.1', 'server.log'].map((name) => readFile(this.file(name), 'utf8').catch(() => '')));
    return parts.join('').slice(-bytes);
  }

  /** The session as it is now. */
  async session(): Promise<Session | undefined> {
    const record = await this.record();
    if (!record) return undefined;
    const ended = await this.ended();
    const common = {
      id: record.id,
      environment: record.environment,
      source: record.source as Session['source'],
      startedAt: record.startedAt,
      isolated: record.isolated,
      shares: record.shares,
      address: { socketPath: this.file('jupyter.sock'), token: record.token, basePath: record.basePath, kernels: record.kernels },
    };
    if (!ended) return { ...common, state: 'running' };
    return {
      ...common,
      state: 'ended',
      endedAt: ended.at,
      endReason: ended.reason,
      ...(ended.message ? { message: ended.message } : {}),
      ...(ended.savedBytes === undefined ? {} : { savedBytes: ended.savedBytes }),
      ...(ended.saveError === undefined ? {} : { saveError: ended.saveError.trim().split('\n').at(-1) ?? '' }),
    };
  }
}

/** All session ids that have a folder. */
export async function sessionIds(sessions: string): Promise<string[]> {
  return (await readdir(sessions)).filter((name) => SessionId.safeParse(name).success);
}

async function readParsed<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/** Removes the folders of sessions that ended before `until` (milliseconds since the epoch), and what was saved before. */
export async function forgetEnded(folders: { readonly sessions: string; readonly saved: string }, until: number): Promise<void> {
  for (const id of await sessionIds(folders.sessions)) {
    const folder = new SessionFolder(folders.sessions, id);
    const ended = await folder.ended();
    if (ended && Date.parse(ended.at) < until) await rm(folder.path, { recursive: true, force: true });
  }
  for (const name of await readdir(folders.saved)) {
    const path = join(folders.saved, name);
    const info = await stat(path).catch(() => undefined);
    if (info && info.mtimeMs < until) await rm(path, { force: true });
  }
}
