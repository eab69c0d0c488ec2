import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { urlFolder } from '@bindery/wire/link-git.ts';
import type { RunResult } from '../base/run.ts';
import type { Turns } from '../base/turns.ts';
import type { Worker } from '../base/worker.ts';
import { LOCAL_UPLOAD, type Git } from './git.ts';
import { remoteError, tail } from './git-errors.ts';
import { gitFolders } from './git-folder.ts';
import { watchSize } from './git-size.ts';

/** What the cache of repositories works with. */
export interface CacheTools {
  readonly git: Git;
  readonly worker: Worker;
  readonly turns: Turns;
  /** Where the bare repositories lie, one for each address. */
  readonly folder: string;
}

export interface FetchOrder {
  readonly url: string;
  /** The commit that is wanted. */
  readonly commit: string;
  /** Where to look for it on servers that give no commit by its name. */
  readonly branch?: string | undefined;
  readonly protocols: readonly string[];
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

/**
 * Brings one commit with all its files, and no history, into the repository's bare cache; returns the cache's folder and
 * whether anything was fetched. The cache may be thrown away at any time: one that a crash left locked is.
 */
export async function fetchCommit(order: FetchOrder, tools: CacheTools): Promise<{ bare: string; fetched: boolean }> {
  const bare = bareFolder(order.url, order.commit.length, tools);
  return tools.turns.take(bare, order.signal, async () => {
    await openBare(bare, order.commit.length, tools, order.signal);
    if (await hasCommit(bare, order, tools)) return { bare, fetched: false };
    const failed = await fetchAnyWay(bare, order, tools);
    if (!failed) return { bare, fetched: true };
    if (!isBroken(failed)) throw await missing(order, failed);
    await rm(bare, { recursive: true, force: true });
    await openBare(bare, order.commit.length, tools, order.signal);
    const again = await fetchAnyWay(bare, order, tools);
    if (again) throw await missing(order, again);
    return { bare, fetched: true };
  });
}

/** What git says when our own cache is damaged or locked, not the remote. */
function isBroken(result: RunResult): boolean {
  return /\.lock'?: File exists|not a git repository \(or any|object file \S+ is empty|is corrupt|bad object|did not send all necessary/.test(
    result.stderr,
  );
}

/** The bare repository that caches an address. Object ids of 64 digits need a repository of their own kind. */
export function bareFolder(url: string, idLength: number, tools: Pick<CacheTools, 'folder'>): string {
  const key = createHash('sha256').update(`${idLength}\0${url}`).digest('hex').slice(0, 40);
  return join(tools.folder, `${key}.git`);
}

/** Where facts about a cached repository are kept: beside it, where git cannot write. They go with it. */
export function factsFile(bare: string): string {
  return `${bare}.json`;
}

/** Makes the bare repository if there is none, and marks it as used. */
export async function openBare(bare: string, idLength: number, tools: CacheTools, signal: AbortSignal): Promise<void> {
  if (await stat(join(bare, 'HEAD')).catch(() => undefined)) {
    const now = new Date();
    await utimes(bare, now, now);
    return;
  }
  await rm(bare, { recursive: true, force: true });
  await rm(factsFile(bare), { force: true });
  const partial = `${bare}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o755 });
  await tools.worker.give(partial);
  const format = `--object-format=${idLength === 64 ? 'sha256' : 'sha1'}`;
  const result = await tools.git(['init', '--quiet', '--bare', '--template=', format, '--', partial], {
    write: [partial],
    timeoutMs: 30_000,
    signal,
  });
  if (result.code !== 0)
    throw new BinderyError('fetch_failed', 'The cache of repositories could not be written.', { logTail: tail(result.stderr) });
  await rename(partial, bare);
}

async function hasCommit(bare: string, order: FetchOrder, tools: CacheTools): Promise<boolean> {
  const result = await tools.git(['rev-parse', '--quiet', '--verify', `refs/bindery/${order.commit}^{tree}`], {
    folder: bare,
    write: [bare],
    timeoutMs: 30_000,
    signal: order.signal,
  });
  return result.code === 0;
}

/** By the commit's name; where the server refuses that, by the branch it was found on; at last everything. Undefined once the commit is there. */
async function fetchAnyWay(bare: string, order: FetchOrder, tools: CacheTools): Promise<RunResult | undefined> {
  const keep = `${order.commit}:refs/bindery/${order.commit}`;
  const first = await fetch(bare, ['--depth=1'], [keep], order, tools);
  if (first.code === 0 || first.timedOut || !isRefusal(first)) return first.code === 0 ? undefined : first;
  if (order.branch) {
    const branch = await fetch(bare, ['--depth=1'], [`+${order.branch}:refs/found`], order, tools);
    if (branch.code === 0 && (await pin(bare, order, tools))) return undefined;
  }
  const isShallow = await stat(join(bare, 'shallow')).catch(() => undefined);
  const all = await fetch(
    bare,
    isShallow ? ['--unshallow'] : [],
    ['+refs/heads/*:refs/all/heads/*', '+refs/tags/*:refs/all/tags/*'],
    order,
    tools,
  );
  if (all.code !== 0) return all;
  return (await pin(bare, order, tools)) ? undefined : first;
}

function isRefusal(result: RunResult): boolean {
  return /not our ref|unadvertised object|allow request|dumb http|no such remote ref|couldn't find remote ref|upload-pack: not/i.test(
    result.stderr,
  );
}

async function fetch(
  bare: string,
  options: readonly string[],
  specs: readonly string[],
  order: FetchOrder,
  tools: CacheTools,
): Promise<RunResult> {
  const local = urlFolder(order.url);
  const size = watchSize(bare, order.maxBytes, order.signal);
  const flags = [
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
    '--force',
    '--progress',
    ...(local === undefined ? [] : [LOCAL_UPLOAD]),
  ];
  try {
    return await tools.git(['fetch', ...flags, ...options, '--', order.url, ...specs], {
      folder: bare,
      remote: order.url,
      write: [bare],
      read: local === undefined ? [] : await gitFolders(local),
      protocols: order.protocols,
      timeoutMs: order.timeoutMs,
      signal: size.signal,
      onLine: order.onLine,
    });
  } finally {
    size.stop();
  }
}

/** Keeps the wanted commit under a ref of its own, if it has come. */
async function pin(bare: string, order: FetchOrder, tools: CacheTools): Promise<boolean> {
  const call = { folder: bare, write: [bare], timeoutMs: 30_000, signal: order.signal };
  const result = await tools.git(['update-ref', `refs/bindery/${order.commit}`, order.commit], call);
  return result.code === 0;
}

async function missing(order: FetchOrder, failed: RunResult): Promise<BinderyError> {
  if (!isRefusal(failed)) return remoteError(failed, order.url, order.timeoutMs / 1000);
  return new BinderyError('ref_not_found', `${order.url} has no commit ${order.commit}.`, {
    hint: order.branch ? 'The branch has moved meanwhile: launch again.' : 'It may have been removed, or belong to a fork.',
    logTail: tail(failed.stderr),
  });
}
