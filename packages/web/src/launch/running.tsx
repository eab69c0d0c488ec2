import type { Signal } from '@preact/signals';
import { Notice } from '../shell/notice.tsx';
import { clock } from '../time.ts';
import type { LaunchRun } from './launch-run.ts';
import { launchState } from './launch-words.ts';

/** How it stands while the launch is under way. */
export function Running({ run, goWhenReady, now }: { run: LaunchRun; goWhenReady: Signal<boolean>; now: number }) {
  const model = run.model.value;
  const isCut = run.isCut.value;
  const elapsed = model.startedAt === undefined ? 0 : Math.max(0, now - model.startedAt);
  return (
    <Notice kind="calm" class="status" title={`${launchState(model)} …`} aside={<Elapsed text={clock(elapsed)} />}>
      <p class={isCut ? 'wrong' : 'quiet'} role="status">
        {isCut
          ? 'The connection to the hub is cut. Reconnecting …'
          : 'The launch goes on when this tab is closed, and a reload finds it again.'}
      </p>
      <div class="actions">
        <label class="check">
          <input type="checkbox" checked={goWhenReady.value} onChange={(event) => (goWhenReady.value = event.currentTarget.checked)} />
          Open the notebook as soon as it is ready
        </label>
        <button type="button" class="button small" disabled={isCut || run.cancelling.value} onClick={() => void run.cancel()}>
          Cancel the launch
        </button>
      </div>
    </Notice>
  );
}

/** The time so far, which nobody wants to hear every second. */
function Elapsed({ text }: { text: string }) {
  return (
    <span class="elapsed" role="timer" aria-live="off" aria-label={`${text} so far`}>
      {text}
    </span>
  );
}
