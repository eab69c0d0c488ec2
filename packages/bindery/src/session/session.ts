import { formatV2 } from '@bindery/wire/link-v2.ts';
import { withRef, type Link } from '@bindery/wire/link.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Context, LaunchRequest } from '../contracts/context.ts';
import type { Engine, Environment, SavedWork, Session } from '../contracts/engine.ts';
import type { BuildPlan, Lock } from '../contracts/plan.ts';
import type { Source, Tree } from '../contracts/source.ts';

/** Everything the earlier stages found out. */
export interface Made {
  readonly source: Source;
  readonly tree: Tree;
  readonly plan: BuildPlan;
  readonly lock: Lock;
  readonly environment: Environment;
}

/** The last stage: a server of its own for this launch. Ends when the server answers. */
export async function startSession(request: LaunchRequest, made: Made, ctx: Context): Promise<Session> {
  const since = ctx.clock.monotonic();
  ctx.emit({ phase: 'launching', kind: 'begin', message: 'Starting the notebook server' });
  const log = {
    info: (message: string) => ctx.emit({ phase: 'launching', kind: 'info', message }),
    line: (message: string) => ctx.emit({ phase: 'launching', kind: 'log', message }),
  };
  const { restore } = request.options;
  const session = await ctx.engine.launcher.start(
    {
      id: request.sessionId,
      ...made,
      ...(restore === undefined ? {} : { restore: await savedWork(ctx.engine, restore) }),
      env: { ...request.env, ...sourceEnv(made.source, request.link) },
      trust: request.options.trust === true,
    },
    log,
    ctx.signal,
  );
  ctx.emit({ phase: 'launching', kind: 'done', message: 'The notebook server answers', ms: ctx.clock.monotonic() - since });
  return session;
}

/** What was saved of a session, as long as it is kept. @throws BinderyError saved_expired */
export async function savedWork(engine: Engine, id: string): Promise<SavedWork> {
  const saved = await engine.saved(id);
  if (saved) return saved;
  throw new BinderyError('saved_expired', `What was saved of session ${id} is no longer kept.`);
}

/** What a session may know of where it comes from (binder.md §3.4). */
function sourceEnv(source: Source, link: Link): Record<string, string> {
  return {
    BINDER_REPO_URL: source.url,
    BINDER_REF_URL: source.refUrl ?? source.url,
    BINDER_PERSISTENT_REQUEST: formatV2(withRef({ ...link, open: { kind: 'default' } }, source.ref)).replace(/^\//, ''),
  };
}
