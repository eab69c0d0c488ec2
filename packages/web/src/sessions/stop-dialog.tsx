import { useSignal } from '@preact/signals';
import type { SessionView } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Dialog } from '../shell/dialog.tsx';
import type { SessionStore } from './session-store.ts';
import { repoName } from './session-words.ts';

/** Asks before it ends somebody's work. */
export function StopDialog({ session, store, close }: { session: SessionView; store: SessionStore; close: () => void }) {
  const busy = useSignal(false);
  const problem = useSignal('');
  const stop = async (): Promise<void> => {
    busy.value = true;
    try {
      await store.stop(session.id);
      close();
    } catch (error) {
      problem.value = error instanceof BinderyError ? error.message : 'It could not be stopped.';
      busy.value = false;
    }
  };
  return (
    <Dialog title={`Stop ${repoName(session.repoUrl)}?`} close={close}>
      <p>Its kernels and terminals end now. Changed files are saved for a while and can be downloaded from this page.</p>
      <p class="wrong" role="alert">
        {problem.value}
      </p>
      <form method="dialog" class="actions">
        <button type="submit" class="button">
          Let it run
        </button>
        <button type="button" class="button primary danger" disabled={busy.value} onClick={() => void stop()}>
          Stop it
        </button>
      </form>
    </Dialog>
  );
}
