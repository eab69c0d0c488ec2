import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { BinderyError } from '@bindery/wire/errors.ts';
import { browserCommand } from './browser.ts';
import { asBinderyError, exitCodeOf, failureText } from './exit.ts';
import { interruptOf } from './interrupt.ts';
import { duration, fit, plain, size, table, tame, type Terminal } from './terminal.ts';

const terminal: Terminal = {
  env: {},
  interactive: true,
  out: () => {},
  err: () => {},
  size: () => ({ columns: 80, rows: 24 }),
  paint: plain,
  paintOut: plain,
};

describe('text for people', () => {
  it('says durations and sizes in the unit that fits', () => {
    assert.deepEqual([0, 340, 9949, 9951, 59_400, 59_600, 125_000, 7_260_000].map(duration), [
      '0.0 s',
      '0.3 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1 min 0 s',
      '2 min 5 s',
      '2 h 1 min',
    ]);
    assert.deepEqual([0, 1023, 1024, 15_360, 3 * 2 ** 30].map(size), ['0 B', '1023 B', '1.0 kB', '15 kB', '3.0 GB']);
  });

  it('takes escape sequences, bells, overwritten text and direction marks out of foreign lines', () => {
    assert.equal(tame('\u001B[31mred\u001B[0m'), 'red');
    assert.equal(tame('10 %\r50 %\r100 %\r\n'), '100 %');
    assert.equal(tame('a\u0007b\u0000c\u202Ed\te'), 'abcd  e');
  });

  it('cuts at the width of the window, not before', () => {
    assert.equal(fit('12345', 5), '12345');
    assert.equal(fit('123456', 5), '1234…');
    assert.equal(fit('漢字漢字', 5), '漢字…');
    assert.equal(fit('', 0), '');
  });

  it('lines columns up and leaves no white space at the end', () => {
    assert.equal(
      table([
        ['A', 'LONG', 'C'],
        ['aaa', 'b', ''],
      ]),
      'A    LONG  C\naaa  b\n',
    );
  });
});

describe('failures for people', () => {
  it('says what happened, what the log shows, what to do', () => {
    const error = new BinderyError('build_failed', 'postBuild ended with 1.\nSecond line.', {
      logTail: 'a\n\u001B[1mboom',
      hint: 'Mend it.',
    });
    assert.equal(failureText(error, terminal), '✗ postBuild ended with 1.\n  Second line.\n\n    a\n    boom\n\n  → Mend it.\n');
  });

  it('has an exit code for each kind, and takes the unforeseen as our fault', () => {
    assert.equal(exitCodeOf(new BinderyError('config_invalid', '')), 2);
    assert.equal(exitCodeOf(new BinderyError('hub_unreachable', '')), 3);
    assert.equal(exitCodeOf(new BinderyError('build_failed', '')), 1);
    const odd = asBinderyError(new TypeError('x is not a function'));
    assert.deepEqual([odd.code, exitCodeOf(odd)], ['internal', 1]);
    assert.match(odd.logTail ?? '', /terminal\.test\.ts/);
  });
});

describe('Ctrl-C', () => {
  it('counts two signals of one keystroke once, and a later one as insistence', () => {
    const source = new EventEmitter();
    let now = 5;
    const interrupt = interruptOf(source, () => now);
    let forced = 0;
    interrupt.onForce(() => forced++);
    source.emit('SIGINT');
    assert.ok(interrupt.signal.aborted);
    now += 200;
    source.emit('SIGINT');
    assert.equal(forced, 0);
    now += 2000;
    source.emit('SIGTERM');
    source.emit('SIGINT');
    assert.equal(forced, 1);
    interrupt.close();
    assert.equal(source.listenerCount('SIGINT'), 0);
  });
});

describe('the browser', () => {
  const on = (env: Record<string, string>, platform: NodeJS.Platform = 'linux', interactive = true) =>
    browserCommand({ ...terminal, env, interactive }, platform);

  it('is opened only where somebody sees it', () => {
    assert.deepEqual(on({}, 'darwin'), ['open']);
    assert.equal(on({}, 'darwin', false), undefined);
    assert.equal(on({ SSH_CONNECTION: '1 2 3 4' }, 'darwin'), undefined);
    assert.equal(on({ PATH: '/nowhere' }), undefined);
    assert.equal(on({ DISPLAY: ':0', PATH: '/nowhere' }), undefined);
  });

  it('is the one that BROWSER names, if that is one program', () => {
    assert.deepEqual(on({ BROWSER: 'firefox' }), ['firefox']);
    assert.equal(on({ BROWSER: 'sh -c evil %s', PATH: '/nowhere' }), undefined);
  });
});
