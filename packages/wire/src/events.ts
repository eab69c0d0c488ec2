import { z } from 'zod';
import { Instant } from './ids.ts';

/** The phases of a launch, in order; the last two end it. */
export const Phase = z.enum(['resolving', 'fetching', 'planning', 'locking', 'waiting', 'building', 'launching', 'ready', 'failed']);
export type Phase = z.infer<typeof Phase>;

/** What was done with a file of the repository that some pack or engine could use; shown to people. */
export const Finding = z.object({
  file: z.string(),
  pack: z.string(),
  effect: z.enum(['used', 'ignored', 'unsupported']),
  why: z.string(),
});
export type Finding = z.infer<typeof Finding>;

const base = { seq: z.number().int().nonnegative(), at: Instant };

/**
 * One entry of a launch's append-only log. `seq` counts from 0 without gaps and is the stream's event id.
 * The log holds no secret: `ready` gets `url` and `token` at the edge, for the holder of the launch's key only.
 */
export const LaunchEvent = z.discriminatedUnion('phase', [
  /** A phase begins, goes on, or (`done`) ends, with how long it took in milliseconds. `log` marks a raw line of a tool. */
  z.object({
    ...base,
    phase: z.enum(['resolving', 'fetching', 'planning', 'locking', 'waiting', 'building', 'launching']),
    message: z.string(),
    kind: z.enum(['begin', 'info', 'log', 'done']),
    ms: z.number().nonnegative().optional(),
    /** True when nothing had to be done: found in a cache. */
    cached: z.boolean().optional(),
    /** With `planning`/`done`: every file that was found and what was done with it. */
    findings: z.array(Finding).optional(),
    /** With `resolving`/`done`. */
    source: z.object({ provider: z.string(), url: z.string(), ref: z.string(), refUrl: z.string().optional() }).optional(),
    /** With `building`/`done`. */
    environmentId: z.string().optional(),
    /** With `waiting`: place in the queue, from 1. */
    position: z.number().int().positive().optional(),
  }),
  z.object({
    ...base,
    phase: z.literal('ready'),
    message: z.string(),
    /** Absent when only a build was asked for. */
    sessionId: z.string().optional(),
    /** Milliseconds from the request to here. */
    ms: z.number().nonnegative(),
    repoUrl: z.string(),
    refUrl: z.string(),
    environmentId: z.string(),
    /** Path below the session's base path to open, without a leading slash: `lab/tree/index.ipynb`. */
    open: z.string(),
    /** Added at the edge: the session's base address in path form, with a trailing slash. */
    url: z.string().optional(),
    /** Added at the edge: the token that goes with `url`. */
    token: z.string().optional(),
    /** Added at the edge: a one-time address for a browser. */
    browserUrl: z.string().optional(),
  }),
  z.object({
    ...base,
    phase: z.literal('failed'),
    /** In which phase it failed. */
    during: Phase,
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    retryable: z.boolean(),
    logTail: z.string().optional(),
  }),
]);
export type LaunchEvent = z.infer<typeof LaunchEvent>;
export type ProgressEvent = Extract<LaunchEvent, { kind: string }>;
export type ReadyEvent = Extract<LaunchEvent, { phase: 'ready' }>;
export type FailedEvent = Extract<LaunchEvent, { phase: 'failed' }>;

/** True for the two events after which a launch's log gets no more entries. */
export function isFinal(event: LaunchEvent): event is ReadyEvent | FailedEvent {
  return event.phase === 'ready' || event.phase === 'failed';
}
