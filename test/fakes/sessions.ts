// Sessions as the hub's API shows them.
import type { SessionView } from '@bindery/wire/api.ts';
import { randomId } from '@bindery/wire/ids.ts';

const HOUR = 3_600_000;
const from = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** One that runs for an hour and ends in an hour. */
export function running(change: Partial<SessionView> = {}): SessionView {
  const ref = '4f2c1be7a90d3c55e8b1a7f06d92c3e4b5a60718';
  return {
    id: randomId(),
    state: 'running',
    repoUrl: 'https://github.com/binder-examples/requirements',
    ref,
    refUrl: `https://github.com/binder-examples/requirements/tree/${ref}`,
    environmentId: 'e'.repeat(64),
    startedAt: from(-HOUR),
    activeAt: from(-120_000),
    endsAt: from(HOUR - 1000),
    endsBecause: 'idle',
    isolated: true,
    ...change,
  };
}

/** One that ended two hours ago. */
export function ended(change: Partial<SessionView> = {}): SessionView {
  const { endsAt: _, endsBecause: __, ...session } = running();
  return { ...session, state: 'ended', startedAt: from(-6 * HOUR), endedAt: from(-2 * HOUR), endReason: 'idle', ...change };
}
