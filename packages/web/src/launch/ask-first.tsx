import type { Described } from '../form/detection.ts';
import { Page } from '../shell/page.tsx';
import type { Router } from '../shell/router.ts';

/** Another site sent the browser here: nothing runs until a person has seen what and agreed. */
export function AskFirst({ what, restores, from, isolated, agree, router }: AskProps) {
  return (
    <Page
      title={`Launch ${what.title}?`}
      heading={`Launch ${what.title}?`}
      class="ask"
      lead={
        <p>
          {from ? (
            <>
              A link on <strong class="wrap">{from}</strong> brought you here.
            </>
          ) : (
            'A link on another site brought you here.'
          )}{' '}
          It asks this hub to run what a stranger wrote.
        </p>
      }
    >
      <section class="sheet" aria-label="What would be launched">
        <dl class="facts">
          <dt>Source</dt>
          <dd class="wrap">{what.about}</dd>
          {what.opens !== '' && (
            <>
              <dt>Opens</dt>
              <dd class="wrap">{what.opens}</dd>
            </>
          )}
        </dl>
        {restores && <p>The changed files of a session that ended are put into it.</p>}
        <p class="quiet">
          {isolated
            ? 'Its code runs in a sandbox of its own: it can’t read your files or other sessions. Launch it only if you meant to open it.'
            : 'This machine cannot isolate what a repository runs, so the hub launches nothing that is asked for from a page.'}
        </p>
        <p class="actions">
          <button type="button" class="button primary" onClick={agree}>
            Launch
          </button>
          <a class="button" href={router.href('/')} data-route>
            Don’t launch
          </a>
        </p>
      </section>
    </Page>
  );
}

interface AskProps {
  what: Described;
  /** The launch takes the saved work of a session. */
  restores: boolean;
  /** The other site, where the browser told it. */
  from: string | undefined;
  isolated: boolean;
  agree: () => void;
  router: Router;
}
