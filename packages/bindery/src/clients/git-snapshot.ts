import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { RunResult } from '../base/run.ts';
import { bareFolder, factsFile, fetchCommit, openBare, type CacheTools, type FetchOrder } from './git-cache.ts';
import { tail } from './git-errors.ts';
import { gitFolders } from './git-folder.ts';
import { watchSize } from './git-size.ts';
import type { GitCall } from './git.ts';

export interface SnapshotOrder extends Omit<FetchOrder, 'commit' | 'branch'> {
  readonly folder: string;
  /** The commit that the folder has checked out, if it is a repository with commits. */
  readonly head: string | undefined;
}

/** Files above this size are streamed into a pack, whose growth is watched. */
const STREAMED = 'core.bigFileThreshold=128k';

/** What the last snapshot of a folder found, so that an unchanged folder costs two short runs of git. */
const Last = z.object({ head: z.string(), headTree: z.string(), tree: z.string(), commit: z.string() });
type Last = z.infer<typeof Last>;

/**
 * The folder's files as they are now, ignored ones left out, as a commit in our own cache: `head` itself where nothing has
 * changed since. Nothing is written to the folder, and no setting of its repository is read. Unchanged files give the same commit again.
 */
export async function snapshotFolder(order: SnapshotOrder, tools: CacheTools): Promise<string> {
  const idLength = order.head?.length ?? 40;
  const bare = bareFolder(order.url, idLength, tools);
  let last = await readLast(bare);
  const isKnown = last?.head === (order.head ?? '');
  if (order.head && !isKnown) await fetchCommit({ ...order, commit: order.head }, tools);
  return tools.turns.take(bare, order.signal, async () => {
    await openBare(bare, idLength, tools, order.signal);
    last = await readLast(bare); // gone, if the cache was made anew
    const before = last?.head === (order.head ?? '') ? last : undefined;
    const tree = await writeTree(bare, before === undefined, order, tools);
    if (before?.tree === tree) return before.commit;
    const headTree = before?.headTree ?? (order.head ? await ask(bare, order, tools, ['rev-parse', `${order.head}^{tree}`]) : '');
    const commit = order.head && tree === headTree ? order.head : await commitTree(bare, tree, order, tools);
    await writeFile(factsFile(bare), JSON.stringify({ head: order.head ?? '', headTree, tree, commit } satisfies Last));
    return commit;
  });
}

async function readLast(bare: string): Promise<Last | undefined> {
  try {
    await stat(join(bare, 'HEAD'));
    return Last.parse(JSON.parse(await readFile(factsFile(bare), 'utf8')));
  } catch {
    return undefined; // none yet, or cut short by a crash: found out anew
  }
}

async function commitTree(bare: string, tree: string, order: SnapshotOrder, tools: CacheTools): Promise<string> {
  const parent = order.head ? ['-p', order.head] : [];
  const message = `The files of ${order.folder} as they were when launched`;
  const commit = await ask(bare, order, tools, ['commit-tree', ...parent, '-m', message, tree]);
  await ask(bare, order, tools, ['update-ref', `refs/bindery/${commit}`, commit]);
  return commit;
}

async function ask(bare: string, order: SnapshotOrder, tools: CacheTools, args: readonly string[]): Promise<string> {
  return done(await tools.git(args, ownCall(bare, order)), order.folder).stdout.trim();
}

/** Writes the folder's files into the cache by an index of our own, which remembers what it has seen. */
async function writeTree(bare: string, isNew: boolean, order: SnapshotOrder, tools: CacheTools): Promise<string> {
  const index = join(bare, 'bindery-index');
  await rm(`${index}.lock`, { force: true }); // left by a crash: the turn is ours
  const size = watchSize(bare, order.maxBytes, order.signal);
  const exclude = join(order.folder, '.git', 'info', 'exclude');
  const hasExclude = await stat(exclude).catch(() => undefined);
  const call: GitCall = {
    ...ownCall(bare, order),
    folder: order.folder,
    read: await gitFolders(order.folder),
    timeoutMs: order.timeoutMs,
    signal: size.signal,
    env: { GIT_DIR: bare, GIT_WORK_TREE: order.folder, GIT_INDEX_FILE: index },
  };
  try {
    if (order.head && isNew) done(await tools.git(['read-tree', '-i', '-m', order.head], call), order.folder);
    const ignore = hasExclude ? ['-c', `core.excludesFile=${exclude}`] : [];
    done(await tools.git([...ignore, '-c', STREAMED, 'add', '--all', '--', '.'], call), order.folder);
    return done(await tools.git(['write-tree'], call), order.folder).stdout.trim();
  } finally {
    size.stop();
  }
}

function ownCall(bare: string, order: SnapshotOrder): GitCall {
  return { folder: bare, write: [bare], timeoutMs: 30_000, signal: order.signal };
}

function done(result: RunResult, folder: string): RunResult {
  if (result.code === 0) return result;
  if (/no space left|quota exceeded/i.test(result.stderr))
    throw new BinderyError('disk_full', 'The disk is full.', { logTail: tail(result.stderr) });
  const unborn = /'([^'\n]+?)\/?' does not have a commit checked out/.exec(result.stderr)?.[1];
  if (unborn)
    throw new BinderyError('tree_invalid', `${join(folder, unborn)} is a repository of its own that has no commits yet.`, {
      hint: 'Commit something in it, or leave it out by .gitignore.',
    });
  const denied = /(?:open|opendir|unable to (?:read|stat))\(?["' ]+([^"'\n]*)["']?\)?:? .*Permission denied/i.exec(result.stderr)?.[1];
  throw new BinderyError(
    'fetch_failed',
    denied ? `The hub may not read ${join(folder, denied)}.` : `The files of ${folder} could not be read.`,
    {
      hint: 'Let everybody read the folder, or leave the file out by .gitignore.',
      retryable: false,
      logTail: tail(result.stderr),
    },
  );
}
