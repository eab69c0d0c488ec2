import { useSignal } from '@preact/signals';
import type { SessionView, ShareLink } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import type { Role } from '@bindery/wire/roles.ts';
import { addressForm } from '../launch/session-address.ts';
import { CopyButton } from '../shell/copy-button.tsx';
import { Dialog } from '../shell/dialog.tsx';
import { repoName } from './session-words.ts';

/** What somebody with the link may do, in words. */
const ROLE_WORDS: readonly (readonly [Role, string])[] = [
  ['execute', 'Work in it as you do: edit, run code, use terminals'],
  ['edit', 'Edit one notebook, run nothing'],
  ['read', 'Read one notebook'],
];
const HOUR = 3600;
const LENGTHS: readonly (readonly [number, string])[] = [
  [HOUR, 'an hour'],
  [24 * HOUR, 'a day'],
  [7 * 24 * HOUR, 'a week'],
];

/** Makes a link by which others come into a session. */
export function ShareDialog({ session, hub, close }: { session: SessionView; hub: HubClient; close: () => void }) {
  const role = useSignal<Role>('execute');
  const seconds = useSignal(24 * HOUR);
  const path = useSignal('');
  const link = useSignal<ShareLink | undefined>(undefined);
  const problem = useSignal('');
  const make = async (): Promise<void> => {
    problem.value = '';
    try {
      const form = await addressForm(session.id, location);
      link.value = await hub.shareSession(session.id, { role: role.value, seconds: seconds.value, path: path.value.trim(), form });
    } catch (error) {
      problem.value = error instanceof BinderyError ? error.message : 'The link could not be made.';
    }
  };
  const isOne = role.value !== 'execute';
  return (
    <Dialog title={`Share ${repoName(session.repoUrl)}`} close={close}>
      {session.shares !== true && (
        <p class="wrong">
          Documents are not shared in this session, as its JupyterLab is the repository's own, or sharing is turned off: who comes in works
          on the same files, and sees what others saved.
        </p>
      )}
      {link.value ? (
        <Made link={link.value} close={close} />
      ) : (
        <form
          class="share-form"
          onSubmit={(event) => {
            event.preventDefault();
            void make();
          }}
        >
          <fieldset>
            <legend>Whoever has the link may</legend>
            {ROLE_WORDS.filter(([each]) => each === 'execute' || session.shares === true).map(([each, words]) => (
              <label key={each} class="choice">
                <input type="radio" name="role" checked={role.value === each} onChange={() => (role.value = each)} /> {words}
              </label>
            ))}
          </fieldset>
          <label class="share-field">
            {isOne ? 'Notebook' : 'File to open (if any)'}
            <input
              type="text"
              value={path.value}
              required={isOne}
              placeholder="index.ipynb"
              onInput={(event) => (path.value = event.currentTarget.value)}
            />
          </label>
          <label class="share-field">
            For
            <select value={seconds.value} onChange={(event) => (seconds.value = Number(event.currentTarget.value))}>
              {LENGTHS.map(([each, words]) => (
                <option key={each} value={each}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <p class="wrong" role="alert">
            {problem.value}
          </p>
          <p class="actions">
            <button type="button" class="button" onClick={close}>
              Cancel
            </button>
            <button type="submit" class="button primary">
              Make a link
            </button>
          </p>
        </form>
      )}
    </Dialog>
  );
}

function Made({ link, close }: { link: ShareLink; close: () => void }) {
  return (
    <>
      <label class="share-field">
        The link
        <input type="text" readOnly value={link.url} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <p class="quiet small">
        It works until {new Date(link.endsAt).toLocaleString()}, or until the session ends. It can't be taken back before, so give it only
        to those whom you trust that far.
      </p>
      <p class="actions">
        <CopyButton text={() => link.url} label="Copy" class="button primary" />
        <button type="button" class="button" onClick={close}>
          Close
        </button>
      </p>
    </>
  );
}
