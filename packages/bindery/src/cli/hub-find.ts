import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HubClient } from '@bindery/wire/client.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { readRecord } from '../base/state-lock.ts';

/** A hub that runs and accepts our key. */
export interface FoundHub {
  readonly url: string;
  readonly pid: number;
  readonly client: HubClient;
}

/**
 * The hub that runs on the configured state folder; undefined when there is none. A record that a dead hub left is not
 * believed (its process is looked at), and the hub must know our key.
 * @throws BinderyError unauthorized, hub_unreachable
 */
export async function findHub(config: Config): Promise<FoundHub | undefined> {
  const folder = config.folders.state;
  const record = await readRecord(folder, 'hub');
  if (!record) return undefined;
  const key = await readFile(join(folder, 'hub.key'), 'utf8').catch((error: unknown) => {
    throw new BinderyError('unauthorized', `The hub key in ${folder} cannot be read.`, {
      hint: 'Run the command as the user who started the hub.',
      cause: error,
    });
  });
  const client = new HubClient({ url: record.url, key: key.trim() });
  const { authorized } = await client.info();
  if (!authorized) throw new BinderyError('unauthorized', `The hub at ${record.url} does not know the key in ${folder}.`);
  return { url: record.url, pid: record.pid, client };
}

/** The hub that runs, or an error that says how to get one. */
export async function needHub(config: Config): Promise<FoundHub> {
  const hub = await findHub(config);
  if (hub) return hub;
  throw new BinderyError('hub_unreachable', `No hub runs on ${config.folders.state}.`, {
    hint: 'Start one with bindery launch or bindery serve. A hub with another state folder is named with --state.',
    retryable: false,
  });
}
