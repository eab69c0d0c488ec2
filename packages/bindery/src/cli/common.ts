import { Command, InvalidArgumentError } from 'commander';
import { loadConfig, type LoadedConfig } from '../base/config-load.ts';
import { EXIT_HELP } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** Options that every command has. */
export interface CommonOptions {
  readonly config?: string;
  readonly state?: string;
  readonly port?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly json?: boolean;
}

/** A command with the common options, its examples, and the exit codes below its help. */
export function command(name: string, summary: string, examples: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length)) + 3;
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}${what}`);
  return new Command(name)
    .summary(summary)
    .description(`${summary}.`)
    .option('--json', 'machine-readable output on stdout, and nothing else there')
    .option('--config <file>', 'configuration file (YAML)')
    .option('--state <folder>', 'state folder: its hub is the one that is meant')
    .option('--set <key=value>', 'any setting of docs/reference/configuration.md; may be repeated', collect)
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}\n${EXIT_HELP}`);
}

function collect(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const cut = text.indexOf('=');
  if (cut < 1) throw new InvalidArgumentError('Write it as key=value, for example session.idle=600.');
  return { ...previous, [text.slice(0, cut)]: text.slice(cut + 1) };
}

/** The configuration that these options ask for. */
export function configOf(options: CommonOptions, terminal: Terminal): LoadedConfig {
  return loadConfig({ file: options.config, env: terminal.env, flags: configFlags(options) });
}

function configFlags(options: CommonOptions): Record<string, string> {
  return {
    ...options.set,
    ...(options.state === undefined ? {} : { 'folders.state': options.state }),
    ...(options.port === undefined ? {} : { 'hub.port': options.port }),
  };
}

/** The same configuration as words for another `bindery` command line. */
export function configWords(options: CommonOptions): string[] {
  const flags = Object.entries(configFlags(options)).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return options.config === undefined ? flags : ['--config', options.config, ...flags];
}

/** What every command gets. */
export interface Cli {
  readonly terminal: Terminal;
  /** The file that Node runs for `bindery`: how a command starts another. */
  readonly main: string;
  /** Runs a command's work, keeps its exit code, and tells whatever it throws. */
  readonly run: (options: { readonly json?: boolean }, work: () => Promise<number>) => Promise<void>;
}

/** What a person types to run `bindery` where they are: in a checkout it is a script of npm. */
export function ownName(env: Terminal['env']): string {
  return env['npm_lifecycle_event'] === undefined ? 'bindery' : 'npm run bindery --';
}
