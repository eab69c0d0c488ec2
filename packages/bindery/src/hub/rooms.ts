import { freemem } from 'node:os';
import { join } from 'node:path';
import type { Shared } from '../contracts/context.ts';
import { pageToOpen } from '../link/link.ts';
import { createProxy, type Proxy } from '../proxy/proxy.ts';
import { Culler } from '../session/cull.ts';
import { Beside } from '../supernode/beside.ts';
import { isOurs } from '../supernode/collaboration.ts';
import { Admission } from './admission.ts';
import { Callers } from './callers.ts';
import { withDefaultBranch } from './default-branch.ts';
import { hostNames, isOpen } from './exposure.ts';
import type { HubOptions } from './hub.ts';
import { linkAgain } from './launch-environment.ts';
import { Launches } from './launches.ts';
import { LaunchStore } from './launch-store.ts';
import { Metrics } from './metrics.ts';
import { RateLimit } from './rate-limit.ts';
import { Rights } from './rights.ts';
import { derived } from '../base/secrets.ts';
import { sessionPages } from './session-pages.ts';
import { SessionRecords } from './session-records.ts';
import { Sessions } from './sessions.ts';

/** Launches that run at once; the others wait. */
const CONCURRENT = 64;
const MOST_WAITING = 500;
/** Time that a session has to end in peace, in milliseconds. */
const GRACE_MS = 10_000;

/** macOS counts as used what it gives up as soon as somebody asks: nothing waits for that. */
const freeMemory = process.platform === 'darwin' ? () => Infinity : freemem;

/** The parts of a hub, put together; none of them has begun yet. */
export interface Rooms {
  readonly callers: Callers;
  readonly rights: Rights;
  readonly proxy: Proxy;
  readonly records: SessionRecords;
  readonly sessions: Sessions;
  /** The process that keeps shared documents. */
  readonly documents: Beside;
  readonly culler: Culler;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly store: LaunchStore;
  readonly launches: Launches;
}

/** Addresses that are known once the doors are open. */
export interface Addresses {
  readonly hub: () => string;
  /** Of the listener on a second port, where there is one. */
  readonly second: () => string | undefined;
}

/** Puts the parts of a hub together. They know each other by functions, so that each can be tried alone. */
export function makeRooms(shared: Shared, options: HubOptions & { readonly web: string }, key: string, addresses: Addresses): Rooms {
  const { config, clock, log, engine } = shared;
  const { launchesPerHour } = config.hub;
  const callers = new Callers({
    key,
    allowOrigins: config.hub.allowOrigins,
    publicUrl: config.hub.publicUrl,
    now: () => clock.monotonic(),
  });
  const rate = launchesPerHour > 0 ? new RateLimit(launchesPerHour, () => clock.monotonic()) : undefined;
  const rights = new Rights({ open: isOpen(config), isolated: engine.isolated, rate });
  const proxy = createProxy({
    clock,
    log,
    hosts: hostNames(config),
    explain: (id) => sessions.explain(id, `${addresses.hub()}/sessions`),
    hubUrl: (id) => `${addresses.hub()}/${id === undefined ? '' : 'sessions'}`,
    portUrl: addresses.second,
    pages: (...asked) => sessionPages(sessions, options.web)(...asked),
    onActivity: (id, activeAt) => sessions.noteActivity(id, activeAt),
    secret: derived(key, 'session cookies'),
  });
  const records = new SessionRecords(join(config.folders.state, 'routes'), log);
  const documents = new Beside({ folder: join(config.folders.state, 'documents'), log });
  const sessions: Sessions = new Sessions({
    engine,
    proxy,
    records,
    clock,
    documents: {
      takes: isOurs,
      put: ({ basePath, ...session }) => documents.put({ ...session, url: `http://localhost${basePath}` }),
      flush: (id) => documents.flush(id),
      remove: (id) => documents.remove(id),
      keepOnly: (ids) => documents.keepOnly(ids),
    },
    culling: { view: (session) => culler.view(session), keepAlive: (session) => culler.keepAlive(session) },
    keepSaved: config.session.keepSaved,
    onEnd: (view) => {
      metrics.sessionEnded(view);
      admission.look();
    },
  });
  const culler = makeCuller(shared, proxy, sessions);
  const admission = new Admission({
    concurrent: options.concurrent ?? CONCURRENT,
    waiting: MOST_WAITING,
    maximum: config.session.maximum,
    freeMemory: config.session.freeMemory,
    free: options.freeMemory ?? freeMemory,
    sessions: () => sessions.count,
  });
  const metrics = new Metrics({
    sessions: () => sessions.count,
    running: () => admission.running,
    waiting: () => admission.waiting,
    providers: new Set(shared.providers.keys()),
  });
  const store = new LaunchStore(join(config.folders.state, 'launches'), log);
  const launches = new Launches({
    shared,
    admission,
    store,
    run: withDefaultBranch(options.pipeline.launch),
    onSession: (session, { id, link, header, options: { python, conda, epoch, layout, strict } }) =>
      sessions.add(session, {
        launchId: id,
        keyHash: header.keyHash,
        open: pageToOpen(link, session.source),
        link: linkAgain(link, session.source.ref),
        options: { python, conda, epoch, layout, strict },
      }),
    onEnd: (launch) => metrics.launchEnded(launch),
  });
  return { callers, rights, proxy, records, sessions, documents, culler, admission, metrics, store, launches };
}

function makeCuller({ config, clock, log }: Shared, proxy: Proxy, sessions: Sessions): Culler {
  const { idle, maxAge, warning } = config.session;
  return new Culler({
    clock,
    log,
    limits: { idleMs: idle * 1000, maxAgeMs: maxAge * 1000, warningMs: warning * 1000, graceMs: GRACE_MS },
    sessions: () => sessions.running(),
    activity: (id) => proxy.activity(id),
    busyKernels: (id) => proxy.busyKernels(id),
    touch: (id) => proxy.touch(id),
    stop: (id, reason, graceMs) => sessions.stop(id, reason, graceMs),
  });
}
