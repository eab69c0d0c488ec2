import type { Command } from 'commander';
import { BinderyError } from '@bindery/wire/errors.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { needHub, type FoundHub } from './hub-find.ts';
import { sessionOf } from './session-id.ts';

interface StopFlags extends CommonOptions {
  readonly all?: boolean;
  readonly hub?: boolean;
}

/** `bindery stop`: one session, all of them, or the hub with them. */
export function stopCommand({ terminal, run }: Cli): Command {
  return command('stop', 'End sessions; their changed files are saved', [
    ['bindery stop k3f', 'the session whose id begins with k3f'],
    ['bindery stop --all', 'every session; the hub goes on'],
    ['bindery stop --hub', 'the hub with every session'],
  ])
    .argument('[id]', 'id of a session, or the beginning of it')
    .option('--all', 'every session')
    .option('--hub', 'the hub, with every session')
    .action((id: string | undefined, flags: StopFlags) =>
      run(flags, async () => {
        if ([id !== undefined, flags.all, flags.hub].filter(Boolean).length !== 1) {
          throw new BinderyError('config_invalid', 'Name one session, or give --all or --hub.', {
            hint: 'bindery list shows the sessions.',
          });
        }
        const hub = await needHub(configOf(flags, terminal).config);
        const stopped = flags.hub ? await stopHub(hub) : await stopSessions(hub, id);
        if (flags.json) terminal.out(`${JSON.stringify({ stopped, hub: flags.hub === true })}\n`);
        else terminal.err(stopped.length === 0 ? 'No session was running.\n' : stopped.map((one) => `Ended ${one}\n`).join(''));
        if (flags.hub && !flags.json) terminal.err('The hub has ended.\n');
        return EXIT.ok;
      }),
    );
}

async function stopSessions({ client }: FoundHub, id: string | undefined): Promise<string[]> {
  const sessions = id === undefined ? await client.sessions() : [await sessionOf(client, id)];
  const ids = sessions.filter((session) => session.state !== 'ended').map((session) => session.id);
  await Promise.all(ids.map((one) => client.stopSession(one)));
  return ids;
}

/** Milliseconds that a hub gets to end. */
const END_MS = 30_000;

async function stopHub(hub: FoundHub): Promise<string[]> {
  const running = (await hub.client.sessions()).filter((session) => session.state !== 'ended').map((session) => session.id);
  await hub.client.shutdown({ sessions: 'stop' });
  for (const until = Date.now() + END_MS; isAlive(hub.pid);) {
    if (Date.now() > until)
      throw new BinderyError('internal', `The hub (process ${hub.pid}) does not end.`, {
        hint: `kill -9 ${hub.pid} ends it by force; its sessions end by themselves.`,
      });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return running;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
