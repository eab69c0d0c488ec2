import type { HubClient } from '@bindery/wire/client.ts';
import { useEffect } from 'preact/hooks';
import type { PageConfig } from '@bindery/wire/api.ts';
import type { Router } from './shell/router.ts';
import type { SessionStore } from './sessions/session-store.ts';
import { LazyLookPage } from './debugger/lazy-look-page.tsx';
import { FormPage } from './form/form-page.tsx';
import { LaunchPage } from './launch/launch-page.tsx';
import { EndingBanner } from './sessions/ending-banner.tsx';
import { OpenPage } from './sessions/open-page.tsx';
import { SessionsPage } from './sessions/sessions-page.tsx';
import { MissingPage } from './shell/missing-page.tsx';
import { Top } from './shell/top.tsx';

/** What every page may use. */
export interface Services {
  readonly config: PageConfig;
  readonly hub: HubClient;
  readonly router: Router;
  readonly sessions: SessionStore;
}

/** The frame of every page, and which page the address means. */
export function App({ services }: { services: Services }) {
  const { router, config } = services;
  const { path, search, visit } = router.place.value;
  // A page that is not loaded anew is not announced: the focus on its heading does that. The first page keeps the browser's own focus.
  useEffect(() => {
    if (visit > 0) focusHeading();
  }, [visit]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Top home={router.href('/')}>
        <nav aria-label="Pages">
          <NavLink router={router} path="/" current={path === '/'} label="Launch" />
          <NavLink router={router} path="/sessions" current={path === '/sessions'} label="Sessions" />
        </nav>
      </Top>
      <EndingBanner services={services} />
      <Route path={path} search={search} visit={visit} services={services} />
      <footer class="foot">
        <span>Bindery {config.version}</span>
        <span>
          <a href={router.href('/look')} data-route>
            Look into a room
          </a>{' '}
          · <a href={router.href('/api/v1/openapi.json')}>API</a>
        </span>
      </footer>
    </>
  );
}

function focusHeading(): void {
  document.querySelector<HTMLElement>('#main h1')?.focus({ preventScroll: true });
}

/** Goes to the content without an entry in the history. */
function skip(event: Event): void {
  event.preventDefault();
  focusHeading();
}

function Route({ path, search, visit, services }: { path: string; search: string; visit: number; services: Services }) {
  if (path === '/') return <FormPage services={services} />;
  if (path === '/sessions') return <SessionsPage services={services} />;
  if (path === '/look') return <LazyLookPage />;
  const opened = /^\/open\/([a-z2-7]{16})$/.exec(path)?.[1];
  if (opened) return <OpenPage id={opened} hub={services.hub} router={services.router} />;
  if (/^\/v2\/[^/]+\/./.test(path)) return <LaunchPage key={visit} path={path} search={search} services={services} />;
  return <MissingPage router={services.router} path={path} />;
}

function NavLink({ router, path, current, label }: { router: Router; path: string; current: boolean; label: string }) {
  return (
    <a href={router.href(path)} data-route aria-current={current ? 'page' : undefined}>
      {label}
    </a>
  );
}
