import type { EndReason, SessionView } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { ownName } from './common.ts';
import { EXIT } from './exit.ts';
import type { FoundHub } from './hub-find.ts';
import type { StartedHub } from './hub-start.ts';
import type { Interrupt } from './interrupt.ts';
import { size, type Terminal } from './terminal.ts';

export interface StayOptions {
  readonly terminal: Terminal;
  readonly hub: FoundHub;
  /** The hub again, when this command started it. */
  readonly started: StartedHub | undefined;
  readonly sessionId: string;
  readonly interrupt: Interrupt;
}

/** How often the session is looked at, in milliseconds. */
const LOOK_MS = 5000;
/** A hub that is joined may be restarted meanwhile; for this long, in milliseconds, nobody need answer. */
const HUB_AWAY_MS = 60_000;
/** Ends that nobody wished for. */
const BAD_ENDS: ReadonlySet<EndReason> = new Set(['memory', 'disk', 'processes', 'crash', 'start', 'abandoned']);

/**
 * Keeps the command until Ctrl-C, which ends the session, or until the session has ended by itself and nothing else goes
 * on in the hub that this command started.
 */
export async function stay(options: StayOptions): Promise<number> {
  const { terminal, hub, started, sessionId, interrupt } = options;
  let answered = Date.now();
  let told = false;
  let code: number = EXIT.ok;
  while (!interrupt.signal.aborted) {
    const ended = await waitFor(LOOK_MS, interrupt.signal, started?.ended);
    if (interrupt.signal.aborted) break;
    if (ended)
      throw new BinderyError('hub_unreachable', 'The hub has ended unexpectedly.', {
        logTail: started?.logTail(),
        hint: 'Sessions go on for a while: bindery launch takes them up again.',
      });
    try {
      const session = await hub.client.session(sessionId);
      answered = Date.now();
      if (session.state !== 'ended') continue;
      code = session.endReason && BAD_ENDS.has(session.endReason) ? EXIT.failed : EXIT.ok;
      if (!told) terminal.err(endText(session, ownName(terminal.env)));
      told = true;
      const { sessions, launches } = await hub.client.info();
      if (!started || sessions.running + launches.running + launches.waiting === 0) return code;
    } catch (error) {
      if (Date.now() - answered > HUB_AWAY_MS) throw error;
    }
  }
  // A hub that is ours ends with all its sessions, so this one need not be stopped alone.
  if (!started && !told) {
    terminal.err('\n  Ending the session …\n');
    await hub.client.stopSession(sessionId);
  }
  return code;
}

function endText(session: SessionView, self: string): string {
  const saved = session.savedBytes ? ` Changed files were saved (${size(session.savedBytes)}).` : '';
  const again = session.savedBytes ? `  To go on with them: ${self} launch --restore ${session.id}\n` : '';
  const why = session.message ?? `The session has ended (${session.endReason ?? 'stopped'}).`;
  return `\n  ${why}${saved}\n  Its log: ${self} logs ${session.id}\n${again}`;
}

/** True when `other` was first, false after the time or when the signal aborts. */
function waitFor(ms: number, signal: AbortSignal, other: Promise<void> | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (result: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(result);
    };
    const stop = (): void => finish(false);
    const timer = setTimeout(stop, ms);
    signal.addEventListener('abort', stop, { once: true });
    void other?.then(() => finish(true));
  });
}
