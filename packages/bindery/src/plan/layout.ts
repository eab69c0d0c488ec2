import type { Part } from '../contracts/pack.ts';
import type { BuildPlan } from '../contracts/plan.ts';

/** One environment for server and kernel, or two? Settled here where files or people say so, else once the packages are known. */
export function settleLayout(parts: readonly Part[], asked: BuildPlan['layout']): Pick<BuildPlan, 'layout' | 'layoutBecause'> {
  if (asked !== 'auto') return { layout: asked, layoutBecause: 'asked for' };
  const reasons = parts.flatMap((part) => part.joint ?? []);
  if (reasons.length > 0) return { layout: 'joint', layoutBecause: reasons.join('; ') };
  return { layout: 'auto', layoutBecause: 'no file touches the server; the locked packages decide' };
}
