import type { LaunchModel, Stage, StageView } from './launch-model.ts';
import { activeStage } from './launch-model.ts';

/** What each stage does, as a task in a list. */
export const STAGE_TITLES: Readonly<Record<Stage, string>> = {
  resolving: 'Find the commit',
  fetching: 'Fetch the files',
  planning: 'Read what they need',
  locking: 'Settle the packages',
  building: 'Build the environment',
  launching: 'Start the session',
};

/** The same, while it is going on: for the page's title and for screen readers. */
const STAGE_DOING: Readonly<Record<Stage, string>> = {
  resolving: 'Finding the commit',
  fetching: 'Fetching the files',
  planning: 'Reading what they need',
  locking: 'Settling the packages',
  building: 'Building the environment',
  launching: 'Starting the session',
};

/** One phrase for the state of the launch. */
export function launchState(model: LaunchModel): string {
  if (model.end?.phase === 'ready') return 'Ready';
  if (model.end?.phase === 'failed') return model.end.code === 'cancelled' ? 'Cancelled' : 'Failed';
  const stage = activeStage(model);
  if (!stage) return 'Starting';
  return model.stages[stage].waiting === undefined ? STAGE_DOING[stage] : 'Waiting';
}

/** What a screen reader hears about a stage. */
export function stageState(view: StageView): string {
  if (view.waiting !== undefined) return view.waiting > 0 ? `waiting, place ${view.waiting} in the queue` : 'waiting';
  switch (view.state) {
    case 'pending':
      return 'not started';
    case 'active':
      return 'in progress';
    case 'failed':
      return 'failed';
    default:
      return view.cached ? 'done, nothing to do' : 'done';
  }
}
