import type { FailedEvent, Finding, LaunchEvent, Phase, ReadyEvent } from '@bindery/wire/events.ts';

/** One stage of a launch as it is shown. Times are milliseconds of the clock that `advance` was given. */
export interface Stage {
  readonly phase: Phase;
  readonly state: 'running' | 'done' | 'failed';
  readonly since: number;
  /** How long it took; absent while it runs. */
  readonly ms?: number;
  readonly cached: boolean;
  /** The last sentence that it said. */
  readonly note: string;
}

/** What there is to show of a launch. */
export interface Progress {
  readonly stages: readonly Stage[];
  /** The last raw lines of tools of the stage that runs. */
  readonly tail: readonly string[];
  readonly findings: readonly Finding[];
  readonly end?: ReadyEvent | FailedEvent;
}

export const noProgress: Progress = { stages: [], tail: [], findings: [] };

const TAIL = 6;

/** The progress after one more event. Pure: the same events at the same times give the same. */
export function advance(progress: Progress, event: LaunchEvent, now: number): Progress {
  if (event.phase === 'ready') return { ...progress, stages: close(progress.stages, now, 'done'), tail: [], end: event };
  if (event.phase === 'failed') return { ...progress, stages: close(progress.stages, now, 'failed'), end: event };
  if (event.kind === 'log') {
    return { ...progress, stages: touch(progress.stages, event.phase, now), tail: [...progress.tail, event.message].slice(-TAIL) };
  }
  const stages = touch(progress.stages, event.phase, now);
  const current = stages.at(-1);
  if (!current) return progress;
  const note = event.kind === 'begin' && event.message === '' ? current.note : event.message;
  const position = event.position === undefined ? '' : ` (place ${event.position})`;
  const said: Stage = { ...current, note: `${note}${position}`, cached: event.cached ?? current.cached };
  const next = event.kind === 'done' ? { ...said, state: 'done' as const, ms: event.ms ?? now - current.since } : said;
  return {
    ...progress,
    stages: [...stages.slice(0, -1), next],
    tail: event.kind === 'info' ? progress.tail : [],
    findings: event.findings ?? progress.findings,
  };
}

/** The stages with `phase` as the last and running one. */
function touch(stages: readonly Stage[], phase: Phase, now: number): readonly Stage[] {
  const last = stages.at(-1);
  if (last?.phase === phase && last.state === 'running') return stages;
  return [...close(stages, now, 'done'), { phase, state: 'running', since: now, cached: false, note: '' }];
}

function close(stages: readonly Stage[], now: number, state: 'done' | 'failed'): readonly Stage[] {
  return stages.map((stage) => (stage.state === 'running' ? { ...stage, state, ms: now - stage.since } : stage));
}
