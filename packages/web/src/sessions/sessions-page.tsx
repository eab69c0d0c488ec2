import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { SessionView } from '@bindery/wire/api.ts';
import type { Services } from '../app.tsx';
import { Page } from '../shell/page.tsx';
import { Problem } from '../shell/problem.tsx';
import { EndedSession, RunningSession } from './session-card.tsx';
import { SessionLog } from './session-log.tsx';
import { ShareDialog } from './share-dialog.tsx';
import { StopDialog } from './stop-dialog.tsx';

/** `/sessions`: what runs, what ended and why. */
export function SessionsPage({ services }: { services: Services }) {
  const { sessions } = services;
  const stopping = useSignal<SessionView | undefined>(undefined);
  const reading = useSignal<SessionView | undefined>(undefined);
  const sharing = useSignal<SessionView | undefined>(undefined);
  useEffect(() => sessions.watch(true), [sessions]);

  const all = sessions.all.value;
  const isThere = all !== undefined;
  // An address with a session's id after # was followed before the list was there.
  useEffect(() => {
    if (isThere && location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [isThere]);
  const running = (all ?? []).filter((session) => session.state !== 'ended');
  const ended = (all ?? []).filter((session) => session.state === 'ended');
  const props = {
    services,
    log: (session: SessionView) => (reading.value = session),
    share: (session: SessionView) => (sharing.value = session),
    stop: (session: SessionView) => (stopping.value = session),
  };
  return (
    <Page
      title={running.length > 0 ? `${running.length} running: Sessions` : 'Sessions'}
      heading="Sessions"
      class="sessions"
      lead={<p>Notebooks that run on this hub. One that nobody uses ends by itself; changed files are then saved for a while.</p>}
    >
      {sessions.problem.value && <Problem error={sessions.problem.value} retry={() => void sessions.refresh()} />}
      {all === undefined && !sessions.problem.value && <p class="quiet empty">Asking the hub …</p>}
      {all !== undefined && (
        <>
          <section aria-labelledby="running-title">
            <h2 id="running-title">Running</h2>
            {running.length === 0 ? (
              <NoneRunning services={services} />
            ) : (
              <ul class="session-list">
                {running.map((one) => (
                  <RunningSession key={one.id} session={one} {...props} />
                ))}
              </ul>
            )}
          </section>
          {ended.length > 0 && (
            <section aria-labelledby="ended-title">
              <h2 id="ended-title">Ended</h2>
              <ul class="session-list">
                {ended.map((one) => (
                  <EndedSession key={one.id} session={one} {...props} />
                ))}
              </ul>
            </section>
          )}
        </>
      )}
      {stopping.value && <StopDialog session={stopping.value} store={sessions} close={() => (stopping.value = undefined)} />}
      {sharing.value && <ShareDialog session={sharing.value} hub={services.hub} close={() => (sharing.value = undefined)} />}
      {reading.value && <SessionLog session={reading.value} hub={services.hub} close={() => (reading.value = undefined)} />}
    </Page>
  );
}

function NoneRunning({ services }: { services: Services }) {
  return (
    <div class="sheet empty-state">
      <p>No session is running.</p>
      <p class="actions">
        <a class="button primary" href={services.router.href('/')} data-route>
          Launch a repository
        </a>
      </p>
    </div>
  );
}
