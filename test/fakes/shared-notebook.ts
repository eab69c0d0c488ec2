import type { JsonObject } from '@bindery/rtc/json.ts';
import type { Cell } from '@bindery/rtc/notebook/notebook.ts';
import { cellsOf, fillNotebook, readNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';
import { openLocal } from '@bindery/rtc/room/local.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables } from '@bindery/rtc/tables/table.ts';
import { AUTHOR } from '../../packages/bindery/src/relay/occupant.ts';
import type { SharedDoc } from '../../packages/bindery/src/supernode/shared-doc.ts';
import { until } from './until.ts';

/** Code cells with these sources and the ids `c0`, `c1` … */
export function codeCells(sources: readonly string[]): Cell[] {
  return sources.map((source, index) => ({
    id: `c${index}`,
    type: 'code',
    source,
    metadata: {},
    outputs: [],
    executionCount: null,
    extra: {},
  }));
}

/** A notebook in a document, and whatever is looked for in it. */
export class SharedNotebook {
  readonly shared: SharedDoc;

  /** Without a document of its own it is one in memory. */
  constructor(sources: readonly string[], shared: SharedDoc = inMemory()) {
    this.shared = shared;
    if (cellsOf(shared.doc).length > 0) return;
    void shared.edit(() => fillNotebook(shared.doc, { minor: 5, metadata: {}, extra: {}, cells: codeCells(sources) }));
  }

  get doc(): SharedDoc['doc'] {
    return this.shared.doc;
  }

  /** The tables as somebody has them who may do what the origin says. @param owner whom the relay knows him to be */
  as(origin: 'execute' | 'edit' | 'server', owner = '') {
    return openTables(this.doc, NOTEBOOK_TABLES, (body) =>
      this.doc.transact(({ meta }) => {
        meta.set(AUTHOR, { owner, made: () => true });
        return body();
      }, origin),
    );
  }

  cell(id: string): Cell {
    const found = readNotebook(this.doc).cells.find((cell) => cell.id === id);
    if (!found) throw new Error(`no cell ${id}`);
    return found;
  }

  /** The streams of a cell, one after the other. */
  text(id: string): string {
    const outputs = readNotebook(this.doc).cells.find((cell) => cell.id === id)?.outputs ?? [];
    return outputs.map((output) => (output['text'] as string | undefined) ?? '').join('');
  }

  data(id: string): JsonObject[] {
    return this.cell(id).outputs.flatMap((output) => (output['data'] === undefined ? [] : [output['data'] as JsonObject]));
  }

  record(id: string) {
    const record = this.as('server').executions.get(id);
    if (!record) throw new Error(`no execution ${id}`);
    return record;
  }

  status(id: string): string {
    return this.as('server').executions.get(id)?.status.status ?? 'none';
  }

  /** Waits for the end of an execution, and returns how it ended. */
  async ended(id: string, withinMs = 30_000) {
    await until(`the end of ${id}`, () => !['requested', 'in progress', 'none'].includes(this.status(id)), {
      withinMs,
      seen: () => this.record(id),
    });
    return this.record(id).status;
  }
}

function inMemory(): SharedDoc {
  const { doc } = openLocal({ tables: {} });
  return { doc, edit: async (body) => doc.transact(body, 'server') };
}
