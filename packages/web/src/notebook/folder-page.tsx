import { useSignal } from '@preact/signals';
import { useCallback, useEffect } from 'preact/hooks';
import type { Room } from '@bindery/rtc/room/room.ts';
import { FOLDER, type FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import { operate } from '@bindery/rtc/tables/operate.ts';
import type { BinderyError } from '@bindery/wire/errors.ts';
import { includes } from '@bindery/wire/roles.ts';
import { RoomPage } from '../rooms/room-page.tsx';
import { useValue } from '../rooms/use-value.ts';
import { Notice } from '../shell/notice.tsx';
import { problemOf } from '../shell/problem-of.ts';
import { Problem } from '../shell/problem.tsx';
import { Crumbs, notebookUrl } from './crumbs.tsx';
import { DeleteDialog, NameDialog } from './entry-dialogs.tsx';
import { EntryRow, type Attempt, type Entry } from './entry-row.tsx';
import type { JupyterClient } from './jupyter-client.ts';

const MINUTE = 60_000;

type FolderRoom = Room<typeof FOLDER_TABLES>;

/** What a person is asked before something is done. */
type Question = { readonly kind: 'notebook' | 'directory' } | { readonly kind: 'rename' | 'delete'; readonly entry: Entry };

/** What is in a folder, as it comes and goes; whoever may run code changes it from here. */
export function FolderPage({ room, client }: { room: FolderRoom; client: JupyterClient }) {
  const folder = useValue(room.tables.folders.record(FOLDER));
  const all = useValue(room.tables.contents.records);
  const role = useValue(room.state).role;
  const failure = useSignal<BinderyError | undefined>(undefined);
  const question = useSignal<Question | undefined>(undefined);
  const now = useMinutes();
  const mayChange = role !== undefined && includes(role, 'execute');
  const attempt = useCallback<Attempt>(
    async (operation) => {
      failure.value = undefined;
      try {
        return (await operate(room, operation)).path;
      } catch (error) {
        failure.value = problemOf(error);
        return undefined;
      }
    },
    [room],
  );
  const path = folder?.path ?? '';
  // As everywhere, a dot hides.
  const entries = all.filter(({ name }) => !name.startsWith('.'));
  const order = new Map(folder?.content.map((name, index) => [name, index]));
  const sorted = entries.toSorted((a, b) => rank(a) - rank(b) || (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
  return (
    <RoomPage
      room={room}
      title={path.split('/').at(-1) || 'All files'}
      lead={path === '' ? undefined : <Crumbs path={path} />}
      tools={mayChange && <Tools ask={(kind) => (question.value = { kind })} attempt={attempt} />}
    >
      {failure.value && <Problem error={failure.value} />}
      {folder && folder.error !== '' && (
        <Notice kind="bad" title="The folder can't be read">
          <p class="wrap">{folder.error}</p>
        </Notice>
      )}
      {folder && (
        <ul class="entries sheet" aria-label="Files">
          {sorted.map((entry) => (
            <EntryRow
              key={entry.id}
              entry={entry}
              now={now}
              client={client}
              mayChange={mayChange}
              ask={(kind) => (question.value = { kind, entry })}
              attempt={attempt}
            />
          ))}
        </ul>
      )}
      {folder?.error === '' && entries.length === 0 && <p class="quiet">This folder is empty.</p>}
      {folder && folder.more > 0 && <p class="quiet">{folder.more} more can't be shown here.</p>}
      {question.value && <Ask question={question.value} attempt={attempt} close={() => (question.value = undefined)} />}
    </RoomPage>
  );
}

/** The time, as it was less than a minute ago. */
function useMinutes(): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), MINUTE);
    return () => clearInterval(timer);
  }, [now]);
  return now.value;
}

/** Folders first. */
function rank({ type }: Entry): number {
  return type === 'directory' ? 0 : 1;
}

function Tools({ ask, attempt }: { ask: (kind: 'notebook' | 'directory') => void; attempt: Attempt }) {
  const upload = async (input: HTMLInputElement): Promise<void> => {
    for (const file of input.files ?? []) {
      const bytes = new Uint8Array(await file.arrayBuffer());
      await attempt({ kind: 'upload', name: file.name, content: base64(bytes) });
    }
    input.value = '';
  };
  return (
    <>
      <button type="button" class="button primary small" onClick={() => ask('notebook')}>
        New notebook
      </button>
      <button type="button" class="button small" onClick={() => ask('directory')}>
        New folder
      </button>
      <label class="button small">
        Upload
        <input type="file" class="hidden" multiple onChange={(event) => void upload(event.currentTarget)} />
      </label>
    </>
  );
}

function Ask({ question, attempt, close }: { question: Question; attempt: Attempt; close: () => void }) {
  const { kind } = question;
  if (kind === 'rename') {
    const { name } = question.entry;
    const rename = (to: string): void => void (to !== name && attempt({ kind: 'rename', name, to }));
    return <NameDialog title={`Rename ${name}`} label="New name" verb="Rename" initial={name} done={rename} close={close} />;
  }
  if (kind === 'delete') {
    const { name, type } = question.entry;
    return <DeleteDialog name={name} isFolder={type === 'directory'} done={() => void attempt({ kind, name })} close={close} />;
  }
  const make = async (name: string): Promise<void> => {
    const made = await attempt({ kind: 'create', type: kind, name: withEnding(name, kind) });
    if (made !== undefined && kind === 'notebook') location.assign(notebookUrl(made));
  };
  const what = kind === 'notebook' ? 'notebook' : 'folder';
  return <NameDialog title={`New ${what}`} label="Name" verb="Make it" initial="" done={(name) => void make(name)} close={close} />;
}

/** What is to be a notebook is called like one. */
function withEnding(name: string, kind: 'notebook' | 'directory'): string {
  return kind === 'directory' || name === '' || name.endsWith('.ipynb') ? name : `${name}.ipynb`;
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
