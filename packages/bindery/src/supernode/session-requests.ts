import { z } from 'zod';
import { SERVER_TABLES } from '@bindery/rtc/tables/jupyter.ts';
import { openTables, type RecordOf, type Tables } from '@bindery/rtc/tables/table.ts';
import { inFolder, knownName } from './entry-names.ts';
import { JupyterError, succeeded, type JupyterServer } from './jupyter-server.ts';
import type { SharedDoc } from './shared-doc.ts';
import { BROUGHT, LOST, watchTable } from './table-watch.ts';

const TABLES = { sessions: SERVER_TABLES.sessions };
type Session = RecordOf<(typeof TABLES)['sessions']['fields']>;
type Request = Session & { readonly state: { readonly label: 'requested' } };

/** Requests that may wait, and those that failed and stay to be seen. */
const MOST = 100;
const Started = z.object({ kernel: z.object({ id: z.string() }).nullish() });

export interface SessionRequestsOptions {
  readonly shared: SharedDoc;
  readonly server: Pick<JupyterServer, 'ask'>;
  /** Comes when the document says what the server says. */
  readonly look: () => Promise<void>;
}

/** Has kernels started for what members ask for by records of `sessions` (`SPEC.md`, X5.4). */
export class SessionRequests {
  readonly #options: SessionRequestsOptions;
  readonly #sessions: Tables<typeof TABLES>['sessions'];
  readonly #asked = new Set<string>();
  readonly #stop: () => void;

  constructor(options: SessionRequestsOptions) {
    const { doc } = options.shared;
    this.#options = options;
    this.#sessions = openTables(doc, TABLES, (body) => doc.transact(body, 'server')).sessions;
    for (const { id, ...session } of this.#sessions.records.get())
      // Who asked for it nobody knows any more, nor whether it was done.
      if (isRequest(session)) this.#fail(id, 'The server was started anew meanwhile. Look whether the kernel runs, and ask again if not.');
      else if (session.state.label === 'failed') this.#asked.add(id);
    this.#stop = watchTable(doc, 'sessions', (id, origin, owner) => this.#heard(id, origin, owner));
  }

  /** True for what is a request, and none of the server's sessions. */
  has(id: string): boolean {
    return this.#asked.has(id);
  }

  close(): void {
    this.#stop();
  }

  #heard(id: string, origin: unknown, owner: string): void {
    const record = this.#sessions.get(id);
    if (!record) this.#asked.delete(id);
    if (!record || origin === 'server' || this.#asked.has(id) || !isRequest(record)) return;
    this.#asked.add(id);
    // Out of the transaction in which it was heard.
    queueMicrotask(() => {
      if (origin === BROUGHT) this.#fail(id, LOST);
      else if (origin !== 'execute') this.#fail(id, 'Who asked for it may edit here, and not run code.');
      else if (this.#asked.size > MOST) this.#fail(id, `${MOST} wait or have failed already. Take some out.`);
      else void this.#start(id, record, owner);
    });
  }

  async #start(id: string, record: Request, owner: string): Promise<void> {
    try {
      await this.#options.shared.edit(() => this.#update(id, { owner }));
      const path = record.path.split('/').map(knownName).reduce(inFolder, '');
      const { name } = record.state.kernel;
      const order = { path, name: record.name || path, type: record.type || 'notebook', kernel: name === '' ? {} : { name } };
      const text = succeeded(await this.#options.server.ask('POST', 'api/sessions', JSON.stringify(order)));
      if (!Started.parse(JSON.parse(text)).kernel) throw new JupyterError(502, 'The Jupyter server started no kernel.');
      await this.#options.look();
      // The session is there by its own name.
      await this.#options.shared.edit(() => void this.#sessions.delete(id));
    } catch (error) {
      this.#fail(id, (error as Error).message);
    }
  }

  #fail(id: string, message: string): void {
    this.#asked.add(id);
    // When the document can't be edited any more, it is opened anew, and what it says then is taken up.
    this.#options.shared
      .edit(() => this.#update(id, { state: { label: 'failed', message: message.slice(0, 1000) } }))
      .catch(() => undefined);
  }

  #update(id: string, patch: Parameters<Tables<typeof TABLES>['sessions']['update']>[1]): void {
    if (this.#sessions.get(id)) this.#sessions.update(id, patch);
  }
}

function isRequest(session: Session): session is Request {
  return session.state.label === 'requested';
}
