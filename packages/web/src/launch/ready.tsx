import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { LaunchOptions, SessionView } from '@bindery/wire/api.ts';
import type { ReadyEvent } from '@bindery/wire/events.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import { Notice } from '../shell/notice.tsx';
import { duration } from '../time.ts';
import { addressForm } from './session-address.ts';

/** The session is there: goes to it, or offers to. */
export function Ready({ event, go, hub, launchKey, leave, retry }: ReadyProps) {
  const opening = useSignal(go);
  const problem = useSignal<BinderyError | undefined>(undefined);
  const { sessionId } = event;
  const open = async (): Promise<void> => {
    if (!sessionId) return;
    opening.value = true;
    problem.value = undefined;
    try {
      const url = await hub.openSession(sessionId, { form: await addressForm(sessionId, location), path: event.open }, launchKey);
      leave();
      location.assign(url);
    } catch (error) {
      opening.value = false;
      problem.value = error instanceof BinderyError ? error : undefined;
    }
  };
  useEffect(() => {
    if (go) void open();
  }, []);

  if (!sessionId) return <Built ms={event.ms} />;
  if (problem.value)
    return <CannotOpen error={problem.value} retry={retry} open={() => void open()} session={() => hub.session(sessionId, launchKey)} />;
  return (
    <Notice kind="good" class="status" title={opening.value ? 'Ready. Opening the notebook …' : 'Your notebook is ready'} focus={!go}>
      <p>
        It took {duration(event.ms)}.{' '}
        {opening.value ? 'If nothing happens, use the button.' : 'It keeps running until nobody has used it for a while.'}
      </p>
      <p class="actions">
        <button type="button" class="button primary" onClick={() => void open()}>
          Open the notebook
        </button>
      </p>
    </Notice>
  );
}

function Built({ ms }: { ms: number }) {
  return (
    <Notice kind="good" title="The environment is built" focus>
      <p>It took {duration(ms)}. No session was asked for; a launch of this repository now starts at once.</p>
    </Notice>
  );
}

function CannotOpen({ error, open, retry, session }: CannotOpenProps) {
  const gone = error.code === 'session_not_found' || error.code === 'session_ended';
  const saved = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (!gone) return;
    session().then(
      ({ id, savedBytes }) => (saved.value = savedBytes ? id : undefined),
      () => undefined, // not kept any more
    );
  }, [gone]);
  const restore = saved.value;
  return (
    <Notice kind={gone ? 'calm' : 'bad'} title={gone ? 'This session has ended' : 'The session cannot be opened right now'} focus>
      <p>{gone ? 'Launch the repository again for a new one. Changed files that were saved are on the sessions page.' : error.message}</p>
      <p class="actions">
        {restore !== undefined && (
          <button type="button" class="button primary" onClick={() => retry({ restore })}>
            Start again with my changes
          </button>
        )}
        <button type="button" class={restore === undefined ? 'button primary' : 'button'} onClick={gone ? () => retry() : open}>
          {gone ? 'Launch again' : 'Try again'}
        </button>
      </p>
    </Notice>
  );
}

interface CannotOpenProps {
  error: BinderyError;
  open: () => void;
  retry: ReadyProps['retry'];
  session: () => Promise<SessionView>;
}

interface ReadyProps {
  event: ReadyEvent;
  /** Go there without being asked. */
  go: boolean;
  hub: HubClient;
  launchKey: string | undefined;
  /** Called just before the page is left. */
  leave: () => void;
  retry: (options?: LaunchOptions) => void;
}
