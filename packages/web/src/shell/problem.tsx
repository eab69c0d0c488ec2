import { errorTitle } from '../shell/error-title.ts';
import type { BinderyError } from '@bindery/wire/errors.ts';
import { Notice } from './notice.tsx';

/** An answer of the hub that stands in the way of the whole page. */
export function Problem({ error, retry }: { error: BinderyError; retry?: (() => void) | undefined }) {
  if (error.code === 'unauthorized') return <KeyMissing />;
  return (
    <Notice kind="bad" title={error.code === 'hub_unreachable' ? 'The hub does not answer.' : errorTitle(error.code)}>
      {error.code !== 'hub_unreachable' && <p class="wrap">{error.message}</p>}
      <p>{error.hint}</p>
      {retry && (
        <p class="actions">
          <button type="button" class="button primary" onClick={retry}>
            Try again
          </button>
        </p>
      )}
    </Notice>
  );
}

/** This browser has not been let in yet. */
function KeyMissing() {
  return (
    <Notice kind="warn" title="This browser has no key to the hub yet">
      <p>
        Open the link that Bindery printed in the terminal where it was started. It lets this browser in; after that, this page works here
        too.
      </p>
      <p>Is the terminal gone? Run the same command once more: it joins the hub that runs and prints a new link.</p>
    </Notice>
  );
}
