import { useSignal } from '@preact/signals';
import { memo } from 'preact/compat';
import { useMemo } from 'preact/hooks';
import { SharedEditor } from '../editor/shared-editor.tsx';
import { useValue } from '../rooms/use-value.ts';
import { markdownNodes } from './markdown.ts';
import type { NotebookActions } from './notebook-actions.ts';
import { Nodes, Outputs } from './outputs.tsx';
import { isGoing, type Execution } from './running.ts';
import { Question } from './question.tsx';

interface CellProps {
  readonly id: string;
  readonly number: number;
  readonly actions: NotebookActions;
  readonly language: string;
  readonly mayEdit: boolean;
  readonly mayRun: boolean;
  readonly execution: Execution | undefined;
  /** Runs it and goes on to the next. */
  readonly run: (id: string, goOn: boolean) => void;
  /** Shows why it failed. */
  readonly attempt: (work: Promise<void>) => void;
}

/** One cell: its source, what can be done with it, and what it has shown. */
export const Cell = memo(function Cell(props: CellProps) {
  const { id, number, actions, mayEdit, execution } = props;
  const record = useMemo(() => actions.room.tables.cells.record(id), [id, actions]);
  const cell = useValue(record);
  if (!cell) return null;
  const state = execution ? execution.status.status : cell.executionState === 'running' ? 'in progress' : '';
  return (
    <li class={`cell ${cell.type} ${isGoing(state) ? 'going' : ''}`} id={`cell-${id}`}>
      <section aria-label={`Cell ${number}`}>
        <div class="cell-head">
          <span class="cell-count" title={cell.type === 'code' ? 'Execution count' : undefined}>
            {cell.type === 'code' ? `[${cell.executionCount ?? ' '}]` : cell.type}
          </span>
          <span class={`cell-state ${state.replace(' ', '-')}`} role="status">
            {stateText(state, execution)}
          </span>
          {mayEdit && <CellTools {...props} type={cell.type} />}
        </div>
        <Source {...props} type={cell.type} text={cell.text} attachments={cell.attachments} />
        {execution && state === 'in progress' && <Question {...props} execution={execution.id} />}
        {cell.type === 'code' && <Outputs outputs={cell.outputs} />}
      </section>
    </li>
  );
});

function stateText(state: string, execution: Execution | undefined): string {
  if (state === 'requested') return 'Waiting…';
  if (state === 'in progress') return 'Running…';
  if (state === 'abort')
    return execution?.status.status === 'abort' && execution.status.message ? `Not run: ${execution.status.message}` : 'Not run';
  return state === 'error' ? 'Failed' : '';
}

function CellTools({ id, number, type, actions, mayRun, run }: CellProps & { type: string }) {
  return (
    <span class="cell-tools">
      {mayRun && type === 'code' && (
        <button type="button" aria-label={`Run cell ${number}`} title="Run (Shift+Enter)" onClick={() => run(id, false)}>
          ▶
        </button>
      )}
      <select aria-label={`Type of cell ${number}`} value={type} onChange={(event) => actions.setType(id, event.currentTarget.value)}>
        <option value="code">Code</option>
        <option value="markdown">Markdown</option>
        <option value="raw">Raw</option>
      </select>
      <button type="button" aria-label={`Move cell ${number} up`} title="Move up" onClick={() => actions.move(id, -1)}>
        ↑
      </button>
      <button type="button" aria-label={`Move cell ${number} down`} title="Move down" onClick={() => actions.move(id, 1)}>
        ↓
      </button>
      <button type="button" aria-label={`Add a cell below cell ${number}`} title="Add below" onClick={() => actions.add('code', id)}>
        +
      </button>
      <button type="button" aria-label={`Delete cell ${number}`} title="Delete" onClick={() => actions.remove(id)}>
        ✕
      </button>
    </span>
  );
}

interface SourceProps extends CellProps {
  readonly type: string;
  readonly text: string;
  readonly attachments: Parameters<typeof markdownNodes>[1];
}

function Source(props: SourceProps) {
  const { id, number, type, text, attachments, actions, language, mayEdit, mayRun, run } = props;
  const isOpen = useSignal(false);
  const shared = actions.room.tables.cells.text(id, 'text');
  if (type === 'markdown' && !(isOpen.value && mayEdit))
    return (
      <div class="cell-rendered" onDblClick={() => (isOpen.value = true)}>
        {text.trim() === '' ? (
          <p class="quiet">Nothing is written here yet.</p>
        ) : (
          <Nodes make={() => markdownNodes(text, attachments)} source={text + JSON.stringify(attachments ?? {}).length} />
        )}
        {mayEdit && (
          <button type="button" class="button plain small" aria-label={`Edit cell ${number}`} onClick={() => (isOpen.value = true)}>
            Edit
          </button>
        )}
      </div>
    );
  const isMarkdown = type === 'markdown';
  const done = (goOn: boolean) => (): boolean => {
    if (isMarkdown) isOpen.value = false;
    if (mayRun || isMarkdown) run(id, goOn);
    return mayRun || isMarkdown;
  };
  return (
    <>
      <SharedEditor
        room={actions.room}
        text={shared}
        label={`Source of cell ${number}`}
        language={isMarkdown ? 'markdown' : type === 'code' ? language : ''}
        readOnly={!mayEdit}
        keys={[
          ['Shift-Enter', done(true)],
          ['Mod-Enter', done(false)],
        ]}
      />
      {isMarkdown && (
        <button type="button" class="button plain small" aria-label={`Show cell ${number}`} onClick={() => (isOpen.value = false)}>
          Done
        </button>
      )}
    </>
  );
}
