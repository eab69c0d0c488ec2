import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchView } from '@bindery/wire/api.ts';
import { LaunchEvent } from '@bindery/wire/events.ts';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { ConfigSchema, type Config } from '../../packages/bindery/src/base/config.ts';
import { Flight } from '../../packages/bindery/src/base/flight.ts';
import { LockFolder } from '../../packages/bindery/src/lock/lock-folder.ts';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { Turns } from '../../packages/bindery/src/base/turns.ts';
import { sameUser } from '../../packages/bindery/src/base/worker.ts';
import type { Shared } from '../../packages/bindery/src/contracts/context.ts';
import type { Provider } from '../../packages/bindery/src/contracts/provider.ts';
import { createHub, type Hub, type HubOptions } from '../../packages/bindery/src/hub/hub.ts';
import { NullEngine } from './engine.ts';
import { nullPipeline } from './pipeline.ts';

export interface NullHubOptions extends Partial<HubOptions> {
  readonly config?: { readonly hub?: Partial<Config['hub']>; readonly session?: Partial<Config['session']> };
  readonly engine?: NullEngine;
  /** State folder; a temporary one if not given. */
  readonly state?: string;
}

/** A true hub on a free port, whose engine and pipeline do nothing. */
export interface NullHub {
  readonly hub: Hub;
  readonly engine: NullEngine;
  readonly state: string;
  readonly url: string;
  readonly port: number;
  /** Headers that bring the hub key. */
  readonly auth: Readonly<Record<string, string>>;
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly launch: (link: string, more?: Record<string, unknown>) => Promise<LaunchView>;
  /** A launch's entries to the final one. */
  readonly events: (id: string, headers?: Record<string, string>) => Promise<LaunchEvent[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function nullHub(options: NullHubOptions = {}): Promise<NullHub> {
  const state = options.state ?? (await mkdtemp(join(tmpdir(), 'null-hub-')));
  const engine = options.engine ?? (await NullEngine.start());
  const clean = async (): Promise<void> => {
    if (!options.engine) await engine.end();
    if (options.state === undefined) await rm(state, { recursive: true, force: true });
  };
  const defaults = { pipeline: nullPipeline(), lingerMs: 50, freeMemory: () => 2 ** 40 };
  const hub = await createHub(nullShared(engine, state, options), { ...defaults, ...options }).catch(async (error: unknown) => {
    await clean();
    throw error;
  });
  const auth = { authorization: `Bearer ${hub.key}` };
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(hub.url + path, { redirect: 'manual', ...init, headers: { ...auth, ...(init.headers as Record<string, string> | undefined) } });
  return {
    hub,
    engine,
    state,
    url: hub.url,
    port: hub.port,
    auth,
    fetch: ask,
    launch: async (link, more = {}) => {
      const body = JSON.stringify({ link, ...more });
      const response = await ask('/api/v1/launches', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as LaunchView;
    },
    events: async (id, headers = {}) => {
      const response = await ask(`/api/v1/launches/${id}/events`, { headers: { accept: 'application/x-ndjson', ...headers } });
      const lines = (await response.text()).split('\n').filter((line) => line !== '');
      return lines.map((line) => LaunchEvent.parse(JSON.parse(line)));
    },
    [Symbol.asyncDispose]: async () => {
      await hub.close('stop');
      await clean();
    },
  };
}

function nullShared(engine: NullEngine, state: string, { config = {} }: NullHubOptions): Shared {
  const provider = (id: string): [string, Provider] => [
    id,
    {
      id,
      displayName: id === 'gh' ? 'GitHub' : 'Git repository',
      parse: (spec) => ({ slug: spec, repository: spec, ref: 'HEAD' }),
      resolve: async () => Promise.reject(new Error('not asked')),
    },
  ];
  return {
    config: ConfigSchema.parse({
      folders: { state, cache: join(state, 'cache') },
      hub: { port: 0, log: 'silent', ...config.hub },
      session: config.session ?? {},
    }),
    log: makeLog('silent'),
    clock: systemClock,
    engine,
    providers: new Map([provider('gh'), provider('git')]),
    packs: [],
    sources: new Flight(systemClock),
    trees: new Flight(systemClock),
    turns: new Turns(),
    locks: new LockFolder(join(state, 'cache', 'locks'), systemClock),
    worker: sameUser,
  };
}
