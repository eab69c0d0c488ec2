import type * as Y from 'yjs';
import { isObject, type JsonObject } from '@bindery/rtc/json.ts';
import { SERVER_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { Asked } from './budget.ts';
import type { Desk } from './desk.ts';

const TABLES = { kernels: SERVER_TABLES.kernels, sessions: SERVER_TABLES.sessions, kernelspecs: SERVER_TABLES.kernelspecs };
type KernelRecord = NonNullable<ReturnType<Tables<typeof TABLES>['kernels']['get']>>;

/** Of each document, as long as it is in memory. */
const opened = new WeakMap<Y.Doc, Tables<typeof TABLES>>();

function tablesOf(doc: Y.Doc): Tables<typeof TABLES> {
  const tables = opened.get(doc) ?? openTables(doc, TABLES, (body) => doc.transact(body, 'server'));
  opened.set(doc, tables);
  return tables;
}

export type KernelView = ReturnType<typeof kernelView>;

/** A kernel; what the server has not said of it is empty. */
function kernelView(id: string, record: Partial<KernelRecord> = {}) {
  const { name = '', status = 'starting', lastActivity = '', connections = 0, session = 0, info = null } = record;
  return {
    id,
    name,
    status,
    lastActivity,
    connections,
    restarts: session,
    info: (_: unknown, { budget }: Asked): JsonObject | null => (info === null ? null : budget.spend(info)),
  };
}

/** The kernels of a server, by its tables. */
export function kernelsIn(doc: Y.Doc): KernelView[] {
  return tablesOf(doc)
    .kernels.records.get()
    .map((record) => kernelView(record.id, record));
}

export async function kernelWith(desk: Desk, id: string): Promise<KernelView> {
  const { doc } = await desk.server();
  return kernelView(id, tablesOf(doc).kernels.get(id));
}

export function sessionsIn(doc: Y.Doc) {
  const { sessions, kernels } = tablesOf(doc);
  return sessions.records.get().map(({ id, path, name, type, state }) => ({
    id,
    path,
    name,
    type,
    kernel: state.label === 'created' ? kernelView(state.kernelId, kernels.get(state.kernelId)) : null,
  }));
}

export function kernelspecsIn(doc: Y.Doc) {
  return tablesOf(doc)
    .kernelspecs.records.get()
    .flatMap(({ id: name, kernelspec }) => {
      if (!isObject(kernelspec)) return [];
      const spec = isObject(kernelspec['spec']) ? kernelspec['spec'] : {};
      const { display_name: displayName, language } = spec;
      const words = {
        displayName: typeof displayName === 'string' ? displayName : name,
        language: typeof language === 'string' ? language : '',
      };
      return [{ name, ...words, isDefault: kernelspec['default'] === true }];
    });
}
