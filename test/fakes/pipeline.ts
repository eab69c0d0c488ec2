import { BinderyError } from '@bindery/wire/errors.ts';
import { splitGhSpec } from '@bindery/wire/link-v2.ts';
import type { Pipeline } from '../../packages/bindery/src/hub/hub.ts';
import type { Context, LaunchRequest } from '../../packages/bindery/src/contracts/context.ts';
import type { Source } from '../../packages/bindery/src/contracts/source.ts';
import { digestOf } from '../../packages/bindery/src/base/canonical.ts';
import { BARE_PLAN, EMPTY_TREE } from './bare-plan.ts';

const REF = 'a'.repeat(40);

/**
 * A pipeline without a network: `gh` links whose repository's name says what happens to them. `missing` has no such ref, `renamed` no `master`,
 * `broken` does not build, `dies` does not start, `bug` throws what nobody foresaw; all others are found built when the
 * engine has their environment, else built with a few lines of log.
 */
export function nullPipeline(hooks: { readonly during?: (request: LaunchRequest, ctx: Context) => Promise<void> } = {}): Pipeline {
  return {
    launch: async (request, ctx) => {
      const source = resolveNull(request, ctx);
      await hooks.during?.(request, ctx);
      ctx.signal.throwIfAborted();
      const { repo } = splitGhSpec(request.link.spec);
      const id = digestOf(repo);
      const found = await ctx.engine.builder.find(id);
      if (found) ctx.emit({ phase: 'building', kind: 'done', message: 'Found', ms: 0, cached: true, environmentId: id });
      const environment = found ?? (await buildNull(id, repo, ctx));
      if (request.options.buildOnly) return { source, environment };
      if (repo === 'dies') throw new BinderyError('start_failed', 'The notebook server ended with exit code 1.', { logTail: 'oops' });
      if (repo === 'bug') throw new TypeError('undefined is not a function');
      ctx.emit({ phase: 'launching', kind: 'begin', message: 'Starting the notebook server' });
      const lock = { ...(await ctx.engine.builder.lock(BARE_PLAN, EMPTY_TREE, quiet, ctx.signal)), planId: digestOf(BARE_PLAN) };
      const order = {
        id: request.sessionId,
        environment,
        plan: BARE_PLAN,
        lock,
        source,
        tree: EMPTY_TREE,
        env: request.env,
        trust: request.options.trust ?? false,
      };
      const session = await ctx.engine.launcher.start(order, quiet, ctx.signal);
      ctx.emit({ phase: 'launching', kind: 'done', message: 'The server answers', ms: 3 });
      return { source, environment, session };
    },
    plan: async (query) => ({
      link: { provider: 'gh', spec: query.link, open: { kind: 'default' } },
      source: { provider: 'gh', slug: query.link, url: `https://github.com/${query.link}`, ref: REF },
      planId: digestOf(BARE_PLAN),
      plan: { ...BARE_PLAN, steps: [], reads: [], findings: [] },
    }),
    collect: async () => ({ removed: [], freedBytes: 0 }),
  };
}

const quiet = { info: () => {}, line: () => {} };

function resolveNull({ link }: LaunchRequest, ctx: Context): Source {
  const { user, repo, ref } = splitGhSpec(link.spec);
  ctx.emit({ phase: 'resolving', kind: 'begin', message: `Looking up ${user}/${repo}` });
  if (repo === 'missing' || (repo === 'renamed' && ref === 'master'))
    throw new BinderyError('ref_not_found', `${user}/${repo} has no such branch, tag or commit.`);
  const url = `https://github.com/${user}/${repo}`;
  const refUrl = `${url}/tree/${REF}`;
  ctx.emit({
    phase: 'resolving',
    kind: 'done',
    message: `${user}/${repo} is at commit ${REF.slice(0, 10)}`,
    ms: 1,
    source: { provider: 'gh', url, ref: REF, refUrl },
  });
  return { provider: 'gh', slug: `${user}/${repo}`, url, ref: REF, refUrl };
}

async function buildNull(id: string, repo: string, ctx: Context): ReturnType<Context['engine']['builder']['build']> {
  ctx.emit({ phase: 'building', kind: 'begin', message: 'Building the environment' });
  ctx.emit({ phase: 'building', kind: 'log', message: 'Collecting numpy' });
  if (repo === 'broken') throw new BinderyError('build_failed', 'postBuild ended with exit code 3.', { logTail: 'line one\nline two' });
  const lock = { ...(await ctx.engine.builder.lock(BARE_PLAN, EMPTY_TREE, quiet, ctx.signal)), planId: digestOf(BARE_PLAN) };
  const environment = await ctx.engine.builder.build({ id, plan: BARE_PLAN, lock, tree: EMPTY_TREE }, quiet, ctx.signal);
  ctx.emit({ phase: 'building', kind: 'done', message: 'Built', ms: 5, environmentId: id });
  return environment;
}
