import { BinderyError } from '@bindery/wire/errors.ts';
import type { Digest } from '@bindery/wire/ids.ts';
import type { Link } from '@bindery/wire/link.ts';
import { build, type BuildContext } from './build/build.ts';
import { checkout } from './checkout/checkout.ts';
import type { Context, LaunchRequest } from './contracts/context.ts';
import type { Session } from './contracts/engine.ts';
import type { BuildPlan } from './contracts/plan.ts';
import type { Source } from './contracts/source.ts';
import { lockPlan, type LockContext } from './lock/lock.ts';
import { makePlan, planId } from './plan/plan.ts';
import { resolve } from './resolve/resolve.ts';
import { startSession, type Made } from './session/session.ts';

/** From a link to an environment: everything but the session. */
export async function prepare(request: Pick<LaunchRequest, 'link' | 'options'>, ctx: BuildContext): Promise<Made> {
  const source = await resolve(request.link, ctx); //                        which commit?            resolving
  const tree = await checkout(source, ctx); //                               its files                fetching
  const plan = await makePlan(tree, withAsOf(request), ctx); //              what does it need?       planning   pure data
  mayRun(request, ctx); //                                                  what runs from here on is the repository's
  const lock = await lockPlan(plan, tree, { ...ctx, renewed: unwatched(ctx) }); // which packages exactly?  locking    found, or resolved once
  const retry = request.options.retry === true;
  const environment = await build(plan, lock, tree, { ...ctx, retry }); //   found by id, or built    waiting, building
  return { source, tree, plan, lock, environment };
}

/** The whole product in one function: a link becomes a running session. The hub gives it a route and a key; session/cull.ts ends it. */
export async function launch(request: LaunchRequest, ctx: BuildContext): Promise<Made & { readonly session?: Session }> {
  const made = await prepare(request, ctx);
  if (request.options.buildOnly === true) return made;
  const session = await startSession(request, made, ctx); //                 the launcher runs it     launching
  return { ...made, session };
}

/** Where no sandbox works, only what somebody vouches for goes further, and the log says how. @throws BinderyError sandbox_unavailable */
function mayRun({ options }: Pick<LaunchRequest, 'options'>, ctx: BuildContext): void {
  if (ctx.engine.isolated) return;
  if (options.trust !== true) throw new BinderyError('sandbox_unavailable', 'This machine cannot isolate what the repository would run.');
  ctx.emit({ phase: 'planning', kind: 'info', message: 'Not isolated: what this repository holds runs as you, with all that you may do.' });
}

/** A renewed lock's environment is built before launches get it, with nobody to watch or to wait for it. */
function unwatched(ctx: BuildContext): NonNullable<LockContext['renewed']> {
  return async (plan, lock, tree) => {
    await build(plan, lock, tree, { ...ctx, signal: new AbortController().signal, emit: () => {} });
  };
}

/** A date in the link counts where no option says otherwise. */
function withAsOf({ link, options }: { link: Link; options: LaunchRequest['options'] }): LaunchRequest['options'] {
  return link.asOf === undefined || options.asOf !== undefined ? options : { ...options, asOf: link.asOf };
}

/** What would be built, without building it. */
export async function planOf(
  request: Pick<LaunchRequest, 'link' | 'options'>,
  ctx: Context,
): Promise<{ source: Source; plan: BuildPlan; planId: Digest }> {
  const source = await resolve(request.link, ctx);
  const plan = await makePlan(await checkout(source, ctx), withAsOf(request), ctx);
  return { source, plan, planId: planId(plan) };
}
