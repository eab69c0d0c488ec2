import { Command, CommanderError } from 'commander';
import { version } from '../base/version.ts';
import { buildCommand } from './build.ts';
import type { Cli } from './common.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT, EXIT_HELP, report } from './exit.ts';
import { gcCommand } from './gc.ts';
import { launchCommand } from './launch.ts';
import { listCommand } from './list.ts';
import { logsCommand } from './logs.ts';
import { openCommand } from './open.ts';
import { planCommand } from './plan.ts';
import { relayCommand } from './relay.ts';
import { serveCommand } from './serve.ts';
import { shareCommand } from './share.ts';
import { stopCommand } from './stop.ts';
import { supernodeCommand } from './supernode.ts';
import type { Terminal } from './terminal.ts';

/** The command line: reads the words, runs the command that they name, gives its exit code. */
export async function runCli(words: readonly string[], terminal: Terminal, main: string): Promise<number> {
  let code: number = EXIT.ok;
  const cli: Cli = {
    terminal,
    main,
    async run({ json }, work) {
      try {
        code = await work();
      } catch (error) {
        code = report(error, json === true, terminal);
      }
    },
  };
  try {
    await program(cli).parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // commander has told what was wrong
  }
  return code;
}

/** Every command with its options and help; nothing runs before it is parsed. */
export function program(cli: Cli): Command {
  const { terminal } = cli;
  const root = new Command('bindery')
    .description('Any Git repository as a live notebook, on this machine.')
    .version(version(), '-V, --version')
    .helpCommand('help [command]')
    .addHelpText('after', `\nStart with:\n  bindery launch user/repo\n  bindery doctor\n${EXIT_HELP}`);
  const commands = [
    launchCommand,
    buildCommand,
    planCommand,
    serveCommand,
    listCommand,
    openCommand,
    stopCommand,
    logsCommand,
    doctorCommand,
    gcCommand,
    relayCommand,
    supernodeCommand,
    shareCommand,
    configCommand,
  ].map((make) => make(cli));
  for (const command of commands) root.addCommand(command);
  for (const command of [root, ...commands]) {
    command
      .exitOverride()
      .showHelpAfterError('(add --help for what there is)')
      .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) });
  }
  return root;
}
