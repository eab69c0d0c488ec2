import type { FastifyRequest } from 'fastify';
import type { Example as ExampleView, PlanQuery, PlanView } from '@bindery/wire/api.ts';
import type { Shared } from '../contracts/context.ts';
import type { Admission } from './admission.ts';
import type { Caller, Callers } from './callers.ts';
import type { Launches } from './launches.ts';
import type { Metrics } from './metrics.ts';
import type { Proxy } from '../proxy/proxy.ts';
import type { Rights } from './rights.ts';
import type { Sessions } from './sessions.ts';

/** A repository that the hub offers to try. */
export type Example = Readonly<ExampleView>;

/** What the routes of the hub work with. */
export interface HubParts {
  readonly shared: Shared;
  readonly version: string;
  readonly startedAt: string;
  readonly callers: Callers;
  readonly rights: Rights;
  readonly launches: Launches;
  readonly sessions: Sessions;
  readonly proxy: Proxy;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly plan: (query: PlanQuery, signal: AbortSignal) => Promise<PlanView>;
  readonly collect: (all: boolean) => Promise<{ removed: string[]; freedBytes: number }>;
  readonly examples: readonly Example[];
  /** Folder of the built page. */
  readonly web: string;
  /** Ends the hub soon after the answer is sent. */
  readonly shutdown: (sessions: 'stop' | 'keep') => void;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; known before any route is. */
    caller: Caller;
  }
}

/** The first value of a request's header. */
export function header(req: FastifyRequest, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
