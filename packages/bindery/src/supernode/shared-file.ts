import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path/posix';
import * as Y from 'yjs';
import { z } from 'zod';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { writeDurably } from '../base/durable.ts';
import type { Logger } from '../base/log.ts';
import type { Occupant, SaveStatus } from '../relay/occupant.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import { wholeOutput } from './big-values.ts';
import type { BlobStore } from './blobs.ts';
import { JupyterError, type FileModel, type JupyterServer } from './jupyter-server.ts';
import type { Content, Kind } from './kinds.ts';
import { distrust, wronglyTrusted } from './trust.ts';

export interface SharedFileOptions {
  readonly room: RelayRoom;
  readonly server: JupyterServer;
  readonly kind: Kind;
  readonly path: string;
  /** Where it is kept what the file said when document and file were last the same. */
  readonly baseFile: string;
  /** Runs work while no file of the server is moved. */
  readonly steady: <T>(work: () => Promise<T>) => Promise<T>;
  /** Where big parts of outputs lie, so that the file is whole; without it, what stands for them is in the file. */
  readonly blobs?: Pick<BlobStore, 'readNow'>;
  readonly log: Logger;
  /** Milliseconds from an edit until it is saved: 1000, and at least five times what the last save took. */
  readonly saveMs?: number | undefined;
  /** Milliseconds between two looks at the file: 1000 where something was done in the last minute, else five times as long. */
  readonly watchMs?: number | undefined;
}

const SAVE_MS = 1000;
const WATCH_MS = 1000;
const QUIET_MS = 60_000;
/** Edits that go on are saved after so many times the delay at last. */
const LONGEST_DELAYS = 5;
/** Failed saves after which a room without anybody need not stay in memory: what it says is in its log. */
const FAILURES = 3;

const Kept = z.object({ base: z.string(), next: z.string().optional() });

/**
 * A file of a Jupyter server as the occupant of a shared document: it fills the document, saves what is edited, and brings in what others
 * write to the file (`SPEC.md`, D).
 */
export class SharedFile implements Occupant {
  readonly #options: SharedFileOptions;
  readonly #state: Y.Map<unknown>;
  #path: string;
  /** What the file said when document and file were last the same. */
  #base: Content;
  /** What is being written: whether it arrived, only the file can tell after a crash. */
  #next: Content | undefined;
  /** What the server said of the file then. */
  #seen: Pick<FileModel, 'lastModified' | 'size' | 'hash'> | undefined;
  #isGone = false;
  #changes = 0;
  #savedChanges = 0;
  #failures = 0;
  #changedAt = performance.now();
  #firstUnsavedAt: number | undefined;
  #lastSaveMs = 0;
  #isAutosaved = true;
  #hasLeft = false;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setTimeout> | undefined;
  #work: Promise<unknown> = Promise.resolve();
  readonly #untend: () => void;

  private constructor(options: SharedFileOptions, base: Content) {
    this.#options = options;
    this.#path = options.path;
    this.#base = base;
    this.#state = options.room.doc.getMap('state');
    // Before anything is merged into it.
    this.#untend = options.kind.tend(options.room.doc);
  }

  /** Fills the document from the file, or brings both together. @throws JupyterError, BinderyError notebook_invalid */
  static async open(options: SharedFileOptions): Promise<SharedFile> {
    const { room, server, kind, path, baseFile } = options;
    const model = await server.file(path, kind);
    const theirs = kind.read(model.content);
    const kept = await readKept(baseFile, kind);
    const base = kept?.next?.text === theirs.text ? kept.next : kept?.base;
    const file = new SharedFile(options, base ?? theirs);
    if (base === undefined && isEmpty(room.doc, kind)) {
      // The base is written when the document is safe: a base without its document would say that everything was deleted.
      await room.edit(() => theirs.fill(room.doc));
      await file.#keep(theirs);
    } else await file.#take(theirs, base);
    // What the process before this one sent may yet arrive.
    if (kept?.next && kept.next.text !== theirs.text) await file.#keep(theirs, kept.next);
    file.#seen = model;
    await file.#tell({ path, dirty: false, hash: model.hash ?? '' });
    file.#begin();
    return file;
  }

  get path(): string {
    return this.#path;
  }

  /** True while something waits to be saved that may yet be saved. */
  isBusy(): boolean {
    return this.#isUnsaved && this.#failures < FAILURES && !this.#isGone && this.#isAutosaved;
  }

  /** Saves now. The file is made again where it was deleted. */
  async save(): Promise<SaveStatus> {
    return this.#inTurn(() => this.#save(true));
  }

  /** The file has another path from now on. */
  async moved(path: string): Promise<void> {
    this.#path = path;
    await this.#tell({ path });
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    clearTimeout(this.#saveTimer);
    clearTimeout(this.#watchTimer);
    this.#options.room.doc.off('afterTransaction', this.#heard);
    this.#untend();
    await this.#inTurn(async () => (this.#isUnsaved && this.#wantsAutosave() ? this.#save(false) : undefined));
  }

  get #isUnsaved(): boolean {
    return this.#changes > this.#savedChanges;
  }

  #begin(): void {
    this.#options.room.doc.on('afterTransaction', this.#heard);
    if (this.#base.of(this.#options.room.doc, this.#whole).content.text !== this.#base.text) this.#changed();
    this.#planWatch();
  }

  readonly #whole = (output: JsonObject): JsonObject => wholeOutput(output, this.#options.blobs);

  readonly #heard = (transaction: Y.Transaction): void => {
    const { room, kind } = this.#options;
    const { changedParentTypes } = transaction;
    const wrongly = wronglyTrusted(room.doc, transaction);
    if (wrongly.length > 0) void room.edit(() => distrust(wrongly)).catch(() => undefined);
    if (kind.roots(room.doc).some((root) => changedParentTypes.has(root as never))) this.#changed();
  };

  #changed(): void {
    this.#changes += 1;
    this.#changedAt = performance.now();
    this.#firstUnsavedAt ??= this.#changedAt;
    if (this.#state.get('dirty') !== true) void this.#tell({ dirty: true });
    this.#planSave();
  }

  /** Says something in the document's state, as far as it is new; what the log can't take is said again when the room is opened anew. */
  async #tell(said: Record<string, unknown>): Promise<void> {
    const fresh = Object.entries(said).filter(([name, value]) => this.#state.get(name) !== value);
    if (fresh.length === 0) return;
    const put = (): void => {
      for (const [name, value] of fresh) this.#state.set(name, value);
    };
    await this.#options.room.edit(put).catch(() => undefined);
  }

  #planSave(): void {
    if (this.#hasLeft) return;
    clearTimeout(this.#saveTimer);
    const delay = Math.max(this.#options.saveMs ?? SAVE_MS, 5 * this.#lastSaveMs) * 2 ** Math.min(this.#failures, 6);
    const left = (this.#firstUnsavedAt ?? 0) + LONGEST_DELAYS * delay - performance.now();
    this.#saveTimer = setTimeout(
      () => void this.#inTurn(async () => (this.#wantsAutosave() ? this.#save(false) : undefined)),
      Math.max(0, Math.min(delay, left)),
    );
  }

  /** Off only where somebody says so and nobody else wants it. */
  #wantsAutosave(): boolean {
    const said = this.#options.room.states.map(({ autosave }) => autosave).filter((each) => typeof each === 'boolean');
    if (said.length > 0) this.#isAutosaved = said.includes(true);
    return this.#isAutosaved;
  }

  #planWatch(): void {
    if (this.#hasLeft) return;
    const { watchMs = WATCH_MS } = this.#options;
    const isQuiet = performance.now() - this.#changedAt > QUIET_MS;
    this.#watchTimer = setTimeout(
      () => void this.#inTurn(async () => this.#look().catch((error: Error) => this.#warn('look at', error))).then(() => this.#planWatch()),
      isQuiet ? 5 * watchMs : watchMs,
    );
  }

  /** One thing after the other: looking at the file, saving, moving. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(async () => this.#options.steady(work));
    this.#work = done.catch(() => undefined);
    return done;
  }

  /** Brings in what others wrote to the file. False when there is no file. @throws JupyterError, BinderyError notebook_invalid */
  async #look(): Promise<boolean> {
    const { server, kind } = this.#options;
    try {
      const now = await server.stat(this.#path, kind);
      const isSeen =
        !this.#isGone && this.#next === undefined && now.lastModified === this.#seen?.lastModified && now.size === this.#seen.size;
      if (!isSeen) await this.#read();
      if (this.#isGone && this.#isUnsaved) this.#planSave();
      this.#isGone = false;
      return true;
    } catch (error) {
      // Something else of this name is not our file either.
      if (!(error instanceof JupyterError) || ![400, 404].includes(error.status)) throw error;
      if (error.status === 400 && !(await this.#isReplaced())) throw error;
      this.#isGone = true;
      return false;
    }
  }

  /** True when there is a folder where the file was: the server says 400 for it, as for a file that it can't read. */
  async #isReplaced(): Promise<boolean> {
    const { server, kind } = this.#options;
    return (await server.stat(this.#path)).type !== kind.type && kind.type === 'file';
  }

  async #read(): Promise<void> {
    const { server, kind } = this.#options;
    const model = await server.file(this.#path, kind);
    if (model.hash === undefined || model.hash !== this.#seen?.hash || this.#isGone) {
      const theirs = kind.read(model.content);
      await this.#take(theirs, this.#next?.text === theirs.text ? this.#next : this.#base);
      await this.#tell({ hash: model.hash ?? '' });
    }
    this.#seen = model;
  }

  /** Merges what the file says; from then on that is the base. */
  async #take(theirs: Content, base: Content | undefined): Promise<void> {
    const { room } = this.#options;
    let left: string | undefined;
    if (base?.text !== theirs.text) await room.edit(() => void (left = theirs.merge(room.doc, base)));
    await this.#keep(theirs);
    if (left !== undefined) await this.#keepBeside(left);
  }

  /** What the document can't hold of the file is kept in a file beside it. */
  async #keepBeside(text: string): Promise<void> {
    const { server, kind, log } = this.#options;
    const extension = extname(this.#path);
    const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
    const path = `${this.#path.slice(0, this.#path.length - extension.length)}.conflict-${stamp}${extension}`;
    await server.write(path, { type: kind.type, format: kind.format, content: JSON.stringify(text) });
    log.warn({ path: this.#path, kept: path }, 'a file was changed in a place that was edited too: what it said is kept beside it');
  }

  async #save(isAsked: boolean): Promise<SaveStatus> {
    const begun = performance.now();
    try {
      // One that was deleted is not made again by itself.
      if (!(await this.#look()) && !isAsked) return 'skipped';
      const changes = this.#changes;
      await this.#write();
      this.#savedChanges = changes;
      this.#failures = 0;
      this.#firstUnsavedAt = undefined;
      await this.#tell({ hash: this.#seen?.hash ?? '', ...(this.#isUnsaved ? {} : { dirty: false }), error: undefined });
      return 'success';
    } catch (error) {
      this.#failures += 1;
      this.#warn('save', error as Error);
      await this.#tell({ error: (error as Error).message });
      return 'failed';
    } finally {
      this.#lastSaveMs = performance.now() - begun;
      if (this.#isUnsaved && !this.#isGone) this.#planSave();
    }
  }

  async #write(): Promise<void> {
    const { room, server, kind } = this.#options;
    const { content, json } = this.#base.of(room.doc, this.#whole);
    if (content.text === this.#base.text && !this.#isGone) return;
    this.#next = content;
    await this.#keep(this.#base, content);
    await server.write(this.#path, { ...kind, content: json });
    const now = await server.stat(this.#path, { type: kind.type, hash: true });
    this.#isGone = false;
    if (now.hash !== sha256(content.text)) return this.#reread(content);
    this.#seen = now;
    await this.#keep(content);
  }

  /** The file does not say what was written: its format holds less, or somebody wrote at the same moment. */
  async #reread(written: Content): Promise<void> {
    const { server, kind } = this.#options;
    const model = await server.file(this.#path, kind);
    const theirs = kind.read(model.content);
    if (theirs.text === written.text) await this.#keep(written);
    else if (theirs.essence === written.essence) await this.#keep(theirs);
    else await this.#take(theirs, written);
    this.#seen = model;
  }

  async #keep(base: Content, next?: Content): Promise<void> {
    const { baseFile } = this.#options;
    this.#base = base;
    this.#next = next;
    await writeDurably(baseFile, JSON.stringify({ base: base.text, ...(next ? { next: next.text } : {}) }));
  }

  #warn(what: string, error: Error): void {
    this.#options.log.warn({ path: this.#path, error: error.message }, `could not ${what} a shared file`);
  }
}

async function readKept(file: string, kind: Kind): Promise<{ readonly base: Content; readonly next?: Content } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { base, next } = Kept.parse(JSON.parse(text));
    return { base: kind.parse(base), ...(next === undefined ? {} : { next: kind.parse(next) }) };
  } catch {
    // Without it, both sides are kept where they differ.
    return undefined;
  }
}

function isEmpty(doc: Y.Doc, kind: Kind): boolean {
  return kind.roots(doc).every((root) => (root instanceof Y.Map ? root.size : root.length) === 0);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
