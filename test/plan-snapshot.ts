import { join } from 'node:path';
import { LACKS } from '../packages/bindery/src/engines/local/engine.ts';
import { makePlan, planId } from '../packages/bindery/src/plan/plan.ts';
import { folderTree } from './fakes/folder-tree.ts';
import { quiet } from './fakes/plan-of.ts';

/** The plan of an example on the local engine as it is committed: what `bindery plan --json` says of it, formatted. */
export async function planSnapshot(name: string): Promise<string> {
  const tree = folderTree(join(import.meta.dirname, '..', 'examples', name));
  const plan = await makePlan(tree, {}, { ...quiet, engine: { lacks: LACKS } });
  return `${JSON.stringify({ planId: planId(plan), plan }, null, 2)}\n`;
}
