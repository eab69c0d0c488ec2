import { useSignal } from '@preact/signals';
import type { SessionView } from '@bindery/wire/api.ts';
import { repoName } from './session-words.ts';
import type { SessionStore } from './session-store.ts';

/** Starts a session's idle time anew. */
export function KeepAliveButton({ session, store }: { session: SessionView; store: SessionStore }) {
  const busy = useSignal(false);
  const keep = async (): Promise<void> => {
    busy.value = true;
    await store.keepAlive(session.id);
    busy.value = false;
  };
  return (
    <button type="button" class="button small" disabled={busy.value} onClick={() => void keep()}>
      Keep it running<span class="hidden">: {repoName(session.repoUrl)}</span>
    </button>
  );
}
