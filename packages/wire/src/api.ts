import { z } from 'zod';
import { LaunchId, SessionId, Instant } from './ids.ts';
import { LaunchEvent } from './events.ts';
import { Link } from './link.ts';

/** Choices of one launch beside its link. */
export const LaunchOptions = z.object({
  /** Packages as they were then: a date, or `commit` for the date of the commit. */
  asOf: z.string().optional(),
  /** `pypi` takes from PyPI what a conda file names and PyPI has. */
  conda: z.enum(['channels', 'pypi']).optional(),
  /** A file that this engine cannot apply fails the launch. */
  strict: z.boolean().optional(),
  /** Run as the user, not isolated, where no sandbox works. */
  trust: z.boolean().optional(),
  layout: z.enum(['auto', 'split', 'joint']).optional(),
  /** Environment variables for the session: names `A-Z0-9_`, at most 64. */
  ref: z.string().optional(),
  path: z.string().optional(),
  urlpath: z.string().optional(),
});
export type LaunchOptions = z.infer<typeof LaunchOptions>;

/** POST /api/v1/launches */
export const CreateLaunch = z.object({ link: z.string().min(1).max(4096), options: LaunchOptions.optional() });
export type CreateLaunch = z.infer<typeof CreateLaunch>;

/** A launch as the API shows it. `key` is returned once, to whoever created it: it opens the session. */
export const LaunchView = z.object({
  id: LaunchId,
  link: Link,
  createdAt: Instant,
  state: z.enum(['running', 'ready', 'failed', 'cancelled']),
  last: LaunchEvent.optional(),
  sessionId: SessionId.optional(),
  key: z.string().optional(),
});
export type LaunchView = z.infer<typeof LaunchView>;

export const SessionState = z.enum(['starting', 'running', 'ending', 'ended']);
export type SessionState = z.infer<typeof SessionState>;

/** Why a session ended. */
export const EndReason = z.enum(['stopped', 'idle', 'age', 'memory', 'disk', 'processes', 'crash', 'start', 'abandoned', 'shutdown']);
export type EndReason = z.infer<typeof EndReason>;

export const SessionView = z.object({
  id: SessionId,
  state: SessionState,
  repoUrl: z.string(),
  ref: z.string(),
  refUrl: z.string(),
  environmentId: z.string(),
  startedAt: Instant,
  /** Last user input or kernel work. */
  activeAt: Instant,
  /** When the session will be ended if nothing happens, and why. */
  endsAt: Instant.optional(),
  endsBecause: EndReason.optional(),
  endedAt: Instant.optional(),
  endReason: EndReason.optional(),
  message: z.string().optional(),
  /** Bytes of changed files saved at the end. */
  savedBytes: z.number().int().optional(),
  memoryBytes: z.number().int().optional(),
  isolated: z.boolean(),
});
export type SessionView = z.infer<typeof SessionView>;

/** Every error answer of the new contract. */
export const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;
