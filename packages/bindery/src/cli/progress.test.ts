import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LaunchEvent, ProgressEvent } from '@bindery/wire/events.ts';
import { frame } from './progress-frame.ts';
import { progressView } from './progress-view.ts';
import { advance, noProgress, type Progress } from './progress.ts';
import { plain, type Terminal } from './terminal.ts';

const at = '2026-01-31T12:00:00.000Z';
const event = (
  phase: ProgressEvent['phase'],
  kind: ProgressEvent['kind'],
  message: string,
  more: Partial<ProgressEvent> = {},
): LaunchEvent => ({ seq: 0, at, phase, kind, message, ...more });
const ready: LaunchEvent = { seq: 9, at, phase: 'ready', message: '', ms: 5000, repoUrl: '', refUrl: '', environmentId: '', open: 'lab' };
const failed: LaunchEvent = {
  seq: 9,
  at,
  phase: 'failed',
  during: 'building',
  code: 'build_failed',
  message: 'no',
  hint: 'h',
  retryable: false,
};

function play(...steps: readonly [number, LaunchEvent][]): Progress {
  return steps.reduce((progress, [now, one]) => advance(progress, one, now), noProgress);
}

const window = { columns: 80, rows: 24, paint: plain };

describe('the progress of a launch', () => {
  it('keeps a line for each stage with its time and its last sentence', () => {
    const progress = play(
      [0, event('resolving', 'begin', 'Asking GitHub')],
      [300, event('resolving', 'done', 'v1 is 3f2a1bc', { ms: 290 })],
      [300, event('building', 'begin', 'Waiting for uv')],
      [400, event('building', 'info', 'Installing 12 packages')],
    );
    assert.deepEqual(frame(progress, { ...window, now: 2300 }), [
      '  ✓ Find the commit           0.3 s  v1 is 3f2a1bc',
      '  ⠸ Build the environment     2.0 s  Installing 12 packages',
    ]);
  });

  it('shows the last raw lines of the stage that runs, and drops them when it is done', () => {
    const lines = Array.from({ length: 30 }, (_, index): [number, LaunchEvent] => [index, event('building', 'log', `line ${index}`)]);
    const running = play([0, event('building', 'begin', '')], ...lines);
    assert.deepEqual(running.tail, ['line 24', 'line 25', 'line 26', 'line 27', 'line 28', 'line 29']);
    assert.deepEqual(advance(running, event('building', 'done', ''), 40).tail, []);
  });

  it('ends every stage that runs when the launch ends', () => {
    const begun = play([0, event('building', 'begin', 'x')]);
    assert.equal(advance(begun, ready, 10).stages[0]?.state, 'done');
    const broken = advance(begun, failed, 10);
    assert.deepEqual([broken.stages[0]?.state, broken.stages[0]?.ms], ['failed', 10]);
    assert.match(frame(broken, { ...window, now: 99 })[0] ?? '', /✗ Build the environment {5}0\.0 s/);
  });

  it('goes back to a stage that waited in between, and shows the place in the queue', () => {
    const progress = play(
      [0, event('waiting', 'begin', 'No room yet', { position: 3 })],
      [5, event('building', 'begin', 'b')],
      [6, event('waiting', 'info', 'again')],
    );
    assert.deepEqual(
      progress.stages.map((stage) => [stage.phase, stage.state, stage.note]),
      [
        ['waiting', 'done', 'No room yet (place 3)'],
        ['building', 'done', 'b'],
        ['waiting', 'running', 'again'],
      ],
    );
  });

  it('names files that cannot be applied below the plan', () => {
    const findings = [
      { file: 'requirements.txt', pack: 'python', effect: 'used' as const, why: 'packages' },
      { file: 'apt.txt', pack: 'apt', effect: 'unsupported' as const, why: 'system packages are not installed here' },
    ];
    const progress = play([0, event('planning', 'done', 'Python 3.12', { findings })]);
    assert.deepEqual(frame(progress, { ...window, now: 0 }).slice(1), ['    ! apt.txt: system packages are not installed here']);
  });

  it('stays within the window, whatever comes', () => {
    const nasty = `\u001B[2J\u001B]0;title\u0007${'漢字'.repeat(200)}\r\nmore`;
    const progress = play(
      [0, event('building', 'begin', nasty)],
      ...Array.from({ length: 9 }, (): [number, LaunchEvent] => [1, event('building', 'log', nasty)]),
    );
    const lines = frame(progress, { columns: 40, rows: 6, now: 0, paint: plain });
    assert.ok(lines.length <= 4);
    for (const line of lines) {
      assert.ok(!/\p{Cc}/u.test(line), JSON.stringify(line));
      const characters = Array.from(line);
      const wide = characters.filter((character) => character > '⿿').length;
      assert.ok(characters.length + wide <= 40, line);
    }
  });
});

describe('showing the progress', () => {
  function terminal(interactive: boolean): { terminal: Terminal; text: () => string } {
    let text = '';
    return {
      text: () => text,
      terminal: {
        env: {},
        interactive,
        out: () => assert.fail('stdout is for results'),
        err: (more) => (text += more),
        size: () => window,
        paint: plain,
        paintOut: plain,
      },
    };
  }
  const clock = { now: () => 0, monotonic: () => 0 };

  it('writes plain lines where nobody watches, with nothing that moves a cursor', () => {
    const { terminal: plainTerminal, text } = terminal(false);
    const view = progressView(plainTerminal, clock);
    view.show(event('building', 'begin', 'Installing'));
    view.show(event('building', 'log', '\u001B[31mCollecting numpy\u001B[0m'));
    view.show(event('building', 'done', 'Installed', { ms: 1500 }));
    view.show(ready);
    view.close();
    assert.equal(
      text(),
      '[    0.0 s]  Build the environment: Installing\n             Collecting numpy\n[    0.0 s]  Build the environment: Installed (1.5 s)\n',
    );
  });

  it('draws over what it drew before', () => {
    const { terminal: live, text } = terminal(true);
    const view = progressView(live, clock);
    view.show(event('building', 'begin', 'Installing'));
    view.show(ready);
    view.close();
    const [, first = '', second = ''] = text().split('\u001B[J');
    assert.match(first, /✓ Build the environment/);
    assert.ok(text().includes('\u001B[1A\r'));
    assert.match(second, /✓ Build the environment/);
  });

  it('puts a sentence of the hub above the stages, not into them', () => {
    const { terminal: live, text } = terminal(true);
    const view = progressView(live, clock);
    view.show(event('launching', 'begin', 'Starting'));
    view.note('Installing the notebook server\u0007');
    view.show(ready);
    view.close();
    assert.ok(text().includes('  Installing the notebook server\n'));
    assert.ok(text().indexOf('Installing') < text().lastIndexOf('Start the session'));
    assert.ok(!text().includes('\u0007'));
  });
});
