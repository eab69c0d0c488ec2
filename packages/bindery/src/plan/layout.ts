import type { Part } from '../contracts/pack.ts';
import type { BuildPlan } from '../contracts/plan.ts';

/** Requirements that are the server itself: a pinned one may be meant, or have come along with `pip freeze`. */
const SERVER = /^(?:jupyter|jupyterlab|jupyter-server|jupyterhub|notebook|nbclassic)(?![\w-])/;

/** One environment for server and kernel, or two? Settled here where files or people say so, else once the packages are known. */
export function settleLayout(parts: readonly Part[], asked: BuildPlan['layout']): Pick<BuildPlan, 'layout' | 'layoutBecause'> {
  if (asked !== 'auto') return { layout: asked, layoutBecause: 'asked for' };
  const reasons = parts.flatMap((part) => part.joint ?? []);
  if (reasons.length > 0) return { layout: 'joint', layoutBecause: reasons.join('; ') };
  const named = parts
    .flatMap((part) => part.steps)
    .flatMap((step) =>
      step.uses === 'python' || step.uses === 'locked-python' ? step.requirements : step.uses === 'conda' ? step.specs : [],
    )
    .flatMap((line) => SERVER.exec(line)?.[0] ?? []);
  const about = named.length === 0 ? 'no file touches the server' : `${[...new Set(named)].join(', ')} asked for`;
  return { layout: 'auto', layoutBecause: `${about}; the locked packages decide` };
}
