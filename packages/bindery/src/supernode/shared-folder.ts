import { isDeepStrictEqual } from 'node:util';
import { FOLDER, FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import type { ListEdit } from '@bindery/rtc/tables/fields.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import { Entry, fieldsOf, Listing, roomNameOf } from './entries.ts';
import { encoded, JupyterError, type JupyterServer } from './jupyter-server.ts';
import { Looks } from './looks.ts';
import { putRecord } from './put-record.ts';
import type { SharedDoc } from './shared-doc.ts';
import { watchTable } from './table-watch.ts';

/** Entries of a folder that are told. */
const MOST_ENTRIES = 20_000;
/** How many times as long as listing took it is rested afterwards: where nothing seems to have changed, and where something did. */
const REST = 9;
const SHORT_REST = 1;

const NONE: ReadonlySet<string> = new Set();

const TABLES = { contents: FOLDER_TABLES.contents, folders: FOLDER_TABLES.folders };

export interface SharedFolderOptions {
  readonly shared: SharedDoc;
  readonly server: Pick<JupyterServer, 'json' | 'stat'>;
  readonly path: string;
  /** The id of a file or folder that has been opened. */
  readonly idOf: (path: string) => string | undefined;
  /** True while somebody looks at the document. */
  readonly isWatched: () => boolean;
  /** Milliseconds between two looks while somebody looks at the document (1000); else none is taken. */
  readonly watchMs?: number | undefined;
}

/** Keeps the document of a folder in step with what is in the folder (`SPEC.md`, F). */
export class SharedFolder {
  readonly #options: SharedFolderOptions;
  readonly #tables: Tables<typeof TABLES>;
  readonly #looks: Looks;
  #path: string;
  #known: readonly Entry[] = [];
  /** What is told of the folder itself. */
  #folder = { path: '', content: [] as readonly string[], more: 0, error: '' };
  #lastModified = '';
  #lookedAt = 0;
  #lastLookMs = 0;
  #looking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(options: SharedFolderOptions) {
    const { doc } = options.shared;
    this.#options = options;
    this.#path = options.path;
    this.#tables = openTables(doc, TABLES, (body) => doc.transact(body, 'server'));
    const stops = [
      watchTable(doc, 'contents', (id, origin) => this.#heal('contents', id, origin)),
      watchTable(doc, 'folders', (id, origin) => this.#heal('folders', id, origin)),
    ];
    this.#looks = new Looks(() => this.#watch(), stops, options.watchMs);
  }

  /** @throws JupyterError 404 where there is no such folder, or why it can't be read */
  static async open(options: SharedFolderOptions): Promise<SharedFolder> {
    const folder = new SharedFolder(options);
    await folder.#looks.begin(() => folder.#read());
    return folder;
  }

  get path(): string {
    return this.#path;
  }

  /** Looks now; comes when the document says what the server says. Never fails: the document says why it can't be read. */
  look(): Promise<void> {
    if (this.#looks.isClosed) return Promise.resolve();
    if (!this.#looking) {
      this.#looks.pause();
      this.#looking = this.#lookOnce().finally(() => {
        this.#looking = undefined;
        this.#looks.wait();
      });
      return this.#looking;
    }
    // A look that is under way may have seen what was before.
    this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      return this.look();
    });
    return this.#next;
  }

  async moved(path: string): Promise<void> {
    this.#path = path;
    await this.look();
  }

  close(): void {
    this.#looks.close();
  }

  /** A folder that is listed quickly is listed each time; of a large one it is asked whether anything came or went, and it is listed more rarely. */
  async #watch(): Promise<void> {
    if (this.#looking || !this.#options.isWatched()) return;
    const rested = performance.now() - this.#lookedAt;
    if (rested < SHORT_REST * this.#lastLookMs) return;
    const isDue = rested >= REST * this.#lastLookMs || this.#folder.error !== '' || (await this.#hasChanged());
    if (isDue) await this.look();
  }

  async #hasChanged(): Promise<boolean> {
    return this.#options.server.stat(this.#path, { type: 'directory' }).then(
      ({ lastModified }) => lastModified !== this.#lastModified,
      () => true,
    );
  }

  async #lookOnce(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (this.#looks.isClosed) return;
      const isGone = error instanceof JupyterError && error.status === 404;
      // A server that is just not there leaves things as they were.
      if (isGone) this.#known = [];
      this.#tell(isGone ? 'There is no such folder any more.' : (error as Error).message, isGone ? 0 : this.#folder.more);
    }
  }

  /** @throws JupyterError */
  async #read(): Promise<void> {
    const begun = performance.now();
    const answer = await this.#options.server.json('GET', `api/contents/${encoded(this.#path)}?type=directory&content=1`);
    if (this.#looks.isClosed) return;
    const { content, last_modified: lastModified } = Listing.parse(answer);
    // What is no Unicode can be shared with nobody, and asked for by nobody.
    const named = content.filter(({ name }) => name.isWellFormed()).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.#known = named.slice(0, MOST_ENTRIES);
    this.#lastModified = lastModified;
    this.#tell('', content.length - this.#known.length);
    this.#lookedAt = performance.now();
    this.#lastLookMs = this.#lookedAt - begun;
  }

  /** Brings the document to what is known. */
  #tell(error: string, more: number): void {
    this.#folder = { path: this.#path, content: this.#known.map(({ name }) => name), more, error };
    this.#edit(() => {
      const { contents } = this.#tables;
      const names = new Set(this.#folder.content);
      for (const id of contents.ids.get()) if (!names.has(id)) contents.delete(id);
      for (const entry of this.#known) this.#put(entry);
      this.#putFolder();
    });
  }

  #put(entry: Entry): void {
    const { contents } = this.#tables;
    const id = this.#options.idOf(entry.path);
    putRecord(contents, entry.name, fieldsOf(entry, id === undefined ? undefined : roomNameOf(entry.type, id)));
  }

  #putFolder(): void {
    const { folders } = this.#tables;
    const { content, ...fields } = this.#folder;
    const known = folders.get(FOLDER);
    if (!known) folders.create(this.#folder, { id: FOLDER });
    else if (!isDeepStrictEqual(known, this.#folder)) folders.update(FOLDER, { ...fields, content: editsBetween(known.content, content) });
  }

  /** What others write into what is the server's, is taken back. */
  #heal(table: 'contents' | 'folders', id: string, origin: unknown): void {
    if (origin === 'server') return;
    queueMicrotask(() =>
      this.#edit(() => {
        this.#tables[table].delete(id);
        const entry = this.#known.find(({ name }) => name === id);
        if (table === 'folders') this.#putFolder();
        else if (entry) this.#put(entry);
      }),
    );
  }

  #edit(body: () => void): void {
    if (this.#looks.isClosed) return;
    // When the document can't be edited any more, it is opened anew.
    this.#options.shared.edit(body).catch(() => this.close());
  }
}

/** The edits that make one list of the other, from its end on: what is in both, in the same order, is not touched. */
function editsBetween(before: readonly string[], after: readonly string[]): ListEdit<string>[] {
  const kept = new Set(after);
  const edits: ListEdit<string>[] = [];
  let [old, fresh] = [before.length, after.length];
  while (old > 0 || fresh > 0) {
    if (old > 0 && before[old - 1] === after[fresh - 1]) {
      old -= 1;
      fresh -= 1;
      continue;
    }
    const [oldEnd, freshEnd] = [old, fresh];
    // What stays, but stood elsewhere, goes and comes again.
    const staying = fresh === 0 ? NONE : kept;
    while (old > 0 && !staying.has(before[old - 1] ?? '')) old -= 1;
    while (fresh > 0 && after[fresh - 1] !== before[old - 1]) fresh -= 1;
    edits.push({ index: old, remove: oldEnd - old, values: after.slice(fresh, freshEnd) });
  }
  return edits;
}
