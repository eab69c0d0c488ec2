import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import { tame, type Terminal } from './terminal.ts';

/** What a command's exit code says; the same for every command. */
export const EXIT = {
  ok: 0,
  /** The launch, build or command failed; the message says why. */
  failed: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** There is no hub, it does not answer, or it could not be started. */
  noHub: 3,
  /** Ended by Ctrl-C or a signal before it was done. */
  interrupted: 130,
} as const;

/** For the end of each `--help`. */
export const EXIT_HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 no hub, 130 interrupted`;

const CODES: Partial<Record<ErrorCode, number>> = {
  config_invalid: EXIT.usage,
  hub_unreachable: EXIT.noHub,
  hub_locked: EXIT.noHub,
  unauthorized: EXIT.noHub,
};

export function exitCodeOf(error: BinderyError): number {
  return CODES[error.code] ?? EXIT.failed;
}

/** Anything thrown, as an error for people. What we did not foresee is our own fault and says so. */
export function asBinderyError(error: unknown): BinderyError {
  if (error instanceof BinderyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return new BinderyError('internal', message, {
    hint: 'This is a fault of Bindery: please report it with the lines above.',
    logTail: stack,
    cause: error,
  });
}

/** A failure for a person: what happened, the end of the log that shows it, what to do. */
export function failureText(
  failure: { readonly message: string; readonly hint: string; readonly logTail?: string | undefined },
  { paint }: Terminal,
): string {
  const [first = '', ...more] = failure.message.trim().split('\n').map(tame);
  // What the message has said already need not be read twice.
  const said = (line: string): boolean => line.trim() !== '' && failure.message.includes(line.replace(/^\w+: /, '').trim());
  const tail = (failure.logTail ?? '')
    .trimEnd()
    .split('\n')
    .slice(-20)
    .map(tame)
    .filter((line) => !said(line));
  return [
    `${paint('red', '✗')} ${paint('bold', first)}`,
    ...more.map((line) => `  ${line}`),
    ...(tail.some((line) => line !== '') ? ['', ...tail.map((line) => paint('dim', `    ${line}`)), ''] : []),
    ...(failure.hint === '' ? [] : [`  ${paint('cyan', '→')} ${tame(failure.hint)}`]),
    '',
  ].join('\n');
}

/** Tells an error and returns the exit code for it. With `--json` stdout gets the error as the hub's API gives it. */
export function report(error: unknown, json: boolean, terminal: Terminal): number {
  const known = asBinderyError(error);
  const { code, message, hint, retryable } = known;
  if (json) terminal.out(`${JSON.stringify({ error: { code, message, hint, retryable } })}\n`);
  else terminal.err(failureText(known, terminal));
  return exitCodeOf(known);
}
