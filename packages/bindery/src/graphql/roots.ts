import { BinderyError } from '@bindery/wire/errors.ts';
import { isObject, type Json } from '@bindery/rtc/json.ts';
import { jsonOf } from '@bindery/rtc/shared-json.ts';
import { metaOf } from '@bindery/rtc/notebook/shared-notebook.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import { CellEdits, noCell, type Change, type Place } from './cell-edits.ts';
import { cellChanges, executionChanges, NotebookChanges } from './changes.ts';
import { EVERYBODY, SERVER, type Desk } from './desk.ts';
import { Feed, type Flow, type Source } from './feed.ts';
import { executionIn, NotebookView, rowsOf, type CellView, type ExecutionView } from './notebook-view.ts';
import { MOST_AT_ONCE } from './part.ts';
import { presenceIn } from './presence.ts';
import { kernelsIn, kernelspecsIn, kernelWith, sessionsIn } from './server-view.ts';

interface OfNotebook {
  readonly path: string;
}
interface OfCell extends OfNotebook {
  readonly cell: string;
}
interface OfExecution extends OfNotebook {
  readonly execution: string;
}
interface OfKernel {
  readonly kernel: string;
}

/** What the type Query has, for a guest. */
export function queries(desk: Desk) {
  return {
    me: () => ({ role: desk.role, path: desk.path }),
    notebooks: async ({ folder, first }: { folder?: string | null; first: number }) => {
      if (first < 0 || first > MOST_AT_ONCE)
        throw new BinderyError('request_invalid', `At most ${MOST_AT_ONCE} notebooks are listed (first).`, { hint: 'Name a folder.' });
      return desk.notebooks(folder ?? undefined, first);
    },
    notebook: async ({ path }: OfNotebook) => notebookAt(desk, path),
    kernels: async () => kernelsIn((await desk.server()).doc),
    sessions: async () => sessionsIn((await desk.server()).doc),
    kernelspecs: async () => kernelspecsIn((await desk.server()).doc),
    presence: async ({ path }: { path?: string | null }) => presenceIn(await desk.room(await peopleOf(desk, path))),
  };
}

/** What the type Mutation has, for a guest. */
export function mutations(desk: Desk) {
  const edits = async (path: string): Promise<{ id: string; room: RelayRoom; cells: CellEdits }> => {
    desk.must('edit');
    const { id, room } = await opened(desk, path);
    return { id, room, cells: new CellEdits(room) };
  };
  return {
    createNotebook: async ({ path, kernel }: OfNotebook & { kernel?: string | null }) => {
      await desk.create(path, kernel ?? undefined);
      return notebookAt(desk, path);
    },
    renameNotebook: async ({ path, to }: OfNotebook & { to: string }) => {
      await desk.rename(path, to);
      return notebookAt(desk, to);
    },
    deleteNotebook: async ({ path }: OfNotebook) => {
      await desk.remove(path);
      return path;
    },
    insertCell: async ({ path, type, source, ...place }: OfNotebook & Place & { type: string; source: string }) => {
      const { id, room, cells } = await edits(path);
      return cellIn(desk, id, room, await cells.insert(type, source, place));
    },
    changeCell: async ({ path, cell, ...change }: OfCell & Change) => {
      const { id, room, cells } = await edits(path);
      await cells.change(cell, change);
      return cellIn(desk, id, room, cell);
    },
    moveCell: async ({ path, cell, ...place }: OfCell & Place) => {
      const { id, room, cells } = await edits(path);
      await cells.move(cell, place);
      return cellIn(desk, id, room, cell);
    },
    deleteCell: async ({ path, cell }: OfCell) => {
      await (await edits(path)).cells.remove(cell);
      return cell;
    },
    runCell: async (asked: OfCell & { kernel?: string | null; sourceHash?: string | null; allowStdin: boolean }) => {
      desk.must('execute');
      const { id, room } = await opened(desk, asked.path);
      if (!rowsOf(room.doc).has(asked.cell)) throw noCell(asked.cell);
      const { sourceHash, allowStdin, cell } = asked;
      const kernel = await desk.startKernel(desk.pathOf(id) ?? asked.path, asked.kernel ?? kernelNamed(room));
      const order = { document: id, cell, kernel, allowStdin };
      const execution = await desk.run(typeof sourceHash === 'string' ? { ...order, sourceHash } : order);
      return mustExecution(desk, room, execution);
    },
    cancelExecution: async ({ path, execution }: OfExecution) => {
      desk.must('execute');
      return desk.cancel(await desk.documentOf(path), execution);
    },
    interruptKernel: async ({ kernel }: OfKernel) => {
      await desk.interrupt(kernel);
      return kernelWith(desk, kernel);
    },
    restartKernel: async ({ kernel }: OfKernel) => {
      await desk.restart(kernel);
      return kernelWith(desk, kernel);
    },
    answerInput: async ({ path, question, value }: OfNotebook & { question: string; value: string }) => {
      desk.must('execute');
      await desk.answer(await desk.documentOf(path), question, value);
      return question;
    },
  };
}

/** What the type Subscription has, for a guest who takes it as fast as `flow` says. */
export function subscriptions(desk: Desk, flow: Flow) {
  const follow = async <T>(document: string, source: Source<T>): Promise<Feed<T>> =>
    Feed.open({ stay: async (ended) => desk.stay(document, ended), source, flow });
  return {
    notebook: async ({ path }: OfNotebook) => {
      const id = await desk.documentOf(path);
      return follow(id, new NotebookChanges(desk, id));
    },
    cell: async ({ path, cell }: OfCell) => {
      const { id, room } = await opened(desk, path);
      if (!rowsOf(room.doc).has(cell)) throw noCell(cell);
      return follow(id, cellChanges(desk, id, cell));
    },
    execution: async ({ path, execution }: OfExecution) => {
      const { id, room } = await opened(desk, path);
      mustExecution(desk, room, execution);
      return follow(id, executionChanges(desk, id, execution));
    },
    kernels: async () => {
      desk.must('execute');
      await desk.server();
      return follow(SERVER, {
        watch: ({ doc }, changed) => watchTables(doc, changed),
        read: ({ doc }) => ({ value: kernelsIn(doc) }),
      });
    },
    presence: async ({ path }: { path?: string | null }) =>
      follow(await peopleOf(desk, path), {
        watch: (room, changed) => room.watchStates(changed),
        read: (room) => ({ value: presenceIn(room) }),
      }),
  };
}

function watchTables(doc: RelayRoom['doc'], changed: () => void): () => void {
  const kernels = doc.getMap('table:kernels');
  kernels.observeDeep(changed);
  return () => kernels.unobserveDeep(changed);
}

async function opened(desk: Desk, path: string): Promise<{ readonly id: string; readonly room: RelayRoom }> {
  const id = await desk.documentOf(path);
  return { id, room: await desk.room(id) };
}

async function notebookAt(desk: Desk, path: string): Promise<NotebookView> {
  const { id, room } = await opened(desk, path);
  return new NotebookView(desk, id, room);
}

function cellIn(desk: Desk, id: string, room: RelayRoom, cell: string): CellView {
  const view = new NotebookView(desk, id, room).cell({ id: cell });
  // Somebody was faster.
  if (!view) throw noCell(cell);
  return view;
}

function mustExecution(desk: Desk, room: RelayRoom, id: string): ExecutionView {
  const view = executionIn(desk, room.doc, id);
  if (!view)
    throw new BinderyError('not_found', `The notebook has no execution ${id}.`, { hint: 'Three ended ones of each cell are kept.' });
  return view;
}

/** The kernelspec that a notebook names. */
function kernelNamed({ doc }: RelayRoom): string | undefined {
  const metadata = jsonOf(metaOf(doc).get('metadata'));
  const spec: Json | undefined = isObject(metadata) ? metadata['kernelspec'] : undefined;
  const name = isObject(spec) ? spec['name'] : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

async function peopleOf(desk: Desk, path: string | null | undefined): Promise<string> {
  return typeof path === 'string' ? desk.documentOf(path) : EVERYBODY;
}
