import { FOLDER_TABLES, type OperationKind, type OperationStatus } from '@bindery/rtc/tables/files.ts';
import { openTables, type RecordOf, type Tables } from '@bindery/rtc/tables/table.ts';
import type { Clock } from '../base/clock.ts';
import type { FileOrder, FileOutcome } from './file-changes.ts';
import { putRecord } from './put-record.ts';
import type { SharedDoc } from './shared-doc.ts';
import { BROUGHT, isFresh, LOST, watchTable } from './table-watch.ts';

/** Operations that may wait, and that stay to be seen when they have ended. */
const MOST_WAITING = 100;
const KEPT = 50;
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const LONGEST_MESSAGE = 1000;

const TABLES = { operations: FOLDER_TABLES.operations };
type Operation = RecordOf<(typeof TABLES)['operations']['fields']>;

export interface FolderRequestsOptions {
  readonly shared: SharedDoc;
  /** Runs work when all that was asked for before, in whatever folder, is done. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** Throws why it can't be done. */
  readonly carryOut: (order: FileOrder) => Promise<FileOutcome>;
  readonly clock: Clock;
}

/** Carries out what members ask for by records in the document of a folder: each once (`SPEC.md`, F3). */
export class FolderRequests {
  readonly #options: FolderRequestsOptions;
  readonly #operations: Tables<typeof TABLES>['operations'];
  /** What the records say that were accepted, or have ended. */
  readonly #accepted = new Map<string, Operation>();
  readonly #going = new Set<Promise<void>>();
  readonly #stop: () => void;
  #isClosed = false;

  constructor(options: FolderRequestsOptions) {
    const { doc } = options.shared;
    this.#options = options;
    this.#operations = openTables(doc, TABLES, (body) => doc.transact(body, 'server')).operations;
    this.#takeUp();
    this.#stop = watchTable(doc, 'operations', (id, origin, owner) => this.#heard(id, origin, owner));
  }

  /** True while something is to be done, and to be written down. */
  get isBusy(): boolean {
    return this.#going.size > 0;
  }

  /** Begins nothing more, and comes when what was begun is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await Promise.all(this.#going);
  }

  /** What a process before this one has left: nothing is done a second time, or for somebody of whom nobody knows any more who it was. */
  #takeUp(): void {
    const why: Readonly<Record<string, string>> = {
      requested: 'The server was started anew before it came to this. Ask again.',
      'in progress': 'The server ended while it was at this. Look whether it was done, and ask again if not.',
    };
    for (const { id, ...record } of this.#operations.records.get()) {
      const message = why[record.status.status];
      if (message === undefined) this.#accepted.set(id, record);
      else void this.#end(id, record, { status: 'error', message });
    }
  }

  #heard(id: string, origin: unknown, owner: string): void {
    if (origin === 'server') return;
    const accepted = this.#accepted.get(id);
    const record = this.#operations.get(id);
    // Who does not want to see it any more, need not; what is done, is done.
    if (!record && accepted?.endedAt !== '') this.#accepted.delete(id);
    else if (accepted) queueMicrotask(() => void this.#write(id, accepted));
    else if (record) this.#consider(id, record, origin, owner);
  }

  #consider(id: string, record: Operation, origin: unknown, owner: string): void {
    const asked: Operation = { ...record, owner, requestedAt: this.#now(), endedAt: '', content: '', status: { status: 'requested' } };
    const refuse = (message: string): void => queueMicrotask(() => void this.#end(id, asked, { status: 'error', message }));
    if (origin === BROUGHT) return refuse(LOST);
    if (origin !== 'execute') return refuse('Who asked for it may edit here, and not change files.');
    if (record.status.status !== 'requested' || !ID.test(id) || !isFresh(this.#options.shared.doc, 'operations', id))
      return refuse('Something is asked for by a new record, once.');
    if (this.#going.size >= MOST_WAITING) return refuse(`${MOST_WAITING} operations wait in this folder already. Ask again later.`);
    this.#accepted.set(id, asked);
    // What is to be done is what the record says now, before anybody can have changed it.
    const going = this.#carryOut(id, asked, { ...record, kind: record.kind as OperationKind }).finally(() => this.#going.delete(going));
    this.#going.add(going);
  }

  async #carryOut(id: string, asked: Operation, order: FileOrder): Promise<void> {
    // Out of the transaction in which it was heard.
    await Promise.resolve();
    void this.#write(id, asked);
    const status = await this.#options
      .inTurn(async (): Promise<OperationStatus | undefined> => {
        // Not before it is safe that it was begun: after a crash it is not done again.
        if (this.#isClosed || !(await this.#write(id, { ...asked, status: { status: 'in progress' } }))) return undefined;
        return { status: 'ok', ...(await this.#options.carryOut(order)) };
      })
      .catch((error: Error): OperationStatus => ({ status: 'error', message: error.message.slice(0, LONGEST_MESSAGE) }));
    if (status) await this.#end(id, asked, status);
  }

  async #end(id: string, asked: Operation, status: OperationStatus): Promise<void> {
    await this.#write(id, { ...asked, content: '', status, endedAt: this.#now() });
    const ended = [...this.#accepted]
      .filter(([, { endedAt }]) => endedAt !== '')
      .toSorted(([, a], [, b]) => (a.endedAt < b.endedAt ? -1 : 1));
    const old = ended.slice(0, Math.max(0, ended.length - KEPT));
    if (old.length === 0) return;
    for (const [each] of old) this.#accepted.delete(each);
    await this.#edit(() => old.forEach(([each]) => this.#operations.delete(each)));
  }

  /** Makes the record say this, whatever others wrote. True when it is safe. */
  #write(id: string, record: Operation): Promise<boolean> {
    this.#accepted.set(id, record);
    return this.#edit(() => putRecord(this.#operations, id, record));
  }

  async #edit(body: () => void): Promise<boolean> {
    // When the document can't be edited any more, it is opened anew, and what it says then is taken up.
    return this.#options.shared.edit(body).then(
      () => true,
      () => false,
    );
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}
