import type { Finding, Phase } from '@bindery/wire/events.ts';
import type { Progress, Stage } from './progress.ts';
import { duration, fit, tame, type Paint } from './terminal.ts';

/** What each stage does, in the words of the web page. */
export const STAGE_TITLES: Readonly<Record<Phase, string>> = {
  resolving: 'Find the commit',
  fetching: 'Fetch the files',
  planning: 'Read what they need',
  locking: 'Settle the packages',
  waiting: 'Wait for room',
  building: 'Build the environment',
  launching: 'Start the session',
  ready: 'Ready',
  failed: 'Failed',
};

const TITLE_WIDTH = Math.max(...Object.values(STAGE_TITLES).map((title) => title.length));
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Milliseconds of one spinner picture. */
export const TICK_MS = 100;

export interface FrameOptions {
  readonly now: number;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
}

/** The lines that show a launch at this moment; at most `rows - 2` of them, none wider than `columns`. */
export function frame(progress: Progress, options: FrameOptions): string[] {
  const lines: string[] = [];
  for (const stage of progress.stages) {
    lines.push(stageLine(stage, options));
    if (stage.phase === 'planning' && stage.state !== 'running')
      lines.push(...progress.findings.filter(isNews).map((one) => findingLine(one, options)));
  }
  const room = Math.max(0, options.rows - 2 - lines.length);
  if (!progress.end && room > 0)
    for (const line of progress.tail.slice(-room)) lines.push(options.paint('dim', fit(`    │ ${tame(line)}`, options.columns)));
  return lines.slice(0, Math.max(1, options.rows - 2));
}

function stageLine(stage: Stage, { now, columns, paint }: FrameOptions): string {
  const time = duration(stage.ms ?? now - stage.since);
  const title = STAGE_TITLES[stage.phase].padEnd(TITLE_WIDTH);
  const note = fit(tame(stage.note), Math.max(0, columns - TITLE_WIDTH - 16));
  const mark = {
    running: () => paint('cyan', SPINNER[Math.floor(now / TICK_MS) % SPINNER.length] ?? ''),
    done: () => paint('green', '✓'),
    failed: () => paint('red', '✗'),
  }[stage.state]();
  return `  ${mark} ${stage.state === 'running' ? paint('bold', title) : title} ${paint('dim', time.padStart(9))}  ${note}`.trimEnd();
}

/** A file whose content will be missed: worth a line of its own. */
function isNews(finding: Finding): boolean {
  return finding.effect === 'unsupported';
}

function findingLine(finding: Finding, { columns, paint }: FrameOptions): string {
  return `    ${paint('yellow', '!')} ${fit(`${tame(finding.file)}: ${tame(finding.why)}`, columns - 6)}`;
}
