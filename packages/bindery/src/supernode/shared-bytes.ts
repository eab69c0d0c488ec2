import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { FILE, FILE_TABLES } from '@bindery/rtc/tables/files.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import { Entry, fieldsOf, hrefOf } from './entries.ts';
import { encoded, JupyterError, type JupyterServer } from './jupyter-server.ts';
import { Looks } from './looks.ts';
import { putRecord } from './put-record.ts';
import type { SharedDoc } from './shared-doc.ts';
import { watchTable } from './table-watch.ts';

/** Bytes of a file that are told in its document. */
const MOST_BYTES = 16 * 1024 * 1024;

export interface SharedBytesOptions {
  readonly shared: SharedDoc;
  readonly server: Pick<JupyterServer, 'json'>;
  readonly path: string;
  /** The name of its room. */
  readonly room: string;
  readonly isWatched: () => boolean;
  /** Milliseconds between two looks while somebody looks at the document: 1000. */
  readonly watchMs?: number | undefined;
}

const Loaded = Entry.extend({ content: z.string() });

/** Keeps the document of a file of bytes in step with the file, which is only read (`SPEC.md`, F4). */
export class SharedBytes {
  readonly #options: SharedBytesOptions;
  readonly #tables: Tables<typeof FILE_TABLES>;
  readonly #looks: Looks;
  #path: string;
  #seen: Entry | undefined;
  #content = '';
  #error = '';
  #work: Promise<void> = Promise.resolve();

  private constructor(options: SharedBytesOptions) {
    const { doc } = options.shared;
    this.#options = options;
    this.#path = options.path;
    this.#tables = openTables(doc, FILE_TABLES, (body) => doc.transact(body, 'server'));
    const heal = (origin: unknown): void => {
      if (origin !== 'server') queueMicrotask(() => this.#tell());
    };
    const stops = (['contents', 'base64_content'] as const).map((table) => watchTable(doc, table, (_id, origin) => heal(origin)));
    this.#looks = new Looks(async () => options.isWatched() && this.#look(), stops, options.watchMs);
  }

  /** @throws JupyterError where there is no such file, or why it can't be read */
  static async open(options: SharedBytesOptions): Promise<SharedBytes> {
    const file = new SharedBytes(options);
    await file.#looks.begin(() => file.#read());
    return file;
  }

  async moved(path: string): Promise<void> {
    this.#path = path;
    this.#seen = undefined;
    await this.#look();
  }

  close(): void {
    this.#looks.close();
  }

  #look(): Promise<void> {
    this.#work = this.#work
      .then(() => this.#read())
      .catch((error: Error) => {
        // What the file said last, stays.
        this.#error = error instanceof JupyterError && error.status === 404 ? 'There is no such file any more.' : error.message;
        this.#seen = undefined;
        this.#tell();
      });
    return this.#work;
  }

  /** @throws JupyterError */
  async #read(): Promise<void> {
    const now = Entry.parse(await this.#ask('content=0'));
    if (this.#looks.isClosed || isDeepStrictEqual(now, this.#seen)) return;
    const size = now.size ?? 0;
    const isTooBig = size > MOST_BYTES;
    const { content, ...entry } = isTooBig ? { ...now, content: '' } : Loaded.parse(await this.#ask('format=base64&content=1'));
    if (this.#looks.isClosed) return;
    // As it was before it was read: what came meanwhile is seen at the next look.
    this.#seen = now;
    this.#content = content.replaceAll('\n', '');
    this.#error = isTooBig ? `It has ${size} bytes, and more than ${MOST_BYTES} are had by HTTP only.` : '';
    this.#tell(entry);
  }

  async #ask(query: string): Promise<unknown> {
    return this.#options.server.json('GET', `api/contents/${encoded(this.#path)}?type=file&${query}`);
  }

  #tell(entry = this.#seen): void {
    if (this.#looks.isClosed) return;
    const fields = { ...(entry ? fieldsOf(entry, this.#options.room) : {}), href: hrefOf(this.#path), error: this.#error };
    const edit = (): void => {
      const { contents, base64_content: contentTable } = this.#tables;
      for (const table of [contents, contentTable]) for (const id of table.ids.get()) if (id !== FILE) table.delete(id);
      putRecord(contents, FILE, fields);
      putRecord(contentTable, FILE, { content: this.#content });
    };
    // When the document can't be edited any more, it is opened anew.
    this.#options.shared.edit(edit).catch(() => this.close());
  }
}
