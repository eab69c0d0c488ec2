import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { Option, type Command } from 'commander';
import { LaunchOptions } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { wholeFolder } from '@bindery/wire/link.ts';
import type { CommonOptions } from './common.ts';
import { exampleLink, FIRST } from './examples.ts';
import type { Terminal } from './terminal.ts';

/** What `launch`, `build` and `plan` are told beside the link. */
export interface LaunchFlags extends CommonOptions {
  readonly ref?: string;
  readonly path?: string;
  readonly urlpath?: string;
  readonly asOf?: string;
  readonly python?: string;
  readonly skipPostBuild?: boolean;
  readonly conda?: LaunchOptions['conda'];
  readonly strict?: boolean;
  readonly trust?: boolean;
  readonly layout?: LaunchOptions['layout'];
  readonly epoch?: LaunchOptions['epoch'];
  readonly restore?: string;
  readonly detach?: boolean;
  readonly open: boolean;
}

/** The options that decide what is built. */
export function planOptions(launch: Command): Command {
  return launch
    .option('--ref <ref>', 'branch, tag or commit')
    .option('--as-of <when>', 'packages as they were then: a date, or "commit" for the date of the commit')
    .option('--python <X.Y>', 'this version of Python, whatever the files say')
    .addOption(new Option('--conda <from>', 'where the packages of a conda file come from').choices(['channels', 'pypi']))
    .option('--skip-post-build', 'leave out what the repository runs at the end of a build')
    .option('--strict', 'fail where a file of the repository cannot be applied')
    .addOption(new Option('--layout <layout>', 'one environment for server and kernel, or two').choices(['auto', 'split', 'joint']))
    .addOption(
      new Option(
        '--epoch <rules>',
        'by which rules files leave a choice: repo2docker has its own defaults, Python 3.10 among them',
      ).choices(['2026', 'repo2docker']),
    );
}

export const TRUST = 'where no sandbox works: run what the repository holds as you, not isolated';

/** What the flags ask of the hub. @throws BinderyError request_invalid */
export function optionsOf(flags: LaunchFlags, more: LaunchOptions = {}): LaunchOptions {
  const { ref, path, urlpath, asOf, python, conda, skipPostBuild, strict, trust, layout, epoch } = flags;
  // Whoever types a command again wants it done again.
  const asked = { ref, path, urlpath, asOf, python, conda, skipPostBuild, strict, trust, layout, epoch, retry: true, ...more };
  const parsed = LaunchOptions.safeParse(asked);
  if (parsed.success) return parsed.data;
  throw new BinderyError('request_invalid', parsed.error.issues.map((issue) => `--${issue.path.join('.')}: ${issue.message}`).join('\n'), {
    hint: 'See bindery launch --help.',
  });
}

/** The link as the hub reads it: local folders made whole, the bundled example where none was given. */
export function linkOf(text: string | undefined, env: Terminal['env']): string {
  if (text === undefined) return exampleLink(FIRST);
  // npm starts scripts in the project's folder; what the person typed is meant from where they stand.
  const cwd = env['npm_command'] === undefined ? process.cwd() : (env['INIT_CWD'] ?? process.cwd());
  return wholeFolder(text, { cwd, home: homedir(), exists: existsSync });
}
