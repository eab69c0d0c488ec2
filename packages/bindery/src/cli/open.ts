import type { Command } from 'commander';
import { browserCommand, openBrowser } from './browser.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { needHub } from './hub-find.ts';
import { sessionLink, sessionOf } from './session-id.ts';

interface OpenFlags extends CommonOptions {
  readonly open: boolean;
}

/** `bindery open`: a fresh one-time link. */
export function openCommand({ terminal, run }: Cli): Command {
  return command('open', 'Print a fresh one-time link to a session or to the hub, and open it', [
    ['bindery open', "the hub's launch page"],
    ['bindery open k3f', 'the session whose id begins with k3f'],
    ['bindery open k3f --no-open', 'print the link only'],
  ])
    .argument('[id]', 'id of a session, or the beginning of it')
    .option('--no-open', 'do not open a browser')
    .action((id: string | undefined, flags: OpenFlags) =>
      run(flags, async () => {
        const { client } = await needHub(configOf(flags, terminal).config);
        const link = async (): Promise<string> =>
          id === undefined ? client.enter() : sessionLink(client, (await sessionOf(client, id)).id);
        const browser = flags.open && !flags.json ? browserCommand(terminal) : undefined;
        if (browser) openBrowser(browser, await link(), terminal.env);
        const url = await link();
        terminal.out(flags.json ? `${JSON.stringify({ url })}\n` : `${url}\n`);
        return EXIT.ok;
      }),
    );
}
