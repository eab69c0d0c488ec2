import { useEffect } from 'preact/hooks';
import type { SessionView } from '@bindery/wire/api.ts';
import type { Services } from '../app.tsx';
import { KeepAliveButton } from './keep-alive-button.tsx';
import { canBeKept, repoName, warningWords } from './session-words.ts';

/** On every page: sessions that end soon, each with one click to keep it. */
export function EndingBanner({ services }: { services: Services }) {
  const { sessions } = services;
  useEffect(() => sessions.watch(false), [sessions]);
  const ending = sessions.ending.value;
  return (
    <div class="ending" role="status">
      {ending.map((session) => (
        <EndingSession key={session.id} session={session} services={services} />
      ))}
    </div>
  );
}

function EndingSession({ session, services }: { session: SessionView; services: Services }) {
  const now = services.sessions.now.value;
  return (
    <p class="ending-row">
      <span>
        <strong class="wrap">{repoName(session.repoUrl)}</strong> {warningWords(session, now)}.
      </span>
      {canBeKept(session) && <KeepAliveButton session={session} store={services.sessions} />}
    </p>
  );
}
