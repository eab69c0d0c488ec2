import type { LaunchEvent } from '@bindery/wire/events.ts';
import type { Sessions } from './sessions.ts';

/** A stored entry with what only its launch's holder may see: the session's address, its token, a one-time address for a browser. */
export function forHolder(event: LaunchEvent, sessions: Sessions, origin: string): LaunchEvent {
  if (event.phase !== 'ready' || event.sessionId === undefined) return event;
  const token = sessions.token(event.sessionId);
  if (token === undefined) return event;
  return { ...event, url: `${origin}/s/${event.sessionId}/`, token, browserUrl: sessions.browserUrl(event.sessionId, event.open) };
}
