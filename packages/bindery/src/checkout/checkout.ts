import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { retry } from '../base/retry.ts';
import type { Context, Progress } from '../contracts/context.ts';
import type { Source, Tree } from '../contracts/source.ts';
import { gitProgress } from './git-progress.ts';
import { materialise } from './materialise.ts';
import { openTree } from './tree.ts';

/**
 * The third stage: the files of a commit, as a work tree of its own that is made once and shared, read-only, by every
 * launch of that commit. One that is there already costs no git; launches at the same time fetch once (I1).
 */
export async function checkout(source: Source, ctx: Context): Promise<Tree> {
  const begun = ctx.clock.monotonic();
  ctx.emit({ phase: 'fetching', kind: 'begin', message: `Fetching ${source.slug}` });
  const home = join(ctx.config.folders.cache, 'trees', treeKey(source));
  const there = await openTree(home);
  const tree =
    there?.tree ??
    (await ctx.trees.do(home, { signal: ctx.signal, tell: (event) => ctx.emit(event) }, (call) => fetchTree(source, home, ctx, call)));
  for (const note of there?.kept.notes ?? []) ctx.emit({ phase: 'fetching', kind: 'info', message: note });
  ctx.emit({
    phase: 'fetching',
    kind: 'done',
    message: there ? 'The files of this commit are here already' : 'The files are here',
    ms: ctx.clock.monotonic() - begun,
    cached: there !== undefined,
  });
  return tree;
}

async function fetchTree(
  source: Source,
  home: string,
  ctx: Context,
  call: { signal: AbortSignal; tell: (event: Progress) => void },
): Promise<Tree> {
  const line = gitProgress(ctx.clock, (message) => call.tell({ phase: 'fetching', kind: 'log', message }));
  const info = (message: string): void => call.tell({ phase: 'fetching', kind: 'info', message });
  const { config, worker, turns } = ctx;
  const { signal } = call;
  await retry(() => materialise(source, home, { config, worker, turns, signal, info, line }), {
    signal,
    onRetry: ({ message }) => info(`${message} Trying again.`),
  });
  const made = await openTree(home);
  if (!made) throw new Error(`no tree at ${home}`);
  return made.tree;
}

/** A work tree knows its origin, so the same commit of two repositories has two. */
export function treeKey(source: Pick<Source, 'url' | 'ref'>): string {
  return `${source.ref.slice(0, 16)}-${createHash('sha256').update(`${source.ref}\0${source.url}`).digest('hex').slice(0, 24)}`;
}
