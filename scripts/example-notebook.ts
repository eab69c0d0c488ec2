import { ConfigSchema } from '../packages/bindery/src/base/config.ts';
import { exampleLink, FIRST } from '../packages/bindery/src/cli/examples.ts';
import { assemble } from '../packages/bindery/src/hub/assemble.ts';
import { createHub } from '../packages/bindery/src/hub/hub.ts';
import { ShareLink } from '../packages/wire/src/api.ts';
import { HubClient } from '../packages/wire/src/client.ts';
import type { Role } from '../packages/wire/src/roles.ts';
import type { Running } from './example-page.ts';

const NOTEBOOK = 'index.ipynb';

/** A hub with one session, of the first example, and a link to the page of its notebook. */
export async function startNotebook(folder: string, port: number, role: Role): Promise<Running> {
  const config = ConfigSchema.parse({ folders: { state: folder }, hub: { port, log: 'error' } });
  const { shared, pipeline } = await assemble(config, (message) => void process.stderr.write(`  ${message}\n`));
  await shared.engine.load();
  const hub = await createHub(shared, { pipeline });
  try {
    const client = new HubClient({ url: hub.url, key: hub.key });
    process.stderr.write('  Launching the notebook; the first time its packages are fetched.\n');
    const launch = await client.createLaunch({ link: exampleLink(FIRST) });
    for await (const event of client.follow(launch.id)) {
      if (event.phase === 'failed') throw new Error(`${event.message} ${event.hint}`);
      if (event.phase === 'ready' && event.sessionId !== undefined)
        return { link: await linkTo(event.sessionId), close: () => hub.close('stop') };
    }
    throw new Error('The launch ended without a word.');
  } catch (error) {
    await hub.close('stop');
    throw error;
  }

  async function linkTo(session: string): Promise<string> {
    const response = await fetch(`${hub.url}/api/v1/sessions/${session}/share`, {
      method: 'POST',
      headers: { authorization: `Bearer ${hub.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ role, path: NOTEBOOK }),
    });
    const url = new URL(ShareLink.parse(await response.json()).url);
    // Whoever may run code is led to JupyterLab otherwise.
    url.searchParams.set('next', `-/notebook?path=${NOTEBOOK}`);
    return url.href;
  }
}
