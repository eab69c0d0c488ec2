import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { activeStage, advance, emptyLaunch, STAGES } from './launch-model.ts';
import type { LaunchModel } from './launch-model.ts';
import { launchState, stageState } from './launch-words.ts';

type Said = LaunchEvent extends infer E ? (E extends LaunchEvent ? Omit<E, 'seq' | 'at'> : never) : never;

/** The model after these entries, one second apart. */
function after(...said: Said[]): LaunchModel {
  return said.reduce<LaunchModel>((model, event, seq) => advance(model, { ...event, seq, at: at(seq) }), emptyLaunch());
}

function at(seq: number): string {
  return new Date(Date.parse('2026-03-01T12:00:00.000Z') + seq * 1000).toISOString();
}

const begin = (phase: (typeof STAGES)[number], message = ''): Said => ({ phase, kind: 'begin', message });
const READY: Said = { phase: 'ready', message: 'Ready', ms: 3000, repoUrl: 'https://x', refUrl: '', environmentId: 'e', open: '' };
const FAILED: Said = { phase: 'failed', during: 'building', code: 'build_failed', message: 'No', hint: 'Mend it', retryable: false };

describe('the launch as the page shows it', () => {
  it('takes times, cached parts, findings and source from the entries', () => {
    const findings = [{ file: 'a', pack: 'python', effect: 'used' as const, why: 'b' }];
    const source = { provider: 'gh', url: 'https://x', ref: 'abc' };
    const model = after(
      begin('resolving', 'asking'),
      { phase: 'resolving', kind: 'done', message: 'found', ms: 212, source },
      { phase: 'planning', kind: 'done', message: 'read', findings },
      { phase: 'locking', kind: 'done', message: 'known', ms: 1, cached: true },
      begin('building', 'installing'),
    );
    assert.deepEqual(model.stages.resolving, { state: 'done', message: 'found', cached: false, startedAt: Date.parse(at(0)), ms: 212 });
    assert.equal(model.stages.planning.ms, 0);
    assert.equal(stageState(model.stages.locking), 'done, nothing to do');
    assert.equal(model.findings, findings);
    assert.equal(model.source, source);
    assert.equal(activeStage(model), 'building');
    assert.equal(launchState(model), 'Building the environment');
    assert.equal(launchState(emptyLaunch()), 'Starting');
    assert.equal(launchState(after({ phase: 'planning', kind: 'done', message: '' })), 'Settling the packages');
  });

  it('passes over entries that it has seen, and everything after the end', () => {
    const model = after(begin('resolving'), begin('fetching'));
    assert.equal(advance(model, { phase: 'fetching', kind: 'done', message: '', seq: 1, at: at(9) }), model);
    const ended = after(begin('resolving'), READY);
    assert.equal(advance(ended, { phase: 'fetching', kind: 'begin', message: '', seq: 7, at: at(9) }), ended);
  });

  it('keeps the sentence of a stage while raw lines of a tool go by', () => {
    const model = after(begin('building', 'Installing'), { phase: 'building', kind: 'log', message: '+ numpy' });
    assert.equal(model.stages.building.message, 'Installing');
    assert.equal(model.seq, 1);
    assert.equal(after({ phase: 'fetching', kind: 'log', message: 'remote: x' }).stages.fetching.state, 'active');
  });

  it('says who waits, and where in the queue', () => {
    const waiting: Said = { phase: 'waiting', kind: 'begin', message: 'Others build', position: 3 };
    const model = after({ phase: 'locking', kind: 'done', message: '' }, waiting);
    assert.equal(model.stages.resolving.waiting, 3, 'the first stage that is not done');
    const late = after(...STAGES.slice(0, 4).map((phase): Said => ({ phase, kind: 'done', message: '' })), waiting);
    assert.equal(late.stages.building.waiting, 3);
    assert.equal(launchState(late), 'Waiting');
    assert.equal(stageState(late.stages.building), 'waiting, place 3 in the queue');
    const going = advance(late, { ...begin('building', 'Installing'), seq: 5, at: at(5) });
    assert.equal(going.stages.building.waiting, undefined);
    assert.equal(going.stages.building.startedAt, Date.parse(at(4)));
  });

  it('ends every stage that was going on when the session is ready', () => {
    const model = after(begin('building'), begin('launching'), READY);
    assert.deepEqual([model.stages.building.state, model.stages.building.ms], ['done', 2000]);
    assert.equal(model.stages.resolving.state, 'pending');
    assert.equal(launchState(model), 'Ready');
  });

  it('marks the stage that failed, with its time only if it had begun', () => {
    const model = after({ phase: 'locking', kind: 'done', message: '' }, begin('building'), FAILED);
    assert.deepEqual([model.stages.building.state, model.stages.building.ms], ['failed', 1000]);
    assert.equal(launchState(model), 'Failed');
    const early = after({ ...FAILED, during: 'resolving' });
    assert.deepEqual([early.stages.resolving.state, early.stages.resolving.ms], ['failed', undefined]);
    assert.equal(launchState(after({ ...FAILED, code: 'cancelled' })), 'Cancelled');
    const unplaced = after({ phase: 'resolving', kind: 'done', message: '' }, { ...FAILED, during: 'waiting' });
    assert.equal(unplaced.stages.fetching.state, 'failed');
  });
});
