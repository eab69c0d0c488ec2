import '../no-eval.ts';
import { render } from 'preact';
import { connect } from '@bindery/rtc/room/connect.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { introduce } from '../rooms/people.ts';
import { Page } from '../shell/page.tsx';
import { Problem } from '../shell/problem.tsx';
import { JupyterClient } from './jupyter-client.ts';
import { NotebookPage } from './notebook-page.tsx';

/** The page lies at `<base of the Jupyter server>-/notebook?path=…`. */
async function start(root: HTMLElement): Promise<void> {
  const path = new URLSearchParams(location.search).get('path') ?? '';
  const client = new JupyterClient(new URL('../', location.href));
  try {
    if (path === '')
      throw new BinderyError('not_found', 'The address of this page names no notebook.', { hint: 'It ends in ?path=<notebook>.' });
    const document = await client.document(path);
    const room = connect({ url: document.url, tables: NOTEBOOK_TABLES });
    introduce(room.awareness);
    addEventListener('pagehide', () => room.close());
    render(<NotebookPage room={room} client={client} document={document} />, root);
  } catch (error) {
    const told = error instanceof BinderyError ? error : new BinderyError('internal', String(error));
    const page = (
      <Page title="Notebook" heading="The notebook can't be opened">
        <Problem error={told} retry={() => location.reload()} />
      </Page>
    );
    render(page, root);
  }
}

const root = document.getElementById('page');
if (root) {
  root.replaceChildren();
  void start(root);
}
