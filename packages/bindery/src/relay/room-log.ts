import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { syncFolder } from '../base/durable.ts';
import type { CommitPace } from './commit-pace.ts';
import { HEAD, MAGIC, readRecords, record } from './record.ts';

/** Bytes that may wait for the disk (L8). */
const MOST_WAITING = 64 * 1024 * 1024;

/** What goes in one write. */
interface Group {
  readonly pieces: Uint8Array[];
  /** Comes when it is safe; the same for all that is in it. */
  readonly safe: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

interface Compaction {
  /** The whole document, asked for when its turn has come. */
  readonly state: () => Uint8Array;
  resolve(): void;
  reject(error: Error): void;
}

/** The write-ahead log of one room (`SPEC.md`, L). One process at a time may have it open. */
export class RoomLog {
  /** Names the document's history: another one for a document that was made anew. */
  readonly lineage: string;
  readonly #file: string;
  readonly #pace: CommitPace | undefined;
  #handle: FileHandle;
  #bytes: number;
  #waiting: (Group | Compaction)[] = [];
  #waitingBytes = 0;
  #failure: BinderyError | undefined;
  #isBusy = false;
  #idle: (() => void)[] = [];
  /** Whether what waits may not wait for its time. */
  #isUrgent = false;
  #hasten: () => void = () => undefined;

  private constructor(file: string, handle: FileHandle, lineage: string, bytes: number, pace: CommitPace | undefined) {
    this.#file = file;
    this.#handle = handle;
    this.lineage = lineage;
    this.#bytes = bytes;
    this.#pace = pace;
  }

  /**
   * Opens the log in this file, or makes one with a new lineage; its folder must be there. `updates` together say the document; `tornBytes` were
   * written and never acknowledged, and lie beside the log now. Throws `room_damaged` (L6), or what the disk says.
   */
  static async open(
    file: string,
    pace?: CommitPace,
  ): Promise<{ readonly log: RoomLog; readonly updates: readonly Uint8Array[]; readonly tornBytes: number }> {
    // What a crash left of one that was about to take its place.
    await rm(`${file}.new`, { force: true });
    const found = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (!found) {
      const lineage = crypto.randomUUID();
      const { handle, bytes } = await replace(file, lineage, []);
      return { log: new RoomLog(file, handle, lineage, bytes, pace), updates: [], tornBytes: 0 };
    }
    const { payloads, end } = readRecords(found, MAGIC.length);
    const [lineage, ...updates] = payloads;
    if (!lineage || !found.subarray(0, MAGIC.length).equals(MAGIC))
      throw new BinderyError('room_damaged', `${file} does not begin as the log of a shared document.`);
    const handle = await open(file, 'r+');
    try {
      if (end < found.length) await cut(file, handle, found, end);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return { log: new RoomLog(file, handle, lineage.toString(), end, pace), updates, tornBytes: found.length - end };
  }

  /** How long the file is, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Comes when the update is safe (L3), for all that go in one write as the same promise. Fails with `room_not_saved`; after a failure of the disk for
   * every further one too (L7). One that `mayWait` is written when its time has come (L9).
   */
  append(update: Uint8Array, mayWait = false): Promise<void> {
    const size = HEAD + update.length;
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#waitingBytes + size > MOST_WAITING) return Promise.reject(notSaved('the disk is too slow for what comes'));
    let pieces: readonly Uint8Array[];
    try {
      pieces = record(update);
    } catch (error) {
      return Promise.reject(notSaved((error as Error).message, error));
    }
    this.#waitingBytes += size;
    const last = this.#waiting.at(-1);
    const group = last && 'safe' in last ? last : this.#newGroup();
    group.pieces.push(...pieces);
    if (!mayWait) this.hurry();
    return group.safe;
  }

  /** What waits for its time does not any longer. */
  hurry(): void {
    this.#isUrgent = true;
    this.#hasten();
  }

  /**
   * Puts the whole document in place of the updates that led to it (L4). `state` must hold all that was appended before. When this fails, the log
   * is what it was.
   */
  compact(state: () => Uint8Array): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    const done = Promise.withResolvers<void>();
    this.#queue({ state, resolve: done.resolve, reject: done.reject });
    this.hurry();
    return done.promise;
  }

  /** Waits for what was begun, and lets go of the file. */
  async close(): Promise<void> {
    this.#failure ??= notSaved('its log was closed');
    this.hurry();
    if (this.#isBusy) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#handle.close();
  }

  #newGroup(): Group {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const group = { pieces: [], safe: promise, resolve, reject };
    this.#queue(group);
    return group;
  }

  #queue(job: Group | Compaction): void {
    this.#waiting.push(job);
    if (!this.#isBusy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    // What is appended in one turn goes in one write.
    await Promise.resolve();
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if ('safe' in next) await this.#due();
      this.#waiting.shift();
      if ('state' in next) await this.#compact(next);
      else await this.#write(next);
    }
    this.#isBusy = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Comes when what waits is to be written. */
  async #due(): Promise<void> {
    const wait = this.#isUrgent ? 0 : (this.#pace?.wait() ?? 0);
    if (wait > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait);
        this.#hasten = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isUrgent = false;
  }

  async #write(group: Group): Promise<void> {
    const bytes = Buffer.concat(group.pieces);
    try {
      await writeAll(this.#handle, bytes, this.#bytes);
      await this.#handle.datasync();
    } catch (error) {
      this.#fail(error, group);
      return;
    }
    this.#bytes += bytes.length;
    this.#waitingBytes -= bytes.length;
    group.resolve();
  }

  async #compact(compaction: Compaction): Promise<void> {
    let made: { handle: FileHandle; bytes: number };
    try {
      made = await replace(this.#file, this.lineage, [compaction.state()]);
    } catch (error) {
      await rm(`${this.#file}.new`, { force: true }).catch(() => undefined);
      // Whether the new one has taken its place, nobody can say.
      if (error instanceof UnknownPlace) this.#fail(error.cause, compaction);
      else compaction.reject(notSaved((error as Error).message, error));
      return;
    }
    const old = this.#handle;
    this.#handle = made.handle;
    this.#bytes = made.bytes;
    await old.close();
    compaction.resolve();
  }

  #fail(error: unknown, job: Group | Compaction): void {
    const failure = notSaved((error as Error).message, error);
    this.#failure ??= failure;
    for (const each of [job, ...this.#waiting.splice(0)]) each.reject(failure);
  }
}

function notSaved(why: string, cause?: unknown): BinderyError {
  return new BinderyError('room_not_saved', `The shared document could not be saved: ${why}.`, { cause });
}

/** A new file may have taken the place of the old one, or not. */
class UnknownPlace extends Error {}

/** Makes a log in the place of what is there (L4), and returns it open. */
async function replace(file: string, lineage: string, updates: readonly Uint8Array[]): Promise<{ handle: FileHandle; bytes: number }> {
  const bytes = Buffer.concat([MAGIC, ...[Buffer.from(lineage), ...updates].flatMap((payload) => record(payload))]);
  const handle = await open(`${file}.new`, 'wx', 0o600);
  try {
    await writeAll(handle, bytes, 0);
    await handle.sync();
  } catch (error) {
    await handle.close();
    throw error;
  }
  try {
    await rename(`${file}.new`, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await handle.close();
    throw new UnknownPlace('The new log may or may not be in its place.', { cause: error });
  }
  return { handle, bytes: bytes.length };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

/** Puts what stands behind `end` aside, and cuts it off (L5). */
async function cut(file: string, handle: FileHandle, found: Buffer, end: number): Promise<void> {
  await writeFile(`${file}.torn`, found.subarray(end), { mode: 0o600, flush: true });
  await handle.truncate(end);
  await handle.sync();
}
