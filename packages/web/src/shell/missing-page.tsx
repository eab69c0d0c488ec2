import { Page } from './page.tsx';
import type { Router } from './router.ts';

/** For addresses that mean nothing here. */
export function MissingPage({ router, path }: { router: Router; path: string }) {
  return (
    <Page
      title="Not found"
      heading="There is nothing here"
      lead={
        <p>
          This hub has no page at <code class="wrap">{path}</code>.
        </p>
      }
    >
      <p class="actions">
        <a class="button primary" href={router.href('/')} data-route>
          Go to the launch page
        </a>
      </p>
    </Page>
  );
}
