import { isObject, portable, type Json, type JsonObject } from '@bindery/rtc/json.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type Tables } from '@bindery/rtc/tables/table.ts';
import type { KernelMessage } from './kernel-messages.ts';
import type { SharedDoc } from './shared-doc.ts';

const QUIET_MS = 50;
/** Comms of one document, and characters of the state of one. */
const MOST = 2000;
const LONGEST = 1024 * 1024;

const TABLES = { comms: NOTEBOOK_TABLES.comms };
type KernelRef = { readonly id: string; readonly session: number };

interface Comm {
  target: string;
  kernel: KernelRef;
  data: Json;
  isOpen: boolean;
}

/** Keeps in a document what the comms are that its code opened, and the state of its widgets (`SPEC.md`, X4). */
export class DocumentComms {
  readonly #shared: SharedDoc;
  readonly #tables: Tables<typeof TABLES>;
  readonly #changed = new Map<string, Comm>();
  #timer: NodeJS.Timeout | undefined;

  constructor(shared: SharedDoc) {
    this.#shared = shared;
    this.#tables = openTables(shared.doc, TABLES, (body) => shared.doc.transact(body, 'server'));
  }

  has(comm: string): boolean {
    return this.#changed.has(comm) || this.#tables.comms.get(comm) !== undefined;
  }

  /** Takes `comm_open`, `comm_msg` and `comm_close` of a kernel. */
  take({ header: { msg_type: type }, content, buffers }: KernelMessage, kernel: KernelRef): void {
    const { comm_id: id, data, target_name: target } = content;
    if (typeof id !== 'string' || id === '') return;
    const known = this.#changed.get(id) ?? this.#tables.comms.get(id);
    const said = isObject(data) ? (portable(data) as JsonObject) : {};
    if (type === 'comm_open' && (known || this.#tables.comms.ids.get().length + this.#changed.size < MOST)) {
      this.#change(id, { target: typeof target === 'string' ? target : '', kernel, data: merged({}, said, buffers), isOpen: true });
    } else if (!known?.kernel) return;
    else if (type === 'comm_close') this.#change(id, { ...known, kernel: known.kernel, data: null, isOpen: false });
    else if (said['method'] === 'update' || said['method'] === 'echo_update')
      this.#change(id, { ...known, kernel: known.kernel, data: merged(isObject(known.data) ? known.data : {}, said, buffers) });
  }

  /** The kernel has begun another life, or is gone. */
  closeAll(kernel: string): void {
    for (const { id, ...comm } of this.#tables.comms.records.get())
      if (comm.isOpen && comm.kernel?.id === kernel) this.#change(id, { ...comm, kernel: comm.kernel, data: null, isOpen: false });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #change(id: string, comm: Comm): void {
    this.#changed.set(id, comm);
    this.#timer ??= setTimeout(() => this.#write(), QUIET_MS);
  }

  #write(): void {
    this.#timer = undefined;
    const changed = [...this.#changed];
    this.#changed.clear();
    const { comms } = this.#tables;
    const write = (): void => {
      for (const [id, comm] of changed) {
        if (comms.get(id)) comms.update(id, { data: comm.data, isOpen: comm.isOpen });
        else comms.create(comm, { id });
      }
      const closed = comms.records.get().filter(({ isOpen }) => !isOpen);
      for (const { id } of closed.slice(0, Math.max(0, closed.length - MOST / 10))) comms.delete(id);
    };
    this.#shared.edit(write).catch(() => undefined);
  }
}

/** State with what a message changes of it; binary parts as the notebook format keeps them for widgets. One that is too long is left out. */
function merged(before: JsonObject, { state, buffer_paths: paths }: JsonObject, buffers: readonly Uint8Array[]): Json {
  const places = Array.isArray(paths) ? (paths as readonly Json[]) : [];
  const names = new Set(places.map((place) => JSON.stringify(place)));
  const kept = Array.isArray(before['buffers']) ? (before['buffers'] as readonly JsonObject[]) : [];
  const next = {
    state: { ...(isObject(before['state']) ? before['state'] : {}), ...(isObject(state) ? state : {}) },
    buffers: [
      ...kept.filter(({ path = null }) => !names.has(JSON.stringify(path))),
      ...places.map((path, index) => ({ encoding: 'base64', path, data: Buffer.from(buffers[index] ?? []).toString('base64') })),
    ],
  };
  return JSON.stringify(next).length <= LONGEST ? next : { state: before['state'] ?? {}, buffers: kept };
}
