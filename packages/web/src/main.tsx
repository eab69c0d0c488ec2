import './no-eval.ts';
import { render } from 'preact';
import { App } from './app.tsx';
import { HubClient } from '@bindery/wire/client.ts';
import { readPageConfig } from './page-config.ts';
import { SessionStore } from './sessions/session-store.ts';
import { Router } from './shell/router.ts';

const root = document.getElementById('page');
if (root) {
  const config = readPageConfig(document);
  const hub = new HubClient({ url: location.origin + config.baseUrl });
  root.replaceChildren();
  render(<App services={{ config, hub, router: new Router(config.baseUrl), sessions: new SessionStore(hub) }} />, root);
}
