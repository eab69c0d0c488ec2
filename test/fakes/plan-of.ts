import { packs } from '../../packages/bindery/src/hub/packs.ts';
import { makePlan } from '../../packages/bindery/src/plan/plan.ts';
import type { PlanContext } from '../../packages/bindery/src/plan/plan.ts';
import type { BuildPlan, Step } from '../../packages/bindery/src/contracts/plan.ts';
import type { LaunchOptions } from '../../packages/wire/src/api.ts';
import { treeOf } from './folder-tree.ts';

/** A context in which time stands still and nobody listens. */
export const quiet: PlanContext = { clock: { now: () => 0, monotonic: () => 0 }, emit: () => undefined, packs, engine: {} };

/** The plan for files given by name, by every pack there is. */
export async function planOf(files: Readonly<Record<string, string | Uint8Array>>, options: LaunchOptions = {}): Promise<BuildPlan> {
  return makePlan(treeOf(files), options, quiet);
}

/** What a plan says of a file: `effect: why`. */
export function saidOf(plan: BuildPlan, file: string): string[] {
  return plan.findings.filter((finding) => finding.file === file).map((finding) => `${finding.effect}: ${finding.why}`);
}

/** The steps of one kind. */
export function stepsOf<Uses extends Step['uses']>(plan: BuildPlan, uses: Uses): Extract<Step, { uses: Uses }>[] {
  return plan.steps.filter((step): step is Extract<Step, { uses: Uses }> => step.uses === uses);
}
