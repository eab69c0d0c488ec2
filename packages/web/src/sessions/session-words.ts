import type { EndReason, SessionView } from '@bindery/wire/api.ts';
import { left } from '../time.ts';

/** Why a session ended, for people. */
const ENDED: Readonly<Record<EndReason, string>> = {
  stopped: 'It was stopped.',
  idle: 'Nobody used it for a while.',
  age: 'It reached the longest time a session may run.',
  memory: 'It used more memory than a session may have.',
  disk: 'It filled the disk space a session may have.',
  processes: 'It started more processes than a session may have.',
  crash: 'The notebook server ended by itself.',
  start: 'The notebook server ended while it was starting.',
  abandoned: 'No hub looked after it any more.',
  shutdown: 'The machine or the hub was shut down.',
};

export function endedWords(session: SessionView): string {
  return session.message ?? (session.endReason ? ENDED[session.endReason] : 'It ended.');
}

/** When a session ends if nothing happens: `in 4 minutes, unless it is used`. */
export function endWords(session: SessionView, now: number): string {
  if (session.state === 'ending') return 'now';
  if (session.endsAt === undefined) return 'not by itself';
  const time = `in ${left(session.endsAt, now)}`;
  return session.endsBecause === 'idle' ? `${time}, unless it is used` : `${time}${because(session)}`;
}

/** The same as a warning: `ends in 4 minutes because nobody is using it`. */
export function warningWords(session: SessionView, now: number): string {
  return `ends in ${left(session.endsAt ?? '', now)}${because(session)}`;
}

function because({ endsBecause }: SessionView): string {
  const why = endsBecause ? ENDING[endsBecause] : undefined;
  return why ? ` because ${why}` : '';
}

/** Whether somebody can keep it from ending. */
export function canBeKept(session: SessionView): boolean {
  return session.state === 'running' && session.endsBecause !== 'age' && session.endsBecause !== 'shutdown';
}

const ENDING: Partial<Record<EndReason, string>> = {
  idle: 'nobody is using it',
  age: 'no session may run longer',
  memory: 'it uses too much memory',
  shutdown: 'the hub is being shut down',
};

/** Short name of a repository: `user/repo`, or the name of a folder on this machine. */
export function repoName(url: string): string {
  const count = url.startsWith('file:') ? 1 : 2;
  const path = url
    .replace(/^[a-z+]+:\/\/[^/]*/i, '')
    .replace(/^[^/]*@[^:]*:/, '')
    .replace(/\.git\/?$/, '');
  const parts = path.split('/').filter(Boolean).map(readable);
  return parts.slice(-count).join('/') || url;
}

/** A repository's address as people write it: of a folder on this machine its path. */
export function repoAddress(url: string): string {
  return url.startsWith('file:///') ? readable(url.slice('file://'.length)) : url;
}

/** A part of an address as people write it; as it is where its escapes are broken. */
function readable(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A commit as people write it; a branch or tag as it is. */
export function shortRef(ref: string): string {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(ref) ? ref.slice(0, 8) : ref;
}

/** The address only if it is a web page: the rest is shown, never linked. */
export function webAddress(url: string | undefined): string | undefined {
  return url !== undefined && /^https?:\/\//i.test(url) ? url : undefined;
}
