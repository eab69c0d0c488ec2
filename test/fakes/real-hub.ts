import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LaunchEvent, type ReadyEvent } from '@bindery/wire/events.ts';
import { ConfigSchema } from '../../packages/bindery/src/base/config.ts';
import type { LocalEngine } from '../../packages/bindery/src/engines/local/engine.ts';
import { assemble } from '../../packages/bindery/src/hub/assemble.ts';
import { createHub, type Hub } from '../../packages/bindery/src/hub/hub.ts';

/** Packages and the server runtime are the same for all tests: one cache, which two hubs may use at once. */
export const SHARED_CACHE = join(tmpdir(), `bindery-tests-${process.getuid?.() ?? 'me'}`);

/** A hub as people run it, with the local engine, a state folder of its own, on a free port. */
export interface RealHub extends AsyncDisposable {
  readonly hub: Hub;
  readonly engine: LocalEngine;
  readonly state: string;
  /** Asks the API with the hub key. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  /** Launches and follows the log to its end. */
  readonly launch: (link: string, options?: Record<string, unknown>) => Promise<LaunchEvent[]>;
  /** Launches; fails unless it gets ready. */
  readonly ready: (link: string, options?: Record<string, unknown>) => Promise<ReadyEvent & { url: string; token: string }>;
}

export interface RealHubOptions {
  readonly settings?: Record<string, unknown>;
  readonly state?: string;
  readonly cache?: string;
}

export async function realHub({ settings = {}, state, cache = SHARED_CACHE }: RealHubOptions = {}): Promise<RealHub> {
  const folder = state ?? (await mkdtemp(join(tmpdir(), 'bindery-hub-')));
  const config = ConfigSchema.parse({
    ...settings,
    folders: { state: folder, cache },
    hub: { port: 0, log: 'error', ...(settings['hub'] as object | undefined) },
  });
  const { shared, pipeline } = await assemble(config);
  const hub = await createHub(shared, { pipeline, lingerMs: 50 });
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(hub.url + path, {
      redirect: 'manual',
      ...init,
      headers: {
        authorization: `Bearer ${hub.key}`,
        ...(init.body ? { 'content-type': 'application/json' } : {}),
        ...(init.headers as Record<string, string> | undefined),
      },
    });
  const launch = async (link: string, options: Record<string, unknown> = {}): Promise<LaunchEvent[]> => {
    const created = await ask('/api/v1/launches', { method: 'POST', body: JSON.stringify({ link, options }) });
    if (created.status !== 201) throw new Error(`${created.status} ${await created.text()}`);
    const { id, key } = (await created.json()) as { id: string; key: string };
    const response = await ask(`/api/v1/launches/${id}/events`, { headers: { accept: 'application/x-ndjson', 'launch-key': key } });
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => LaunchEvent.parse(JSON.parse(line)));
  };
  return {
    hub,
    engine: shared.engine,
    state: folder,
    ask,
    launch,
    ready: async (link, options) => {
      const events = await launch(link, options);
      const last = events.at(-1);
      if (last?.phase !== 'ready' || last.url === undefined || last.token === undefined)
        throw new Error(`not ready: ${JSON.stringify(events.slice(-8), undefined, 1)}`);
      return { ...last, url: last.url, token: last.token };
    },
    [Symbol.asyncDispose]: async () => {
      await hub.close('stop');
      if (state === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
