import { useSignal } from '@preact/signals';
import { useCallback, useMemo } from 'preact/hooks';
import type { BinderyError } from '@bindery/wire/errors.ts';
import { includes, type Role } from '@bindery/wire/roles.ts';
import { RoomPage, UndoButtons } from '../rooms/room-page.tsx';
import { useValue } from '../rooms/use-value.ts';
import { problemOf } from '../shell/problem-of.ts';
import { Problem } from '../shell/problem.tsx';
import { Cell } from './cell.tsx';
import { Crumbs } from './crumbs.tsx';
import type { JupyterClient, SharedDocument } from './jupyter-client.ts';
import { NotebookActions, type NotebookRoom } from './notebook-actions.ts';
import { isGoing, lastExecutions } from './running.ts';

/** A notebook that several edit and run at once. What somebody may not do is not offered; the server keeps them from it, whatever a page does. */
export function NotebookPage({ room, client, document }: { room: NotebookRoom; client: JupyterClient; document: SharedDocument }) {
  const actions = useMemo(() => new NotebookActions(room, client, document), [room, client, document]);
  const path = useValue(actions.path);
  const role = useValue(room.state).role;
  const failure = useSignal<BinderyError | undefined>(undefined);
  const attempt = useCallback((work: Promise<void>): void => {
    failure.value = undefined;
    work.catch((error: unknown) => {
      failure.value = problemOf(error);
    });
  }, []);
  return (
    <RoomPage
      room={room}
      title={path.split('/').at(-1) ?? path}
      lead={role && includes(role, 'execute') ? <Crumbs path={path} /> : path.includes('/') && <p class="wrap">{path}</p>}
      tools={role !== undefined && role !== 'read' && <Tools actions={actions} role={role} attempt={attempt} />}
    >
      {failure.value && <Problem error={failure.value} />}
      {role && <Cells actions={actions} role={role} attempt={attempt} />}
    </RoomPage>
  );
}

interface PartProps {
  readonly actions: NotebookActions;
  readonly role: Role;
  readonly attempt: (work: Promise<void>) => void;
}

function Tools({ actions, role, attempt }: PartProps) {
  const { room } = actions;
  const executions = useValue(room.tables.executions.records);
  const going = executions.filter(({ status }) => isGoing(status.status)).length;
  return (
    <>
      <UndoButtons room={room} />
      {includes(role, 'execute') && (
        <>
          <button type="button" class="button small" onClick={() => attempt(actions.run(room.tables.cells.ids.get()))}>
            Run all
          </button>
          <button type="button" class="button small" disabled={going === 0} onClick={() => actions.interrupt()}>
            Stop
          </button>
          <button type="button" class="button small" onClick={() => attempt(actions.restart())}>
            Restart kernel
          </button>
        </>
      )}
    </>
  );
}

function Cells({ actions, role, attempt }: PartProps) {
  const { cells, executions, notebooks } = actions.room.tables;
  const ids = useValue(cells.ids);
  const [notebook] = useValue(notebooks.records);
  const last = lastExecutions(useValue(executions.records));
  const [mayEdit, mayRun] = [role !== 'read', includes(role, 'execute')];
  const run = useCallback(
    (id: string, goOn: boolean) => {
      if (cells.get(id)?.type === 'code') attempt(actions.run([id]));
      const all = cells.ids.get();
      const next = all[all.indexOf(id) + 1];
      if (goOn) focusCell(next ?? (mayEdit ? actions.add('code', id) : id));
    },
    [actions, mayEdit],
  );
  const info = notebook?.metadata['language_info'] as { name?: unknown } | undefined;
  const spec = notebook?.metadata['kernelspec'] as { language?: unknown } | undefined;
  const language = [info?.name, spec?.language].find((each) => typeof each === 'string') ?? 'python';
  return (
    <>
      {mayEdit && !mayRun && <p class="quiet">You may edit this notebook. Its cells are run by those who may run code.</p>}
      <ol class="cells" aria-label="Cells">
        {ids.map((id, index) => (
          <Cell
            key={id}
            id={id}
            number={index + 1}
            actions={actions}
            language={language}
            mayEdit={mayEdit}
            mayRun={mayRun}
            execution={last.get(id)}
            run={run}
            attempt={attempt}
          />
        ))}
      </ol>
      {ids.length === 0 && <p class="quiet">This notebook has no cells.</p>}
      {mayEdit && (
        <p class="actions">
          <button type="button" class="button small" onClick={() => focusCell(actions.add('code', ids.at(-1)))}>
            Add code
          </button>
          <button type="button" class="button small" onClick={() => focusCell(actions.add('markdown', ids.at(-1)))}>
            Add text
          </button>
        </p>
      )}
    </>
  );
}

/** Goes to a cell's editor, when it has been drawn. */
function focusCell(id: string): void {
  requestAnimationFrame(() => {
    const cell = document.getElementById(`cell-${id}`);
    cell?.querySelector<HTMLElement>('.cm-content')?.focus();
    cell?.scrollIntoView({ block: 'nearest' });
  });
}
