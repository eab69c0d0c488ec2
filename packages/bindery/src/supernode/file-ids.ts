import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeDurably } from '../base/durable.ts';

const Stored = z.record(z.string(), z.string());

/** The id of the folder that holds all others. */
const ROOT = 'root';

/**
 * Ids of the files of one Jupyter server, which a file keeps when it is renamed (`SPEC.md`, I). Kept in one small JSON file: id to path.
 */
export class FileIds {
  readonly #file: string;
  readonly #paths: Map<string, string>;
  #ids: Map<string, string>;
  #lastWrite: Promise<void> = Promise.resolve();

  private constructor(file: string, paths: Map<string, string>) {
    this.#file = file;
    this.#paths = paths;
    this.#ids = inverse(paths);
  }

  /** Reads what is known, if anything is. Throws for a file that holds something else. */
  static async open(file: string): Promise<FileIds> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw error;
    });
    return new FileIds(file, new Map(Object.entries(Stored.parse(JSON.parse(text)))));
  }

  pathOf(id: string): string | undefined {
    return id === ROOT ? '' : this.#paths.get(id);
  }

  idOf(path: string): string | undefined {
    return path === '' ? ROOT : this.#ids.get(path);
  }

  /** The file's id, a new one where it has none; it is on the disk when this comes. */
  async index(path: string): Promise<{ readonly id: string; readonly isNew: boolean }> {
    const known = this.idOf(path);
    if (known !== undefined) {
      await this.#lastWrite;
      return { id: known, isNew: false };
    }
    const id = randomUUID();
    this.#paths.set(id, path);
    this.#ids.set(path, id);
    await this.#write();
    return { id, isNew: true };
  }

  /** A file, or a folder with all that is in it, has another path; what was there before is there no more. Returns whose path changed. */
  async move(from: string, to: string): Promise<readonly { readonly id: string; readonly path: string }[]> {
    if (from === to) return [];
    await this.remove(to);
    const moved = this.#below(from).map(({ id, path }) => ({ id, path: to + path.slice(from.length) }));
    for (const { id, path } of moved) this.#paths.set(id, path);
    this.#ids = inverse(this.#paths);
    if (moved.length > 0) await this.#write();
    return moved;
  }

  /** A file, or a folder with all that is in it, is gone: what comes to be there later is another. Returns which. */
  async remove(path: string): Promise<readonly string[]> {
    const gone = this.#below(path).map(({ id }) => id);
    for (const id of gone) this.#paths.delete(id);
    this.#ids = inverse(this.#paths);
    if (gone.length > 0) await this.#write();
    return gone;
  }

  #below(path: string): { readonly id: string; readonly path: string }[] {
    return [...this.#paths].flatMap(([id, each]) => (each === path || each.startsWith(`${path}/`) ? [{ id, path: each }] : []));
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => writeDurably(this.#file, JSON.stringify(Object.fromEntries(this.#paths)));
    this.#lastWrite = this.#lastWrite.then(write, write);
    return this.#lastWrite;
  }
}

function inverse(paths: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...paths].map(([id, path]) => [path, id]));
}
