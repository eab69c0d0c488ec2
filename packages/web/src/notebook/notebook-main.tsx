import '../no-eval.ts';
import { render } from 'preact';
import { connect } from '@bindery/rtc/room/connect.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import type { Definitions } from '@bindery/rtc/tables/table.ts';
import { introduce } from '../rooms/people.ts';
import { Page } from '../shell/page.tsx';
import { problemOf } from '../shell/problem-of.ts';
import { Problem } from '../shell/problem.tsx';
import { JupyterClient } from './jupyter-client.ts';
import { FolderPage } from './folder-page.tsx';
import { NotebookPage } from './notebook-page.tsx';

/** The page lies at `<base of the Jupyter server>-/notebook`, and is that of a notebook (`?path=…`) or of a folder (`?folder=…`, or nothing). */
async function start(root: HTMLElement): Promise<void> {
  const asked = new URLSearchParams(location.search);
  const path = asked.get('path') ?? '';
  const client = new JupyterClient(new URL('../', location.href));
  try {
    if (path === '') {
      const { url } = await client.document(asked.get('folder') ?? '', 'directory');
      render(<FolderPage room={entered(connect({ url, tables: FOLDER_TABLES }))} client={client} />, root);
    } else {
      const document = await client.document(path);
      const room = entered(connect({ url: document.url, tables: NOTEBOOK_TABLES }));
      render(<NotebookPage room={room} client={client} document={document} />, root);
    }
  } catch (error) {
    const page = (
      <Page title="Notebook" heading={`The ${path === '' ? 'folder' : 'notebook'} can't be opened`}>
        <Problem error={problemOf(error)} retry={() => location.reload()} />
      </Page>
    );
    render(page, root);
  }
}

function entered<D extends Definitions>(room: Room<D>): Room<D> {
  introduce(room.awareness);
  addEventListener('pagehide', () => room.close());
  return room;
}

const root = document.getElementById('page');
if (root) {
  root.replaceChildren();
  void start(root);
}
