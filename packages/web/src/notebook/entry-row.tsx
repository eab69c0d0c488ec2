import type { FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import type { Operation } from '@bindery/rtc/tables/operate.ts';
import type { RecordOf } from '@bindery/rtc/tables/table.ts';
import { ago, bytes } from '../time.ts';
import { folderUrl, notebookUrl } from './crumbs.tsx';
import type { JupyterClient } from './jupyter-client.ts';

export type Entry = RecordOf<(typeof FOLDER_TABLES)['contents']['fields']> & { readonly id: string };

/** Has it done; comes with the path that it led to, or nothing where it failed and that is shown. */
export type Attempt = (operation: Operation) => Promise<string | undefined>;

const KINDS = { directory: 'Folder', notebook: 'Notebook', file: 'File' } as const;

/** A file or folder, and what can be done to it. */
export function EntryRow({ entry, now, client, mayChange, ask, attempt }: EntryRowProps) {
  const { name, path, type, size, lastModified } = entry;
  const href = type === 'directory' ? folderUrl(path) : type === 'notebook' ? notebookUrl(path) : client.fileUrl(path);
  return (
    <li class={`entry ${type ?? 'file'}`}>
      <span class="entry-kind" aria-hidden="true" />
      <span class="entry-text">
        <a href={href} class="wrap">
          <span class="hidden">{KINDS[type ?? 'file']} </span>
          {name}
        </a>
        <span class="quiet small">
          {[type !== 'directory' && size !== null && bytes(size), lastModified !== '' && ago(lastModified, now)]
            .filter((part) => part !== false)
            .join(' · ')}
        </span>
      </span>
      {mayChange && (
        <span class="entry-tools">
          <button type="button" aria-label={`Rename ${name}`} onClick={() => ask('rename')}>
            Rename
          </button>
          {type !== 'directory' && (
            <button type="button" aria-label={`Copy ${name}`} onClick={() => void attempt({ kind: 'copy', name })}>
              Copy
            </button>
          )}
          <button type="button" aria-label={`Delete ${name}`} onClick={() => ask('delete')}>
            Delete
          </button>
        </span>
      )}
    </li>
  );
}

interface EntryRowProps {
  entry: Entry;
  /** The time, in milliseconds. */
  now: number;
  client: JupyterClient;
  mayChange: boolean;
  ask: (kind: 'rename' | 'delete') => void;
  attempt: Attempt;
}
