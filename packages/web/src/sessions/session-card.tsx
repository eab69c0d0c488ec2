import { useSignal } from '@preact/signals';
import type { SessionView } from '@bindery/wire/api.ts';
import type { Services } from '../app.tsx';
import { restorePath } from '@bindery/wire/link-v2.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { addressForm } from '../launch/session-address.ts';
import { ago, bytes } from '../time.ts';
import { KeepAliveButton } from './keep-alive-button.tsx';
import { canBeKept, endedWords, endWords, repoAddress, repoName, shortRef, webAddress } from './session-words.ts';

interface CardProps {
  session: SessionView;
  services: Services;
  log: (session: SessionView) => void;
  share: (session: SessionView) => void;
  stop: (session: SessionView) => void;
}

/** A session that runs, with everything one can do with it. */
export function RunningSession({ session, services, log, share, stop }: CardProps) {
  const now = services.sessions.now.value;
  const problem = useSignal('');
  const open = async (): Promise<void> => {
    problem.value = '';
    try {
      location.assign(await services.hub.openSession(session.id, { form: await addressForm(session.id, location) }));
    } catch (error) {
      problem.value = error instanceof BinderyError ? error.message : 'It cannot be opened right now.';
    }
  };
  const name = repoName(session.repoUrl);
  return (
    <li class={`sheet session ${session.state}`} id={session.id}>
      <Heading session={session} />
      <dl class="facts">
        <Fact name="Started" value={ago(session.startedAt, now)} at={session.startedAt} />
        <Fact name="Last used" value={ago(session.activeAt, now)} at={session.activeAt} />
        <Fact name="Memory" value={session.memoryBytes === undefined ? 'not measured' : bytes(session.memoryBytes)} />
        {session.diskBytes !== undefined && <Fact name="Written" value={bytes(session.diskBytes)} />}
        <Fact name="Ends" value={endWords(session, now)} />
        {!session.isolated && <Fact name="Isolation" value="none: it runs as you" />}
      </dl>
      <p class="session-problem wrong" role="status">
        {problem.value}
      </p>
      <p class="actions">
        <button type="button" class="button primary" disabled={session.state !== 'running'} onClick={() => void open()}>
          Open<span class="hidden"> {name}</span>
        </button>
        <button type="button" class="button small" disabled={session.state !== 'running'} onClick={() => share(session)}>
          Share …<span class="hidden"> {name}</span>
        </button>
        {canBeKept(session) && <KeepAliveButton session={session} store={services.sessions} />}
        <button type="button" class="button small" onClick={() => log(session)}>
          Log<span class="hidden"> of {name}</span>
        </button>
        <button type="button" class="button small danger" disabled={session.state === 'ending'} onClick={() => stop(session)}>
          Stop …<span class="hidden"> {name}</span>
        </button>
      </p>
    </li>
  );
}

/** A session that ended: why, and what is left of it. */
export function EndedSession({ session, services, log }: CardProps) {
  const now = services.sessions.now.value;
  const name = repoName(session.repoUrl);
  const hasSaved = session.savedBytes !== undefined && session.savedBytes > 0;
  return (
    <li class="sheet session ended" id={session.id}>
      <Heading session={session} />
      <p class="wrap">
        {endedWords(session)} <span class="quiet">{session.endedAt ? `Ended ${ago(session.endedAt, now)}.` : ''}</span>
      </p>
      <p class="actions">
        {hasSaved && session.link !== undefined && (
          <a class="button small primary" href={services.router.href(restorePath(session.link, session.id))} data-route>
            Start again with my changes<span class="hidden"> to {name}</span>
          </a>
        )}
        {hasSaved && (
          <a class="button small" href={services.hub.savedUrl(session.id)} download>
            Download changed files ({bytes(session.savedBytes ?? 0)})<span class="hidden"> of {name}</span>
          </a>
        )}
        <button type="button" class="button small" onClick={() => log(session)}>
          Log<span class="hidden"> of {name}</span>
        </button>
      </p>
    </li>
  );
}

function Heading({ session }: { session: SessionView }) {
  const address = webAddress(session.refUrl);
  return (
    <div class="session-head">
      <h3 class="wrap">{repoName(session.repoUrl)}</h3>
      <p class="quiet small wrap">
        {repoAddress(session.repoUrl)} · {address ? <a href={address}>{shortRef(session.ref)}</a> : shortRef(session.ref)}
      </p>
    </div>
  );
}

function Fact({ name, value, at }: { name: string; value: string; at?: string }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>
        {at ? (
          <time dateTime={at} title={new Date(at).toLocaleString()}>
            {value}
          </time>
        ) : (
          value
        )}
      </dd>
    </div>
  );
}
