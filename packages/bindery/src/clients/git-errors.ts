import { lookup } from 'node:dns/promises';
import { BinderyError, type ErrorCode } from '@bindery/wire/errors.ts';
import type { RunResult } from '../base/run.ts';

/** What was said, by whom, about what. */
interface Failure {
  readonly text: string;
  readonly url: string;
  readonly host: string;
}

interface Meaning {
  /** Words of git, curl, ssh or a server. */
  readonly said: RegExp;
  readonly code: ErrorCode;
  message(failure: Failure): string;
  readonly hint?: (failure: Failure) => string;
  readonly retryable?: boolean;
}

/** The first that fits counts. */
const MEANINGS: readonly Meaning[] = [
  { said: /no space left on device|disk quota exceeded/i, code: 'disk_full', message: () => 'The disk is full.' },
  {
    said: /transport '[^']*' not allowed/,
    code: 'link_forbidden',
    message: ({ url }) => `${url} leads to a protocol that is not open here.`,
  },
  {
    said: /returned error: 30\d|unable to update url base from redirection/,
    code: 'repository_not_found',
    message: ({ url }) => `${url} has moved: its host leads elsewhere, and this hub does not follow.`,
    hint: () => 'Use the address that a browser ends up at.',
  },
  { said: /returned error: 429/, code: 'upstream_rate_limited', message: ({ host }) => `${host} asks us to slow down.` },
  {
    said: /cannot run ssh|ssh: (?:command )?not found/i,
    code: 'tool_missing',
    message: ({ url }) => `${url} needs the program ssh, which is not installed where the hub runs.`,
    hint: () => 'Install it (Debian: apt-get install openssh-client), or use the https:// address.',
  },
  {
    said: /host identification has changed/i,
    code: 'upstream_unreachable',
    message: ({ host }) => `${host} shows another ssh key than the one that is known: it was renewed, or somebody is in between.`,
    hint: ({ host }) => `Ask whoever runs it; then remove the old key (ssh-keygen -R ${host}) and connect once by hand.`,
    retryable: false,
  },
  {
    said: /host key verification failed|no \S+ host key is known/i,
    code: 'upstream_unreachable',
    message: ({ host }) => `The ssh key of ${host} is not known on this machine.`,
    hint: ({ host }) =>
      `Connect once by hand as the user who runs the hub (ssh ${host}) and compare its key, name a file that holds it (git.knownHosts), or use the https:// address.`,
    retryable: false,
  },
  {
    said: /returned error: 5\d\d|connection refused|timed out|failed to connect|could(?:n't| not) connect|connection (?:reset|closed)|network is unreachable|no route to host|operation too slow|empty reply/i,
    code: 'upstream_unreachable',
    message: ({ host, text }) => `${host} could not be reached: ${cause(text)}`,
  },
  {
    said: /repository corruption on the remote|fatal: unable to read [0-9a-f]{40}|missing (?:blob|tree|commit) object/,
    code: 'fetch_failed',
    message: ({ url }) => `The repository at ${url} is damaged: not all of its files are there.`,
    hint: () => 'Run git fsck in it.',
    retryable: false,
  },
  {
    said: /certificate|\bSSL|gnutls/i,
    code: 'upstream_unreachable',
    message: ({ host, text }) => `The connection to ${host} is not trusted: ${cause(text)}`,
    hint: () => 'Where your network has an authority of its own, name its file in GIT_SSL_CAINFO.',
  },
  {
    said: /permission denied \(|publickey/i,
    code: 'repository_not_found',
    message: ({ host, url }) => `${host} accepted no ssh key of this hub for ${url}.`,
    hint: () =>
      'If the repository is public, use its https:// address; else name a key that it accepts (git.sshKey). A hub started as root has none by itself, and none may have a passphrase unless an agent holds it.',
  },
  {
    said: /authentication failed|could not read (?:username|password)|returned error: 40[13]|invalid credentials/i,
    code: 'repository_not_found',
    message: ({ url }) => `There is no public repository at ${url}: the host asks for a password.`,
  },
  {
    said: /not found|does not exist|not appear to be a git repo|not a git repository|not exported|is this a git repo|not valid|no such file|access denied/i,
    code: 'repository_not_found',
    message: ({ url }) => `There is no Git repository at ${url}.`,
  },
];

/** What a failed run of git against a remote means for people; `seconds` is how long it was given. */
export async function remoteError(result: RunResult, url: string, seconds: number): Promise<BinderyError> {
  const text = result.stderr;
  const logTail = tail(text);
  const host = (URL.canParse(url) && new URL(url).hostname) || url;
  if (result.timedOut) return new BinderyError('upstream_unreachable', `${host} did not answer within ${seconds} seconds.`, { logTail });
  if (/could not resolve host|name or service not known|unable to look up/i.test(text)) return unknownHost(host, logTail);
  const meaning = MEANINGS.find(({ said }) => said.test(text));
  if (!meaning) return new BinderyError('fetch_failed', `${url} could not be read: ${cause(text)}`, { logTail });
  const failure = { text, url, host };
  return new BinderyError(meaning.code, meaning.message(failure), {
    hint: meaning.hint?.(failure),
    retryable: meaning.retryable,
    logTail,
  });
}

/** The end of a tool's output, for the page, without percentages. */
export function tail(text: string): string {
  const lines = text.split(/\r?\n|\r/).filter((line) => line.trim() !== '' && !/\d+% \(\d+\/\d+\)(?!.*done\.)/.test(line));
  return lines
    .slice(-12)
    .map((line) => line.trimEnd())
    .join('\n')
    .slice(-2000);
}

function cause(text: string): string {
  const lines = text
    .split(/\r?\n|\r/)
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
