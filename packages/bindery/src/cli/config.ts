import type { Command } from 'commander';
import { stringify } from 'yaml';
import { showConfig, type ShownSetting } from '../base/config-show.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** `bindery config`: what is in effect, and where it came from. */
export function configCommand({ terminal, run }: Cli): Command {
  return command('config', 'Show the configuration in effect, without secrets', [
    ['bindery config', 'every setting with where it came from'],
    ['bindery config --json', 'the same for a program'],
    ['BINDERY_SESSION_IDLE=600 bindery config', 'see what a variable changes'],
  ]).action((options: CommonOptions) =>
    run(options, async () => {
      const loaded = configOf(options, terminal);
      const settings = showConfig(loaded);
      terminal.out(
        options.json
          ? `${JSON.stringify({ file: loaded.file ?? null, settings }, undefined, 2)}\n`
          : asYaml(loaded.file, settings, terminal),
      );
      return EXIT.ok;
    }),
  );
}

/** YAML that could be saved as a configuration file: what is at its default or not set stands there as a comment. */
function asYaml(file: string | undefined, settings: readonly ShownSetting[], { paintOut: paint }: Terminal): string {
  const lines = [paint('dim', `# ${file ?? 'no configuration file'}`)];
  let section = '';
  for (const { key, value, from } of settings) {
    const [head = '', name = ''] = key.split('.');
    if (head !== section) lines.push(`${head}:`);
    section = head;
    const text = value === undefined ? `# ${name}:` : `${name}: ${stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`;
    const origin = value === undefined ? 'not set' : from;
    lines.push(`  ${text.padEnd(48)} ${paint('dim', `# ${origin}`)}`);
  }
  return `${lines.join('\n')}\n`;
}
