import type { Command } from 'commander';
import type { EnvironmentView, SessionView } from '@bindery/wire/api.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { needHub } from './hub-find.ts';
import { duration, size, table, tame } from './terminal.ts';

interface ListFlags extends CommonOptions {
  readonly all?: boolean;
  readonly environments?: boolean;
}

/** `bindery list`: what runs. */
export function listCommand({ terminal, run }: Cli): Command {
  return command('list', 'List the sessions of the hub', [
    ['bindery list', 'sessions that run'],
    ['bindery list --all', 'also those that ended a while ago, and why'],
    ['bindery list --environments', 'built environments, their size, and who uses them'],
  ])
    .option('-a, --all', 'also sessions that have ended')
    .option('--environments', 'environments in place of sessions')
    .action((flags: ListFlags) =>
      run(flags, async () => {
        const { client } = await needHub(configOf(flags, terminal).config);
        if (flags.environments) {
          const environments = await client.environments();
          terminal.out(flags.json ? `${JSON.stringify({ environments }, undefined, 2)}\n` : environmentTable(environments));
          return EXIT.ok;
        }
        const sessions = (await client.sessions()).filter((session) => flags.all === true || session.state !== 'ended');
        terminal.out(flags.json ? `${JSON.stringify({ sessions }, undefined, 2)}\n` : sessionTable(sessions, Date.now()));
        return EXIT.ok;
      }),
    );
}

/** @param now milliseconds since the epoch */
export function sessionTable(sessions: readonly SessionView[], now: number): string {
  if (sessions.length === 0) return 'No sessions. To start one: bindery launch user/repo\n';
  const ago = (instant: string): string => duration(Math.max(0, now - Date.parse(instant)));
  const rows = sessions.map((session) => [
    session.id,
    session.state === 'ended'
      ? `ended: ${session.endReason ?? 'stopped'}${session.savedBytes ? `, ${size(session.savedBytes)} saved` : ''}`
      : session.isolated
        ? session.state
        : `${session.state}, not isolated`,
    ago(session.startedAt),
    session.state === 'ended' ? '' : ago(session.activeAt),
    session.memoryBytes === undefined ? '' : size(session.memoryBytes),
    `${tame(session.repoUrl)} @ ${session.ref.slice(0, 10)}`,
  ]);
  return table([['SESSION', 'STATE', 'AGE', 'IDLE', 'MEMORY', 'REPOSITORY'], ...rows]);
}

function environmentTable(environments: readonly EnvironmentView[]): string {
  if (environments.length === 0) return 'No environments have been built yet.\n';
  const rows = environments.map((one) => [
    one.id.slice(0, 16),
    size(one.bytes),
    String(one.sessions),
    one.builtAt.slice(0, 16).replace('T', ' '),
    one.location,
  ]);
  return table([['ENVIRONMENT', 'SIZE', 'SESSIONS', 'BUILT (UTC)', 'WHERE'], ...rows]);
}
