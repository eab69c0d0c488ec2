import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { RunResult } from '../base/run.ts';
import { bareFolder, fetchCommit, openBare, type CacheTools, type FetchOrder } from './git-cache.ts';
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

/**
 * The folder's files as they are now, ignored ones left out, as a commit in our own cache: `head` itself where nothing has
 * changed since. Nothing is written to the folder, and no setting of its repository is read. The same files give the same commit.
 */
export async function snapshotFolder(order: SnapshotOrder, tools: CacheTools): Promise<string> {
  const idLength = order.head?.length ?? 40;
  if (order.head) await fetchCommit({ ...order, commit: order.head }, tools);
  const bare = bareFolder(order.url, idLength, tools);
  return tools.turns.take(bare, order.signal, async () => {
    await openBare(bare, idLength, tools, order.signal);
    const tree = await writeTree(bare, order, tools);
    const git = async (...args: string[]): Promise<string> => done(await tools.git(args, ownCall(bare, order)), order.folder).stdout.trim();
    if (order.head && (await git('rev-parse', `${order.head}^{tree}`)) === tree) return order.head;
    const name = order.head ? `refs/bindery/changed-${order.head}` : 'refs/bindery/plain';
    const last = await tools.git(['log', '-1', '--format=%H%n%T', name, '--'], ownCall(bare, order));
    const [commit = '', of = ''] = last.stdout.trim().split('\n');
    if (of === tree) return commit;
    const parent = order.head ? ['-p', order.head] : [];
    const made = await git('commit-tree', ...parent, '-m', `The files of ${order.folder} as they were when launched`, tree);
    await git('update-ref', name, made);
    await git('update-ref', `refs/bindery/${made}`, made);
    return made;
  });
}

/** Writes the folder's files into the cache by an index of our own, which remembers what it has seen. */
async function writeTree(bare: string, order: SnapshotOrder, tools: CacheTools): Promise<string> {
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
    if (order.head) done(await tools.git(['read-tree', '-i', '-m', order.head], call), order.folder);
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
