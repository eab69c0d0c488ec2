import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { gitUrl } from '@bindery/wire/link-git.ts';
import { shown } from '@bindery/wire/link-text.ts';
import { remoteError } from '../clients/git-errors.ts';
import { watchSize } from '../clients/git-size.ts';
import type { Git, GitCall } from '../clients/git.ts';
import { parseListing } from './listing.ts';

export interface SubmoduleOrder {
  readonly git: Git;
  /** The work tree, checked out. */
  readonly files: string;
  readonly paths: readonly string[];
  /** Protocols that submodules may use. */
  readonly protocols: readonly string[];
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  info(message: string): void;
  line(message: string): void;
}

interface Submodule {
  readonly name: string;
  readonly path: string;
  readonly url: string;
}

/** Submodules within submodules are followed this deep. */
const DEEPEST = 8;

/**
 * Fetches every submodule of a work tree at its commit, and theirs in turn. Returns what people should know: which of them
 * have no address and stay empty. Throws where one cannot be had: half a repository is no repository.
 */
export async function fetchSubmodules(order: SubmoduleOrder): Promise<string[]> {
  return fetchLevel(order, '', order.paths, 1);
}

async function fetchLevel(order: SubmoduleOrder, below: string, paths: readonly string[], depth: number): Promise<string[]> {
  if (paths.length === 0) return [];
  if (depth > DEEPEST) throw new BinderyError('tree_invalid', `The submodules of ${below} are nested more than ${DEEPEST} deep.`);
  const folder = join(order.files, below);
  const named = await readModules(order, folder);
  const known = named.filter(({ path }) => paths.includes(path));
  const notes = paths
    .filter((path) => !known.some((submodule) => submodule.path === path))
    .map((path) => `${join(below, path)} is a submodule without an address in .gitmodules: it stays empty.`);
  for (const submodule of known) {
    const place = join(below, submodule.path);
    order.info(`Fetching submodule ${shown(place)}`);
    await update(order, folder, { ...submodule, url: await wholeAddress(order, folder, submodule) });
    notes.push(...(await fetchLevel(order, place, await submodulePaths(order, join(order.files, place)), depth + 1)));
  }
  return notes;
}

async function update(order: SubmoduleOrder, folder: string, submodule: Submodule): Promise<void> {
  const size = watchSize(join(order.files, '.git', 'modules', submodule.name), order.maxBytes, order.signal);
  try {
    const result = await order.git(['submodule', 'update', '--init', '--depth=1', '--', submodule.path], {
      ...callIn(order, folder),
      remote: submodule.url,
      protocols: order.protocols,
      env: { GIT_LITERAL_PATHSPECS: '1' },
      signal: size.signal,
      onLine: (line) => order.line(line),
    });
    if (result.code === 0) return;
    const error = await remoteError(result, submodule.url, order.timeoutMs / 1000);
    throw new BinderyError(error.code, `The submodule ${shown(submodule.path)} could not be fetched. ${error.message}`, {
      hint: error.hint,
      retryable: error.retryable,
      logTail: error.logTail,
    });
  } finally {
    size.stop();
  }
}

/** Names, paths and addresses as `.gitmodules` gives them. */
async function readModules(order: SubmoduleOrder, folder: string): Promise<Submodule[]> {
  const query = ['config', '--blob', 'HEAD:.gitmodules', '--null', '--get-regexp', String.raw`^submodule\..*\.(path|url)$`];
  const { stdout } = await order.git(query, callIn(order, folder));
  const found = new Map<string, { path?: string; url?: string }>();
  for (const record of stdout.split('\0')) {
    const [, name, key] = /^submodule\.(.*)\.(path|url)$/s.exec(record.split('\n', 1)[0] ?? '') ?? [];
    const value = record.slice(record.indexOf('\n') + 1);
    if (name !== undefined && key !== undefined) found.set(name, { ...found.get(name), [key]: value });
  }
  return [...found].flatMap(([name, { path, url }]) => (path === undefined || url === undefined ? [] : [{ name, path, url }]));
}

async function submodulePaths(order: SubmoduleOrder, folder: string): Promise<string[]> {
  const { stdout } = await order.git(['-c', 'core.quotePath=true', 'ls-tree', '-r', '-l', '--full-tree', 'HEAD'], {
    ...callIn(order, folder),
    keepBytes: 512 * 2 ** 20,
  });
  return parseListing(stdout).flatMap(({ path, type }) => (type === 'submodule' ? [path] : []));
}

/** The address that git will contact. One relative to the repository's own may climb to another host: so it is checked when it is whole. */
async function wholeAddress(order: SubmoduleOrder, folder: string, submodule: Submodule): Promise<string> {
  if (!/^\.{1,2}\//.test(submodule.url)) return checkedAddress(submodule, order.protocols);
  const call = { ...callIn(order, folder), env: { GIT_LITERAL_PATHSPECS: '1' } };
  await order.git(['submodule', 'init', '--', submodule.path], call);
  const { stdout } = await order.git(['config', '--null', '--get', `submodule.${submodule.name}.url`], call);
  return checkedAddress({ ...submodule, url: stdout.split('\0')[0] ?? '' }, order.protocols);
}

/** The same rules as for links. */
function checkedAddress({ path, url }: Submodule, protocols: readonly string[]): string {
  try {
    const whole = gitUrl(url);
    if (protocols.includes(new URL(whole).protocol.slice(0, -1))) return whole;
  } catch {
    // said below
  }
  throw new BinderyError('tree_invalid', `The submodule ${shown(path)} has an address that is not opened: ${shown(url)}`, {
    hint: `Submodules are fetched by ${protocols.join(', ')}.`,
  });
}

function callIn(order: SubmoduleOrder, folder: string): GitCall {
  return { folder, write: [order.files], timeoutMs: order.timeoutMs, signal: order.signal };
}
