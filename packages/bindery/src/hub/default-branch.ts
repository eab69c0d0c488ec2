import { BinderyError } from '@bindery/wire/errors.ts';
import { withRef, type Link } from '@bindery/wire/link.ts';
import { splitGhSpec } from '@bindery/wire/link-v2.ts';
import type { Context, LaunchRequest } from '../contracts/context.ts';
import type { Launched } from './launches.ts';

type Run = (request: LaunchRequest, ctx: Context) => Promise<Launched>;

/**
 * Keeps old links working: a GitHub repository that has no `master` or `main` any more is launched at its default branch,
 * and the log says so. Any other ref that is not there is a failure.
 */
export function withDefaultBranch(run: Run): Run {
  return async (request, ctx) => {
    try {
      return await run(request, ctx);
    } catch (error) {
      const ref = formerDefault(request.link);
      if (ref === undefined || !(error instanceof BinderyError) || error.code !== 'ref_not_found') throw error;
      ctx.emit({ phase: 'resolving', kind: 'info', message: insteadOf(ref) });
      return run({ ...request, link: withRef(request.link, 'HEAD') }, ctx);
    }
  };
}

/** The sentence that says it, also to clients of the old contract. */
export function insteadOf(ref: string): string {
  return `Trying again with HEAD instead of ${ref}. Please update your links.`;
}

/** The ref of a GitHub link, where it is a name that default branches have or had. */
export function formerDefault(link: Link): 'master' | 'main' | undefined {
  if (link.provider !== 'gh') return undefined;
  const { ref } = splitGhSpec(link.spec);
  return ref === 'master' || ref === 'main' ? ref : undefined;
}
