import type { Command } from 'commander';
import type { PlanQuery, PlanView } from '@bindery/wire/api.ts';
import type { Config } from '../base/config.ts';
import { command, configOf, type Cli } from './common.ts';
import { EXIT } from './exit.ts';
import { inProcess } from './here.ts';
import { findHub } from './hub-find.ts';
import { planOptions, linkOf, optionsOf, type LaunchFlags } from './launch-options.ts';
import { planText } from './plan-text.ts';
import { tame, type Terminal } from './terminal.ts';

/** `bindery plan`: what would be built, and why. */
export function planCommand({ terminal, run }: Cli): Command {
  return planOptions(
    command('plan', 'Show what would be built for a repository, and why; nothing is built', [
      ['bindery plan user/repo', 'each line with its reason'],
      ['bindery plan .', 'of this folder, as it is now'],
      ['bindery plan user/repo --json', 'the plan as data'],
    ]).argument('<link>', 'user/repo, any Git address, a local folder, or a mybinder-style link'),
  ).action((link: string, flags: LaunchFlags) =>
    run(flags, async () => {
      const { config } = configOf(flags, terminal);
      const { ref, asOf, python, conda, skipPostBuild, strict, layout, epoch } = optionsOf(flags);
      const query: PlanQuery = { link: linkOf(link, terminal.env), ref, asOf, python, conda, skipPostBuild, strict, layout, epoch };
      const hub = await findHub(config);
      const view = hub ? await hub.client.plan(query) : await planHere(config, query, flags.json === true, terminal);
      terminal.out(flags.json ? `${JSON.stringify(view, undefined, 2)}\n` : planText(view, terminal.paintOut));
      return EXIT.ok;
    }),
  );
}

/** Plans in this process, where no hub runs. */
function planHere(config: Config, query: PlanQuery, quiet: boolean, terminal: Terminal): Promise<PlanView> {
  return inProcess(config, terminal, ({ shared, pipeline }, signal) =>
    pipeline.plan(query, {
      ...shared,
      signal,
      emit: (progress) => {
        if (!quiet && progress.kind === 'begin' && progress.message !== '')
          terminal.err(`${terminal.paint('dim', tame(progress.message))}\n`);
      },
    }),
  );
}
