import type { Command } from 'commander';
import { command, type Cli } from './common.ts';
import { planOptions, TRUST, type LaunchFlags } from './launch-options.ts';
import { LaunchRun } from './launch.ts';

/** `bindery build`: everything that a launch does but the session. */
export function buildCommand(cli: Cli): Command {
  return planOptions(
    command('build', "Build a repository's environment, without starting a session", [
      ['bindery build user/repo', 'so that the next launch takes no build'],
      ['bindery build . --strict', 'check that everything in this folder can be applied'],
      ['bindery build user/repo --json', 'events for a program; the last is ready or failed'],
    ]).argument('<link>', 'user/repo, any Git address, a local folder, or a mybinder-style link'),
  )
    .option('--trust', TRUST)
    .action((link: string, flags: Omit<LaunchFlags, 'open'>) =>
      cli.run(flags, () => new LaunchRun(cli, { ...flags, open: false }, { buildOnly: true }).run(link)),
    );
}
