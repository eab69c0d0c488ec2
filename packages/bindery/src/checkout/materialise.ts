import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import type { RunResult } from '../base/run.ts';
import type { Turns } from '../base/turns.ts';
import type { Worker } from '../base/worker.ts';
import { fetchCommit } from '../clients/git-cache.ts';
import { tail } from '../clients/git-errors.ts';
import { tooLargeError } from '../clients/git-size.ts';
import { LOCAL_UPLOAD, hubGit, type Git } from '../clients/git.ts';
import type { Entry, Source } from '../contracts/source.ts';
import { fetchLfs } from './lfs.ts';
import { parseListing } from './listing.ts';
import { fetchSubmodules } from './submodules.ts';
import { ENTRIES, FILES, KEPT, entriesToKeep, type Kept } from './tree.ts';

export interface Tools {
  readonly config: Config;
  readonly worker: Worker;
  readonly turns: Turns;
  readonly signal: AbortSignal;
  info(message: string): void;
  line(message: string): void;
}

/** Fetches a commit and makes its work tree at `home`, complete by rename: a crash leaves nothing that looks finished. */
export async function materialise(source: Source, home: string, tools: Tools): Promise<void> {
  const git = hubGit(tools.worker, tools.config);
  const { cache } = tools.config.folders;
  const { bare } = await fetchCommit(
    {
      url: source.url,
      commit: source.ref,
      branch: source.branch,
      protocols: tools.config.git.protocols,
      timeoutMs: tools.config.git.timeout * 1000,
      maxBytes: tools.config.git.maxBytes,
      signal: tools.signal,
      onLine: (line) => tools.line(line),
    },
    { git, worker: tools.worker, turns: tools.turns, folder: join(cache, 'repos') },
  );
  const facts = await readFacts(git, bare, source.ref, tools);
  await mkdir(dirname(home), { recursive: true });
  const partial = await mkdtemp(`${home}.partial-`);
  try {
    const files = join(partial, FILES);
    await fillTree(git, source, bare, files, tools);
    const notes = await fillSubmodules(git, source, files, facts.entries, tools);
    const call = { folder: files, write: [files], timeoutMs: tools.config.git.timeout * 1000, signal: tools.signal };
    const lfs = await fetchLfs({
      git,
      files,
      entries: facts.entries,
      call: { ...call, remote: source.url, protocols: remoteProtocols(source, tools.config) },
      info: (message) => tools.info(message),
    });
    const kept: Kept = {
      version: 1,
      id: createHash('sha256')
        .update(`git tree ${facts.tree}${lfs.fetched ? ' with large files' : ''}`)
        .digest('hex'),
      committedAt: facts.committedAt,
      notes: [...notes, ...lfs.notes],
    };
    for (const note of kept.notes) tools.info(note);
    await writeFile(join(partial, ENTRIES), entriesToKeep(facts.entries));
    await writeFile(join(partial, KEPT), JSON.stringify(kept));
    await rename(partial, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another hub was first
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

interface Facts {
  /** Git's own id of the files. */
  readonly tree: string;
  readonly committedAt: string;
  readonly entries: readonly Entry[];
}

/** What a commit says of itself. */
async function readFacts(git: Git, bare: string, commit: string, tools: Tools): Promise<Facts> {
  const call = { folder: bare, read: [bare], timeoutMs: 120_000, signal: tools.signal, keepBytes: 512 * 2 ** 20 };
  const [about, listing] = await Promise.all([
    git(['show', '--no-patch', '--format=%T %ct', commit], call).then(done),
    git(['-c', 'core.quotePath=true', 'ls-tree', '-r', '-l', '--full-tree', commit], call).then(done),
  ]);
  const [tree = '', seconds = ''] = about.stdout.trim().split(' ');
  const entries = parseListing(listing.stdout);
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  if (bytes > tools.config.git.maxBytes) throw tooLargeError(bytes, tools.config.git.maxBytes);
  return {
    tree,
    committedAt: new Date(Number(seconds) * 1000).toISOString(),
    entries,
  };
}

/** A repository of its own with this one commit, detached, and its files. Its objects are copies: it can be moved and copied. */
async function fillTree(git: Git, source: Source, bare: string, files: string, tools: Tools): Promise<void> {
  await mkdir(files, { mode: 0o755 });
  await tools.worker.give(files);
  const call = { folder: files, write: [files], read: [bare], timeoutMs: tools.config.git.timeout * 1000, signal: tools.signal };
  const format = `--object-format=${source.ref.length === 64 ? 'sha256' : 'sha1'}`;
  done(await git(['init', '--quiet', '--template=', format], call));
  done(await git(['remote', 'add', '--', 'origin', source.url], call));
  const quiet = ['--quiet', '--no-tags', '--no-write-fetch-head', '--depth=1'];
  done(await git(['fetch', ...quiet, LOCAL_UPLOAD, '--', bare, `refs/bindery/${source.ref}`], { ...call, protocols: ['file'] }));
  done(await git(['checkout', '--quiet', '--force', '--detach', source.ref], call));
}

/** A folder of this machine may have its parts there too; what comes from elsewhere may not reach for its files. */
function remoteProtocols(source: Source, config: Config): string[] {
  return config.git.protocols.filter((protocol) => protocol !== 'file' || source.url.startsWith('file:'));
}

function fillSubmodules(git: Git, source: Source, files: string, entries: readonly Entry[], tools: Tools): Promise<string[]> {
  return fetchSubmodules({
    git,
    files,
    paths: entries.flatMap(({ path, type }) => (type === 'submodule' ? [path] : [])),
    protocols: remoteProtocols(source, tools.config),
    timeoutMs: tools.config.git.timeout * 1000,
    maxBytes: tools.config.git.maxBytes,
    signal: tools.signal,
    info: (message) => tools.info(message),
    line: (message) => tools.line(message),
  });
}

function done(result: RunResult): RunResult {
  if (result.code === 0) return result;
  if (/no space left|quota exceeded/i.test(result.stderr))
    throw new BinderyError('disk_full', 'The disk is full.', { logTail: tail(result.stderr) });
  const path = /(?:invalid path|unable to create file|unable to create symlink) '?([^'\n:]+)/.exec(result.stderr)?.[1];
  throw new BinderyError(
    'tree_invalid',
    path ? `The repository holds a path that cannot be checked out: ${path}` : 'The files of the commit could not be checked out.',
    {
      logTail: tail(result.stderr),
      hint: 'Clone the repository by hand to see the reason.',
    },
  );
}
