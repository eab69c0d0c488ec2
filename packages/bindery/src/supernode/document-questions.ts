import { isObject, portable, type JsonObject } from '@bindery/rtc/json.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { SharedDoc } from './shared-doc.ts';
import { watchTable } from './table-watch.ts';

/** Records of questions that have their answer and stay for who asked to see, and characters of an answer. */
const KEPT = 20;
const LONGEST = 256 * 1024;

const TABLES = { completions: NOTEBOOK_TABLES.completions, inspections: NOTEBOOK_TABLES.inspections };

/** Asks a kernel on its shell; undefined where there is no answer. */
export type Ask = (kernel: string, type: string, content: JsonObject) => Promise<JsonObject | undefined>;

/** Has a kernel answer the requests for completion and inspection that members write into a document (`SPEC.md`, X4). */
export class DocumentQuestions {
  readonly #shared: SharedDoc;
  readonly #ask: Ask;
  readonly #tables: Tables<typeof TABLES>;
  readonly #stops: readonly (() => void)[];
  readonly #asked = new Set<string>();

  constructor(shared: SharedDoc, ask: Ask) {
    const { doc } = shared;
    this.#shared = shared;
    this.#ask = ask;
    this.#tables = openTables(doc, TABLES, (body) => doc.transact(body, 'server'));
    void this.#shared.edit(() => this.#failOld()).catch(() => undefined);
    this.#stops = [
      watchTable(doc, 'completions', (id, origin) => void this.#heard('completions', id, origin)),
      watchTable(doc, 'inspections', (id, origin) => void this.#heard('inspections', id, origin)),
    ];
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  /** Nobody is waiting any more for what a process before this one was asked. */
  #failOld(): void {
    const { completions, inspections } = this.#tables;
    for (const table of [completions, inspections])
      for (const { id, status } of table.records.get()) if (status === 'requested') table.update(id, { status: 'failed' });
  }

  async #heard(name: keyof typeof TABLES, id: string, origin: unknown): Promise<void> {
    const record = this.#tables[name].get(id);
    if (!record?.kernel || record.status !== 'requested' || this.#asked.has(id)) return;
    const { code, cursor, kernel } = record;
    this.#asked.add(id);
    const detail: JsonObject = 'detail' in record && typeof record.detail === 'number' ? { detail_level: record.detail } : {};
    const type = name === 'completions' ? 'complete_request' : 'inspect_request';
    const isAllowed = origin === 'execute' || origin === 'server';
    const answer = isAllowed ? await this.#ask(kernel.id, type, { code, cursor_pos: cursor, ...detail }) : undefined;
    await Promise.resolve();
    const said = answer && JSON.stringify(answer).length <= LONGEST ? (portable(answer) as JsonObject) : undefined;
    await this.#shared
      .edit(() => {
        if (name === 'completions') this.#complete(id, said);
        else this.#inspect(id, said);
        this.#prune(name);
      })
      .catch(() => undefined);
    this.#asked.delete(id);
  }

  #complete(id: string, answer: JsonObject | undefined): void {
    const { completions } = this.#tables;
    if (!completions.get(id)) return;
    const { matches, cursor_start: start, cursor_end: end, metadata } = answer ?? {};
    const values = Array.isArray(matches) ? (matches as readonly unknown[]).filter((match) => typeof match === 'string') : [];
    completions.update(id, {
      status: answer?.['status'] === 'ok' ? 'done' : 'failed',
      matches: { index: 0, remove: completions.get(id)?.matches.length ?? 0, values },
      start: typeof start === 'number' ? start : 0,
      end: typeof end === 'number' ? end : 0,
      metadata: isObject(metadata) ? metadata : {},
    });
  }

  #inspect(id: string, answer: JsonObject | undefined): void {
    const { inspections } = this.#tables;
    if (!inspections.get(id)) return;
    const { found, data, metadata } = answer ?? {};
    inspections.update(id, {
      status: answer?.['status'] === 'ok' ? 'done' : 'failed',
      result: found === true && isObject(data) ? { data, metadata: isObject(metadata) ? metadata : {} } : null,
    });
  }

  #prune(name: keyof typeof TABLES): void {
    const done = this.#tables[name].records.get().filter(({ status }) => status !== 'requested');
    for (const { id } of done.slice(0, Math.max(0, done.length - KEPT))) this.#tables[name].delete(id);
  }
}
