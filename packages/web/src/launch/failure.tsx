import type { LaunchOptions } from '@bindery/wire/api.ts';
import type { FailedEvent } from '@bindery/wire/events.ts';
import { errorTitle } from '../shell/error-title.ts';
import { plainText } from '../log/log-buffer.ts';
import { CopyButton } from '../shell/copy-button.tsx';
import { Notice } from '../shell/notice.tsx';
import { STAGES } from './launch-model.ts';
import { STAGE_TITLES } from './launch-words.ts';
import { waysRound } from './ways-round.ts';

/** How a launch failed, and every way on from here. */
export function Failure({ event, report, retry }: FailureProps) {
  if (event.code === 'cancelled') return <Cancelled retry={retry} />;
  const stage = STAGES.find((name) => name === event.during);
  const tail = event.logTail ? event.logTail.split('\n').map(plainText).join('\n').trim() : '';
  return (
    <Notice kind="bad" title={errorTitle(event.code)} focus>
      <p class="wrap said">{event.message.trim()}</p>
      <p>{event.hint}</p>
      {tail !== '' && (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        <pre class="tail" tabIndex={0} role="region" aria-label="End of the log">
          {tail}
        </pre>
      )}
      <p class="actions">
        <button type="button" class="button primary" onClick={() => retry({})}>
          {event.retryable ? 'Try again' : 'Launch again'}
        </button>
        {waysRound(event).map(([label, options]) => (
          <button type="button" class="button" key={label} onClick={() => retry(options)}>
            {label}
          </button>
        ))}
        <CopyButton text={report} label="Copy report" class="button" />
      </p>
      <p class="quiet small">
        {stage ? `It stopped at “${STAGE_TITLES[stage]}”. ` : ''}Code <code>{event.code}</code>.
      </p>
    </Notice>
  );
}

function Cancelled({ retry }: { retry: FailureProps['retry'] }) {
  return (
    <Notice kind="calm" title="The launch was cancelled" focus>
      <p>What was built so far is kept and makes the next launch quicker.</p>
      <p class="actions">
        <button type="button" class="button primary" onClick={() => retry({})}>
          Launch again
        </button>
      </p>
    </Notice>
  );
}

interface FailureProps {
  event: FailedEvent;
  /** Everything worth sending to whoever can mend it. */
  report: () => string;
  retry: (options: LaunchOptions) => void;
}
