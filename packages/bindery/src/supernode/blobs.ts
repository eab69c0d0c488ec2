import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What is too big for a document, by the SHA-256 of its bytes. */
export interface BlobStore {
  /** Keeps it, safe from a crash, and returns its digest. */
  put(bytes: Uint8Array, mime: string): Promise<string>;
  /** Undefined where there is none. */
  read(digest: string): Promise<{ readonly bytes: Buffer; readonly mime: string } | undefined>;
  /** The bytes, at once: a document that is saved must not change meanwhile. */
  readNow(digest: string): Buffer | undefined;
  /** Its address for people. */
  link(digest: string): string;
}

const DIGEST = /^[0-9a-f]{64}$/;

/** Blobs as files of one folder. The first line of a file is its media type. */
export class FolderBlobs implements BlobStore {
  readonly #folder: string;
  readonly #link: (digest: string) => string;

  constructor(folder: string, link: (digest: string) => string) {
    this.#folder = folder;
    this.#link = link;
  }

  async put(bytes: Uint8Array, mime: string): Promise<string> {
    const head = Buffer.from(`${mime.replaceAll(/[^\x20-\x7e]/g, '')}\n`);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const file = join(this.#folder, digest);
    if (await stat(file).catch(() => undefined)) return digest;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const part = `${file}.${randomUUID()}`;
    const handle = await open(part, 'wx', 0o600);
    try {
      await handle.writev([head, bytes]);
      await handle.sync();
      await rename(part, file);
    } finally {
      await handle.close();
      await rm(part, { force: true });
    }
    return digest;
  }

  async read(digest: string): Promise<{ bytes: Buffer; mime: string } | undefined> {
    if (!DIGEST.test(digest)) return undefined;
    const all = await readFile(join(this.#folder, digest)).catch(() => undefined);
    return all && parts(all);
  }

  readNow(digest: string): Buffer | undefined {
    if (!DIGEST.test(digest)) return undefined;
    try {
      return parts(readFileSync(join(this.#folder, digest))).bytes;
    } catch {
      return undefined;
    }
  }

  link(digest: string): string {
    return this.#link(digest);
  }
}

function parts(all: Buffer): { bytes: Buffer; mime: string } {
  const end = all.indexOf('\n');
  return { mime: all.subarray(0, end).toString(), bytes: all.subarray(end + 1) };
}
