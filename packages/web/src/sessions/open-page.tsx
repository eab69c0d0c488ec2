import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { BinderyError } from '@bindery/wire/errors.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import { addressForm } from '../launch/session-address.ts';
import { Notice } from '../shell/notice.tsx';
import { Page } from '../shell/page.tsx';
import { problemOf } from '../shell/problem-of.ts';
import type { Router } from '../shell/router.ts';

/** Where a printed link leads: goes on to the session by the address that this browser can reach. */
export function OpenPage({ id, hub, router }: { id: string; hub: HubClient; router: Router }) {
  const problem = useSignal<BinderyError | undefined>(undefined);
  const open = async (): Promise<void> => {
    problem.value = undefined;
    try {
      location.replace(await hub.openSession(id, { form: await addressForm(id, location) }));
    } catch (error) {
      problem.value = problemOf(error);
    }
  };
  useEffect(() => void open(), [id]);
  const failed = problem.value;
  return (
    <Page title={failed ? 'Not opened' : 'Opening'} heading={failed ? 'The notebook cannot be opened' : 'Opening the notebook …'}>
      {failed && (
        <Notice kind={failed.code === 'session_not_found' ? 'calm' : 'bad'} title={failed.message} focus>
          <p>{failed.hint}</p>
          <p class="actions">
            {failed.code !== 'session_not_found' && (
              <button type="button" class="button primary" onClick={() => void open()}>
                Try again
              </button>
            )}
            <a class="button" href={router.href('/sessions')} data-route>
              Sessions
            </a>
          </p>
        </Notice>
      )}
    </Page>
  );
}
