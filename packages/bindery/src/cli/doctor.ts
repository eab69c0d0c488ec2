import type { Command } from 'commander';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import type { Check } from './doctor-checks.ts';
import { EXIT } from './exit.ts';
import type { Paint } from './terminal.ts';

/** `bindery doctor`: what this machine can and cannot do, and what mends it. */
export function doctorCommand({ terminal, run }: Cli): Command {
  return command('doctor', 'Tell what this machine can and cannot do, and what mends it', [
    ['bindery doctor', 'every check with what mends it'],
    ['bindery doctor --json', 'the same for a program'],
  ])
    .addHelpText(
      'after',
      '\nIt looks by doing: a sandbox is started, the index is asked. Exit code 1: launching repositories cannot work here.',
    )
    .action((options: CommonOptions) =>
      run(options, async () => {
        const { config } = configOf(options, terminal);
        const { examine } = await import('./doctor-checks.ts');
        const checks = await examine(config, terminal);
        const works = checks.every((check) => check.state !== 'fail');
        terminal.out(options.json ? `${JSON.stringify({ works, checks }, undefined, 2)}\n` : doctorText(checks, terminal.paintOut));
        return works ? EXIT.ok : EXIT.failed;
      }),
    );
}

const MARKS = { ok: ['green', '✓'], note: ['yellow', '!'], fail: ['red', '✗'] } as const;

/** The checks for people, and one sentence that sums them up. */
export function doctorText(checks: readonly Check[], paint: Paint): string {
  const width = Math.max(...checks.map((check) => check.name.length)) + 2;
  const lines = checks.flatMap(({ name, state, found, mend }) => {
    const [style, mark] = MARKS[state];
    const first = `  ${paint(style, mark)} ${name.padEnd(width)}${found}`;
    return mend === undefined || state === 'ok' ? [first] : [first, `    ${' '.repeat(width)}${paint('cyan', '→')} ${mend}`];
  });
  const failed = checks.filter((check) => check.state === 'fail').length;
  const notes = checks.filter((check) => check.state === 'note').length;
  const sum =
    failed > 0
      ? `${failed} thing${failed === 1 ? '' : 's'} must be mended before repositories can be launched here.`
      : notes > 0
        ? 'Repositories can be launched here; what is marked ! could be better.'
        : 'Everything is in place.';
  return `${lines.join('\n')}\n\n${sum}\n`;
}
