import type { Command } from 'commander';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { needHub } from './hub-find.ts';
import { sessionOf } from './session-id.ts';
import { tame } from './terminal.ts';

/** `bindery logs`: what a session's server wrote. */
export function logsCommand({ terminal, run }: Cli): Command {
  return command('logs', 'Show what the server of a session has written', [
    ['bindery logs k3f', 'the session whose id begins with k3f'],
    ['bindery logs k3f --json', 'id and log as JSON'],
  ])
    .argument('<id>', 'id of a session, or the beginning of it')
    .action((id: string, flags: CommonOptions) =>
      run(flags, async () => {
        const { client } = await needHub(configOf(flags, terminal).config);
        const session = await sessionOf(client, id);
        const log = await client.sessionLog(session.id);
        if (flags.json) terminal.out(`${JSON.stringify({ id: session.id, log })}\n`);
        else if (log === '') terminal.err('The server has written nothing yet.\n');
        else terminal.out(`${log.trimEnd().split('\n').map(tame).join('\n')}\n`);
        return EXIT.ok;
      }),
    );
}
