// What launches of the fake hub say, in the words of the real one.
import type { ScriptedEvent } from './hub.ts';

const COMMIT = '4f2c1be7a90d3c55e8b1a7f06d92c3e4b5a60718';

/** A launch up to the plan. */
export const PLANNED: ScriptedEvent[] = [
  { phase: 'resolving', kind: 'begin', message: 'Asking github.com which commit HEAD is' },
  {
    phase: 'resolving',
    kind: 'done',
    message: 'HEAD is 4f2c1be7 (main)',
    ms: 212,
    source: {
      provider: 'gh',
      url: 'https://github.com/binder-examples/requirements',
      ref: COMMIT,
      refUrl: `https://github.com/binder-examples/requirements/tree/${COMMIT}`,
    },
  },
  { phase: 'fetching', kind: 'begin', message: 'Fetching the commit' },
  { phase: 'fetching', kind: 'log', message: 'remote: Enumerating objects: 9, done.' },
  { phase: 'fetching', kind: 'done', message: '6 files, 14 kB', ms: 640 },
  { phase: 'planning', kind: 'begin', message: 'Reading 6 files' },
  {
    phase: 'planning',
    kind: 'done',
    message: 'Python 3.12, 2 packages from requirements.txt',
    ms: 9,
    findings: [
      { file: 'requirements.txt', pack: 'python', effect: 'used', why: '2 packages are installed with pip rules.' },
      { file: 'runtime.txt', pack: 'python', effect: 'used', why: 'It asks for Python 3.12.' },
      { file: 'apt.txt', pack: 'apt', effect: 'unsupported', why: 'Debian packages cannot be added on this engine; 1 is left out.' },
      { file: 'setup.py', pack: 'python', effect: 'ignored', why: 'requirements.txt says what to install.' },
    ],
  },
];

export const LOCKED: ScriptedEvent[] = [
  { phase: 'locking', kind: 'begin', message: 'Resolving 2 packages as of today' },
  { phase: 'locking', kind: 'log', message: '\u001b[36mResolved\u001b[0m 38 packages in 310ms' },
  { phase: 'locking', kind: 'done', message: '38 packages, exactly', ms: 402 },
];

export const BUILDING: ScriptedEvent[] = [
  { phase: 'building', kind: 'begin', message: 'Installing 38 packages' },
  { phase: 'building', kind: 'log', message: '\u001b[32m+ numpy\u001b[0m 2.3.4' },
  { phase: 'building', kind: 'log', message: '\u001b[32m+ matplotlib\u001b[0m 3.10.7' },
];

const STARTED: ScriptedEvent[] = [
  { phase: 'building', kind: 'done', message: '38 packages installed', ms: 3120 },
  { phase: 'launching', kind: 'begin', message: 'Starting the notebook server' },
  { phase: 'launching', kind: 'done', message: 'The notebook server answers', ms: 388 },
];

export const SESSION = 'abcdefgh234567ij';

/** The rest of a launch that goes well. */
export const READY: ScriptedEvent[] = [
  ...STARTED,
  {
    phase: 'ready',
    message: 'Ready',
    sessionId: SESSION,
    ms: 4790,
    repoUrl: 'https://github.com/binder-examples/requirements',
    refUrl: `https://github.com/binder-examples/requirements/tree/${COMMIT}`,
    environmentId: 'e'.repeat(64),
    open: 'lab/tree/index.ipynb',
  },
];

/** A build that fails as real ones do. */
export const BROKEN: ScriptedEvent = {
  phase: 'failed',
  during: 'locking',
  code: 'unsatisfiable',
  message: 'requirements.txt asks for numpy==1.16.0, which has no release for Python 3.12.',
  hint: 'For an old repository, try packages as of the date of its last commit.',
  retryable: false,
  logTail: [
    '  × No solution found when resolving dependencies:',
    '  ╰─▶ Because numpy==1.16.0 has no wheels with a matching Python ABI tag (e.g., `cp312`)',
    '      and you require numpy==1.16.0, we can conclude that your requirements are unsatisfiable.',
  ].join('\n'),
};
