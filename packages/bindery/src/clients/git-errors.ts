import { lookup } from 'node:dns/promises';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { RunResult } from '../base/run.ts';

/** What a failed run of git against a remote means for people. Knows git's and curl's own English words. */
export async function remoteError(result: RunResult, url: string, seconds: number): Promise<BinderyError> {
  const text = result.stderr;
  const logTail = tail(text);
  const host = URL.canParse(url) ? new URL(url).hostname : url;
  const has = (...words: string[]): boolean => words.some((word) => text.toLowerCase().includes(word.toLowerCase()));
  if (result.timedOut)
    return new BinderyError('upstream_unreachable', `${host || url} did not answer within ${seconds} seconds.`, { logTail });
  if (has('no space left on device', 'disk quota exceeded')) return new BinderyError('disk_full', 'The disk is full.', { logTail });
  if (has('could not resolve host', 'name or service not known', 'unable to look up')) return unknownHost(host, logTail);
  if (has('not allowed'))
    if (/transport '[^']*' not allowed/.test(text))
      return new BinderyError('link_forbidden', `${url} leads to a protocol that is not open here.`, { logTail });
  if (has('returned error: 429')) return new BinderyError('upstream_rate_limited', `${host} asks us to slow down.`, { logTail });
  if (has('Host key verification failed'))
    return new BinderyError('upstream_unreachable', `The ssh key of ${host} is not known on this machine.`, {
      hint: `Connect once by hand (ssh ${host}), or use the https:// address.`,
      retryable: false,
      logTail,
    });
  if (
    /returned error: 5\d\d/.test(text) ||
    has(
      'connection refused',
      'timed out',
      'failed to connect',
      "couldn't connect",
      'connection reset',
      'network is unreachable',
      'no route to host',
      'operation too slow',
      'empty reply',
      'could not connect',
    )
  )
    return new BinderyError('upstream_unreachable', `${host} could not be reached: ${cause(text)}`, { logTail });
  if (has('certificate', 'SSL', 'gnutls'))
    return new BinderyError('upstream_unreachable', `The connection to ${host} is not trusted: ${cause(text)}`, {
      hint: 'Where your network has an authority of its own, name its file in GIT_SSL_CAINFO.',
      logTail,
    });
  if (has('permission denied (', 'publickey'))
    return new BinderyError('repository_not_found', `${host} refused the ssh key of this hub for ${url}.`, {
      hint: 'If the repository is public, use its https:// address.',
      logTail,
    });
  if (
    has(
      'authentication failed',
      'could not read username',
      'could not read password',
      'returned error: 401',
      'returned error: 403',
      'invalid credentials',
    )
  )
    return new BinderyError('repository_not_found', `There is no public repository at ${url}: the host asks for a password.`, { logTail });
  if (
    has(
      'not found',
      'does not exist',
      'does not appear to be a git repository',
      'not a git repository',
      'not exported',
      'is this a git repository',
      'not valid',
      'no such file',
      'repository access denied',
      'no such device',
      'access denied',
    )
  )
    return new BinderyError('repository_not_found', `There is no Git repository at ${url}.`, { logTail });
  return new BinderyError('fetch_failed', `${url} could not be read: ${cause(text)}`, { logTail });
}

/** The end of a tool's output, for the page. */
export function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-12).join('\n').slice(-2000);
}

function cause(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const line = lines.find((line) => line.startsWith('fatal:')) ?? lines.at(-1) ?? 'git gave no reason';
  return line.replace(/^fatal: /, '').slice(0, 300);
}

/** A name that does not exist is the link's mistake; a resolver that does not answer is an outage. */
async function unknownHost(host: string, logTail: string): Promise<BinderyError> {
  const code = await lookup(host).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (code === 'ENOTFOUND')
    return new BinderyError('upstream_unreachable', `There is no host named ${host}.`, {
      hint: 'Check the spelling of the address.',
      retryable: false,
      logTail,
    });
  return new BinderyError('upstream_unreachable', `The name ${host} could not be looked up.`, { logTail });
}
