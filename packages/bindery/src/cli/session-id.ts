import type { SessionView } from '@bindery/wire/api.ts';
import type { HubClient } from '@bindery/wire/client.ts';
import { BinderyError } from '@bindery/wire/errors.ts';

/** The session that a person means by its id or the beginning of it. @throws BinderyError session_not_found */
export async function sessionOf(client: HubClient, text: string): Promise<SessionView> {
  const sessions = await client.sessions();
  const meant = sessions.filter((session) => session.id.startsWith(text.toLowerCase()));
  const [only] = meant;
  if (only && meant.length === 1) return only;
  const list = (some: readonly SessionView[]): string => some.map((session) => session.id).join(', ');
  if (meant.length > 1)
    throw new BinderyError('session_not_found', `More than one session begins with ${text}: ${list(meant)}`, {
      hint: 'Write more of the id.',
    });
  const running = sessions.filter((session) => session.state !== 'ended');
  throw new BinderyError('session_not_found', `There is no session ${JSON.stringify(text)}.`, {
    hint: running.length > 0 ? `Sessions that run: ${list(running)}` : 'No session runs: bindery launch starts one.',
  });
}

/** A link for a browser that need not know the hub yet: it is let in, then led on by an address that it can reach. */
export function sessionLink(client: HubClient, id: string): Promise<string> {
  return client.enter({ next: `/open/${id}` });
}
