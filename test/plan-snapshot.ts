import { join } from 'node:path';
import { packs } from '../packages/bindery/src/hub/packs.ts';
import { makePlan, planId } from '../packages/bindery/src/plan/plan.ts';
import type { LaunchOptions } from '../packages/wire/src/api.ts';
import { folderTree } from './fakes/folder-tree.ts';

/** Options an example is meant to be launched with. */
const OPTIONS: Readonly<Record<string, LaunchOptions>> = { 'as-of': { asOf: '2024-03-01' } };

/** The plan of an example as it is committed: formatted, with its id. */
export async function planSnapshot(name: string): Promise<string> {
  const tree = folderTree(join(import.meta.dirname, '..', 'examples', name));
  const clock = { now: () => 0, monotonic: () => 0 };
  const plan = await makePlan(tree, OPTIONS[name] ?? {}, { clock, emit: () => undefined, packs, engine: {} });
  return `${JSON.stringify({ planId: planId(plan), plan }, null, 2)}\n`;
}
