import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { PlanQuery, PlanView } from '@bindery/wire/api.ts';
import type { Context, LaunchRequest, Shared } from '../contracts/context.ts';
import { createListener } from '../proxy/listener.ts';
import type { Proxy } from '../proxy/proxy.ts';
import { instant } from '../base/clock.ts';
import { createApp } from './app.ts';
import { ownPath } from './callers.ts';
import { addressOf, closeDoor, openDoor, type OpenDoor } from '../base/doors.ts';
import { checkExposure } from './exposure.ts';
import { enterUrl } from './hub-api.ts';
import type { Launched, Launches } from './launches.ts';
import type { Example, HubParts } from './parts.ts';
import { makeRooms, type Rooms } from './rooms.ts';
import { keyIn } from '../base/secrets.ts';
import type { Sessions } from './sessions.ts';
import { StateLock } from '../base/state-lock.ts';

/** The story of a launch (pipeline.ts), as the hub needs it. */
export interface Pipeline {
  readonly launch: (request: LaunchRequest, ctx: Context) => Promise<Launched>;
  readonly plan: (query: PlanQuery, ctx: Context) => Promise<PlanView>;
  /** Removes environments: those above the size limit, or all that no session uses. */
  readonly collect: (all: boolean) => Promise<{ removed: string[]; freedBytes: number }>;
  /** Ends what goes on without a launch: builds that nobody watches any more. */
  readonly close?: () => Promise<void>;
}

export interface HubOptions {
  readonly pipeline: Pipeline;
  readonly examples?: readonly Example[];
  /** Folder of the built page; default: that of this program. */
  readonly web?: string;
  /** Launches that run at once; the others wait. */
  readonly concurrent?: number;
  /** How long streams of the old contract stay open after their last event, in milliseconds. */
  readonly lingerMs?: number;
  /** Bytes of memory that are free now. */
  readonly freeMemory?: () => number;
}

/** A hub that runs. */
export interface Hub {
  /** Where it is reached, without a trailing slash: `http://localhost:8585`. */
  readonly url: string;
  /** Port on which it listens. */
  readonly port: number;
  readonly key: string;
  readonly proxy: Proxy;
  readonly sessions: Sessions;
  readonly launches: Launches;
  /** A one-time link that lets a browser in and shows `next`. */
  enterUrl(next?: string): string;
  /** Ends the hub: launches under way fail as interrupted; sessions are stopped, or kept for the next hub. */
  close(sessions: 'stop' | 'keep'): Promise<void>;
  /** Resolves when the hub has ended, by whomever. */
  readonly closed: Promise<void>;
}

/** As BinderHub does it. */
const LINGER_MS = 60_000;
/** Time that requests under way have when the hub ends, in milliseconds. */
const DRAIN_MS = 2000;
/** Leases are renewed so often within their life. */
const RENEWALS = 5;

/** Starts a hub: takes the state folder, adopts what an earlier hub left there (I3), opens its doors. */
export async function createHub(shared: Shared, options: HubOptions): Promise<Hub> {
  checkExposure(shared);
  const { state } = shared.config.folders;
  await mkdir(state, { recursive: true, mode: 0o700 });
  const lock = await StateLock.take(state, 'hub');
  try {
    return await open(shared, options, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function open(shared: Shared, options: HubOptions, lock: StateLock): Promise<Hub> {
  const { config, clock, log } = shared;
  const doors: OpenDoor[] = [];
  const ended = Promise.withResolvers<void>();
  const key = await keyIn(join(config.folders.state, 'hub.key'));
  const url = (): string => addressOf(config.hub, doors[0]?.port ?? 0);
  const second = (): string | undefined => doors[1] && `http://localhost:${doors[1].port}`;
  const web = options.web ?? fileURLToPath(new URL('../../../web/dist', import.meta.url));
  const rooms = makeRooms(shared, { ...options, web }, key, { hub: url, second });
  const { callers, proxy, sessions, launches } = rooms;
  const startedAt = instant(clock);
  const version = ownVersion();
  const parts: HubParts = {
    ...rooms,
    shared,
    version,
    startedAt,
    plan: (query, signal) => options.pipeline.plan(query, { ...shared, signal, emit: () => {} }),
    collect: options.pipeline.collect,
    examples: options.examples ?? [],
    web,
    shutdown: (choice) => {
      close(choice).catch((error: unknown) => log.error({ err: error }, 'the hub did not end well'));
    },
  };

  await rooms.store.open();
  await sessions.adopt();
  await openDoors(parts, options, doors);
  await lock.announce(url(), startedAt, version);
  rooms.culler.start();
  shared.engine.warm?.();
  const stopRenewing = renewLeases(shared);

  let closing: Promise<void> | undefined;
  const close = (choice: 'stop' | 'keep'): Promise<void> => {
    closing ??= endHub({ shared, pipeline: options.pipeline, rooms, doors, lock, stopRenewing }, choice).finally(ended.resolve);
    return closing;
  };
  return {
    url: url(),
    port: doors[0]?.port ?? 0,
    key,
    proxy,
    sessions,
    launches,
    enterUrl: (next) => enterUrl(url(), callers.issueEnter(), ownPath(next)),
    close,
    closed: ended.promise,
  };
}

/** The hub's own door, and on loopback a second one for sessions, for browsers that don't know `<id>.localhost`. */
async function openDoors(parts: HubParts, options: HubOptions, doors: OpenDoor[]): Promise<void> {
  const { host, port, publicUrl, trustedProxies } = parts.shared.config.hub;
  const app = await createApp(parts, { lingerMs: options.lingerMs ?? LINGER_MS, trustedProxies });
  doors.push(await openDoor(host, port, () => createListener(parts.proxy, { next: (req, res) => app.routing(req, res) })));
  if (publicUrl !== undefined) return;
  const next = port === 0 ? 0 : (doors[0]?.port ?? 0) + 1;
  try {
    doors.push(await openDoor(host, next, () => createListener(parts.proxy, { door: 'sessions' })));
  } catch (error) {
    await Promise.all(doors.map(closeDoor));
    throw error;
  }
}

/** Tells the engine again and again that this hub lives, so that its sessions do. */
function renewLeases({ engine, config, log }: Shared): () => void {
  const renew = (): void => void engine.renew().catch((error: unknown) => log.error({ err: error }, 'leases not renewed'));
  renew();
  const timer = setInterval(renew, (config.session.lease * 1000) / RENEWALS).unref();
  return () => clearInterval(timer);
}

interface Ending {
  readonly shared: Shared;
  readonly pipeline: Pipeline;
  readonly rooms: Rooms;
  readonly doors: readonly OpenDoor[];
  readonly lock: StateLock;
  readonly stopRenewing: () => void;
}

async function endHub({ shared, pipeline, rooms, doors, lock, stopRenewing }: Ending, sessions: 'stop' | 'keep'): Promise<void> {
  stopRenewing();
  await rooms.culler.close();
  await rooms.launches.close();
  if (sessions === 'stop') await rooms.sessions.stopAll('shutdown');
  await rooms.proxy.close({ graceMs: DRAIN_MS });
  await rooms.documents.close();
  await Promise.all(doors.map(closeDoor));
  await rooms.records.settled();
  await pipeline.close?.();
  await shared.engine.close();
  await lock.release();
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
