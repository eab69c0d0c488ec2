import type { FailedEvent, Finding, LaunchEvent, ProgressEvent, ReadyEvent } from '@bindery/wire/events.ts';

/** The stages that the page shows, in order. `waiting` is no stage of its own: it is said at the stage that waits. */
export const STAGES = ['resolving', 'fetching', 'planning', 'locking', 'building', 'launching'] as const;
export type Stage = (typeof STAGES)[number];

export interface StageView {
  readonly state: 'pending' | 'active' | 'done' | 'failed';
  /** The newest sentence of this stage. */
  readonly message: string;
  /** When it began, by the hub's clock. */
  readonly startedAt?: number;
  /** How long it took, in milliseconds, once it is done. */
  readonly ms?: number;
  /** Nothing had to be done. */
  readonly cached: boolean;
  /** Place in the queue while it waits; 0 when it waits for something else. */
  readonly waiting?: number;
}

/** Everything the launch page shows, but the log's text. */
export interface LaunchModel {
  /** Number of the last entry, -1 before the first. What a reconnect asks to go on after. */
  readonly seq: number;
  readonly startedAt?: number;
  /** When the last entry was written, by the hub's clock. */
  readonly lastAt?: number;
  readonly stages: Readonly<Record<Stage, StageView>>;
  readonly findings?: readonly Finding[];
  readonly source?: ProgressEvent['source'];
  readonly end?: ReadyEvent | FailedEvent;
}

const PENDING: StageView = { state: 'pending', message: '', cached: false };

export function emptyLaunch(): LaunchModel {
  const stages = { resolving: PENDING, fetching: PENDING, planning: PENDING, locking: PENDING, building: PENDING, launching: PENDING };
  return { seq: -1, stages };
}

/** The model after one more entry. Entries that were seen before (a resumed stream may repeat some) change nothing. */
export function advance(model: LaunchModel, event: LaunchEvent): LaunchModel {
  if (event.seq <= model.seq || model.end) return model;
  const at = Date.parse(event.at);
  const next: LaunchModel = { ...model, seq: event.seq, startedAt: model.startedAt ?? at, lastAt: at };
  switch (event.phase) {
    case 'ready':
      return { ...next, stages: mapStages(model, (view) => (view.state === 'active' ? finish(view, at) : view)), end: event };
    case 'failed':
      return { ...next, stages: fail(model, event, at), end: event };
    case 'waiting':
      return wait(next, event, at);
    default:
      return progress(next, event.phase, event, at);
  }
}

function progress(model: LaunchModel, stage: Stage, event: ProgressEvent, at: number): LaunchModel {
  if (event.kind === 'log' && model.stages[stage].state === 'active') return model;
  const before = model.stages[stage];
  const { waiting: _, ...rest } = before;
  const view: StageView = {
    ...rest,
    state: event.kind === 'done' ? 'done' : 'active',
    startedAt: before.startedAt ?? at,
    message: event.kind === 'log' ? before.message : event.message,
    cached: event.cached ?? before.cached,
    ...(event.kind === 'done' ? { ms: event.ms ?? at - (before.startedAt ?? at) } : {}),
  };
  return {
    ...model,
    stages: { ...model.stages, [stage]: view },
    ...(event.findings ? { findings: event.findings } : {}),
    ...(event.source ? { source: event.source } : {}),
  };
}

/** Waiting is shown at the first stage that is not done: that is the one that waits. */
function wait(model: LaunchModel, event: ProgressEvent, at: number): LaunchModel {
  const stage =
    STAGES.find((name) => model.stages[name].state === 'active') ?? STAGES.find((name) => model.stages[name].state === 'pending');
  if (!stage || event.kind === 'log') return model;
  const { waiting: _, ...before } = model.stages[stage];
  const view: StageView = {
    ...before,
    state: 'active',
    startedAt: before.startedAt ?? at,
    message: event.message,
    ...(event.kind === 'done' ? {} : { waiting: event.position ?? 0 }),
  };
  return { ...model, stages: { ...model.stages, [stage]: view } };
}

function finish(view: StageView, at: number): StageView {
  const { waiting: _, ...rest } = view;
  const ms = view.ms ?? (view.startedAt === undefined ? undefined : at - view.startedAt);
  return { ...rest, state: 'done', ...(ms === undefined ? {} : { ms }) };
}

function fail(model: LaunchModel, event: FailedEvent, at: number): LaunchModel['stages'] {
  const during = STAGES.find((name) => name === event.during) ?? STAGES.find((name) => model.stages[name].state !== 'done');
  return mapStages(model, (view, name) => {
    if (name === during) return { ...finish(view, at), state: 'failed' };
    return view.state === 'active' ? finish(view, at) : view;
  });
}

function mapStages(model: LaunchModel, change: (view: StageView, name: Stage) => StageView): LaunchModel['stages'] {
  const stages = { ...model.stages };
  for (const name of STAGES) stages[name] = change(stages[name], name);
  return stages;
}

/** What the launch is doing: the stage that goes on, or between two of them the next one; undefined before the first entry. */
export function activeStage(model: LaunchModel): Stage | undefined {
  const active = STAGES.findLast((name) => model.stages[name].state === 'active');
  const last = STAGES.findLastIndex((name) => model.stages[name].state === 'done');
  return active ?? (last < 0 ? undefined : STAGES[last + 1]);
}
