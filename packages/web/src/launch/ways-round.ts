import type { LaunchOptions } from '@bindery/wire/api.ts';
import type { FailedEvent } from '@bindery/wire/events.ts';

/** Other launches of the same link that may work where this one did not: what to call them, and what to ask for. */
export function waysRound({ code, hint }: Pick<FailedEvent, 'code' | 'hint'>): [string, LaunchOptions][] {
  switch (code) {
    case 'unsatisfiable':
    case 'build_failed':
      return [
        ['Use packages of the commit’s date', { asOf: 'commit' }],
        ...(hint.includes('--skip-post-build')
          ? [['Launch without postBuild', { skipPostBuild: true }] satisfies [string, LaunchOptions]]
          : []),
      ];
    case 'channel_unreachable':
      return [['Take packages from PyPI instead', { conda: 'pypi' }]];
    case 'python_not_found': {
      const python = /--python (3\.\d+)/.exec(hint)?.[1];
      return python === undefined ? [] : [[`Try it on Python ${python}`, { python }]];
    }
    default:
      return [];
  }
}
