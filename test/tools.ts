import { join } from 'node:path';
import { ConfigSchema } from '../packages/bindery/src/base/config.ts';
import { sameUser } from '../packages/bindery/src/base/worker.ts';
import { findUv } from '../packages/bindery/src/clients/uv.ts';
import { Interpreters } from '../packages/bindery/src/engines/local/interpreters.ts';

/** Where tests keep what is costly to fetch or to find out, and the same for all: uv, what the interpreters of this machine are. */
export const TOOLS = join(import.meta.dirname, '../node_modules/.cache/bindery-tests');

/** Path of a tested uv, fetched from the machine's own index once. */
export async function toolUv(): Promise<string> {
  const config = ConfigSchema.parse({ folders: { state: TOOLS, cache: TOOLS } });
  const signal = AbortSignal.timeout(120_000);
  return (await findUv({ config, worker: sameUser, variables: process.env, say: (text) => console.error(text), signal })).path;
}

/** File in which the answers of this machine's interpreters are remembered; copied into a cache folder it spares asking them. */
export async function interpreterFacts(): Promise<string> {
  const config = ConfigSchema.parse({ folders: { state: TOOLS, cache: TOOLS } });
  const uv = (): never => {
    throw new Error('not needed');
  };
  await new Interpreters({ config, worker: sameUser, variables: process.env, uv }).list(AbortSignal.timeout(120_000));
  return join(TOOLS, 'interpreters.json');
}
