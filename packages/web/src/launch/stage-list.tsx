import { clock, duration } from '../time.ts';
import { STAGES } from './launch-model.ts';
import type { LaunchModel, StageView } from './launch-model.ts';
import { STAGE_TITLES, stageState } from './launch-words.ts';

/** The stages of a launch with their times: all of them from the start, so that nothing moves when one begins. */
export function StageList({ model, now }: { model: LaunchModel; now: number }) {
  return (
    <ol class="stages" aria-label="Stages">
      {STAGES.map((stage) => (
        <StageRow key={stage} title={STAGE_TITLES[stage]} view={model.stages[stage]} now={now} />
      ))}
    </ol>
  );
}

function StageRow({ title, view, now }: { title: string; view: StageView; now: number }) {
  return (
    <li class={`stage ${view.state}`} aria-current={view.state === 'active' ? 'step' : undefined}>
      <span class="knot" aria-hidden="true" />
      <span class="stage-title">{title}</span>
      <span class="hidden">: {stageState(view)}</span>
      <span class="stage-time">{stageTime(view, now)}</span>
      <span class="stage-note" title={view.message}>
        {view.waiting !== undefined && view.waiting > 0 ? `Place ${view.waiting} in the queue. ` : ''}
        {view.message}
      </span>
    </li>
  );
}

function stageTime(view: StageView, now: number): string {
  if (view.ms !== undefined) return view.cached ? 'reused' : duration(view.ms);
  return view.startedAt === undefined ? '' : clock(now - view.startedAt);
}
