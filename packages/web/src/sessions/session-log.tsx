import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { SessionView } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import { plainText } from '../log/log-buffer.ts';
import { CopyButton } from '../shell/copy-button.tsx';
import { Dialog } from '../shell/dialog.tsx';
import { repoName } from './session-words.ts';

/** Characters of a log that are shown; what is older is left out. */
const MOST = 400_000;

/** The notebook server's own log. */
export function SessionLog({ session, hub, close }: { session: SessionView; hub: HubClient; close: () => void }) {
  const text = useSignal('Asking the hub …');
  useEffect(() => {
    hub.sessionLog(session.id).then(
      (log) => (text.value = readable(log)),
      (error: unknown) => (text.value = error instanceof BinderyError ? error.message : 'The log cannot be read.'),
    );
  }, [hub, session.id]);
  return (
    <Dialog title={`Log of ${repoName(session.repoUrl)}`} close={close} class="wide">
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <pre class="tail log-plain" tabIndex={0} role="region" aria-label="Log">
        {text.value}
      </pre>
      <form method="dialog" class="actions">
        <button type="submit" class="button primary">
          Close
        </button>
        <CopyButton text={() => text.value} label="Copy" class="button" />
      </form>
    </Dialog>
  );
}

function readable(log: string): string {
  if (log.trim() === '') return 'The notebook server has said nothing yet.';
  const cut = log.length > MOST ? `(earlier lines are not shown)\n${log.slice(-MOST)}` : log;
  return cut.split('\n').map(plainText).join('\n');
}
