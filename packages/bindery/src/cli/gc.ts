import type { Command } from 'commander';
import { StateLock } from '../base/state-lock.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { inProcess } from './here.ts';
import { findHub } from './hub-find.ts';
import { size } from './terminal.ts';

interface GcFlags extends CommonOptions {
  readonly all?: boolean;
}

/** `bindery gc`: room on the disk. */
export function gcCommand({ terminal, run }: Cli): Command {
  return command('gc', 'Remove environments that nobody uses', [
    ['bindery gc', 'the least recently used, until the rest is within store.maxBytes'],
    ['bindery gc --all', 'every environment that no session uses'],
    ['bindery list --environments', 'what there is'],
  ])
    .option('-a, --all', 'also what is within the size limit')
    .action((flags: GcFlags) =>
      run(flags, async () => {
        const { config } = configOf(flags, terminal);
        const all = flags.all === true;
        const hub = await findHub(config);
        const collected = hub
          ? await hub.client.collectGarbage(all)
          : await inProcess(config, terminal, async ({ pipeline }) => {
              const lock = await StateLock.take(config.folders.state, 'hub'); // no hub may start meanwhile
              return pipeline.collect(all).finally(() => lock.release());
            });
        if (flags.json) terminal.out(`${JSON.stringify(collected)}\n`);
        else terminal.err(`${summary(collected.removed.length, collected.freedBytes)}\n`);
        return EXIT.ok;
      }),
    );
}

function summary(count: number, bytes: number): string {
  if (count === 0) return 'Nothing to remove.';
  return `Removed ${count} environment${count === 1 ? '' : 's'}, ${size(bytes)}.`;
}
