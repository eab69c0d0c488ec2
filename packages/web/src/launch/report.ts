import type { FailedEvent } from '@bindery/wire/events.ts';
import { plainText } from '../log/log-buffer.ts';
import type { LaunchRun } from './launch-run.ts';
import { STAGES } from './launch-model.ts';

/** Lines of the log that go into a report. */
const LINES = 60;

/** A failed launch as text, for whoever can mend it: no secret is in it. */
export function failureReport(event: FailedEvent, run: LaunchRun, version: string, link: string): string {
  const { source, stages, findings } = run.model.value;
  const took = STAGES.filter((stage) => stages[stage].ms !== undefined).map((stage) => `${stage} ${Math.round(stages[stage].ms ?? 0)} ms`);
  const log = run.log.text().split('\n').slice(-LINES).join('\n');
  return [
    `Bindery ${version}: launch failed`,
    `link: ${link}`,
    ...(source ? [`source: ${source.url} at ${source.ref}`] : []),
    `when: ${event.at}, during ${event.during}`,
    `code: ${event.code}`,
    `message: ${plainText(event.message).trim()}`,
    ...(took.length > 0 ? [`stages: ${took.join(', ')}`] : []),
    ...(findings ?? []).map((finding) => `file: ${finding.file} (${finding.effect}: ${finding.why})`),
    '',
    'End of the log:',
    log,
    '',
  ].join('\n');
}
