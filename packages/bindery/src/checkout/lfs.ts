import { shown } from '@bindery/wire/link-text.ts';
import type { Git, GitCall } from '../clients/git.ts';
import type { Entry } from '../contracts/source.ts';
import { readInside } from './inside.ts';
import { unquoted } from './listing.ts';

/** First line of a file that stands for a large one kept elsewhere (Git LFS specification, version 1). */
const POINTER = 'version https://git-lfs.github.com/spec/v1';
const LARGEST_POINTER = 1024;
/** Files that are looked at, so that a strange repository costs no more. */
const LOOKED_AT = 5000;

export interface LfsOrder {
  readonly git: Git;
  readonly files: string;
  readonly entries: readonly Entry[];
  readonly call: GitCall;
  info(message: string): void;
}

/** What became of the large files: whether they were fetched, and what people should know. */
export interface LfsOutcome {
  readonly fetched: boolean;
  readonly notes: readonly string[];
}

/** Replaces Git LFS pointers by their files where git-lfs is installed; else says which files are pointers only. */
export async function fetchLfs(order: LfsOrder): Promise<LfsOutcome> {
  const pointers = await findPointers(order);
  if (pointers.length === 0) return { fetched: false, notes: [] };
  const has = await order.git(['lfs', 'version'], order.call);
  if (has.code !== 0)
    return {
      fetched: false,
      notes: [`${some(pointers)} kept in Git LFS, and git-lfs is not installed on this machine: only pointers are there.`],
    };
  const elsewhere = await forbiddenServer(order);
  if (elsewhere !== undefined)
    return {
      fetched: false,
      notes: [`${some(pointers)} kept in Git LFS at ${shown(elsewhere)}, which is not opened: only pointers are there.`],
    };
  order.info(`Fetching ${pointers.length} large files (Git LFS)`);
  await order.git(['lfs', 'install', '--local', '--skip-repo'], order.call);
  const pulled = await order.git(['lfs', 'pull'], order.call);
  const left = await findPointers(order);
  if (left.length === 0) return { fetched: true, notes: [] };
  const why = pulled.stderr.trim().split('\n').at(-1) ?? '';
  return { fetched: true, notes: [`${some(left)} kept in Git LFS and could not be fetched: ${why.slice(0, 300)}`] };
}

/** The address in `.lfsconfig` that this hub does not open, if there is one: git-lfs itself would follow it anywhere. */
async function forbiddenServer({ git, call }: LfsOrder): Promise<string | undefined> {
  const query = ['config', '--blob', 'HEAD:.lfsconfig', '--null', '--get-regexp', 'url$'];
  const { stdout } = await git(query, call);
  const addresses = stdout.split('\0').flatMap((record) => record.split('\n').slice(1));
  return addresses.find((address) => !call.protocols?.some((protocol) => address.toLowerCase().startsWith(`${protocol}://`)));
}

async function findPointers({ git, files, entries, call }: LfsOrder): Promise<string[]> {
  const attributes = entries.filter(({ path, type }) => type === 'file' && /(?:^|\/)\.gitattributes$/.test(path)).slice(0, 200);
  const texts = await Promise.all(attributes.map(({ path }) => readInside(files, path)));
  if (!texts.some((text) => text?.includes('filter=lfs'))) return [];
  const { stdout } = await git(['-c', 'core.quotePath=true', 'ls-files', '--', ':(attr:filter=lfs)'], call);
  const pointers: string[] = [];
  for (const path of stdout.split('\n').filter(Boolean).slice(0, LOOKED_AT).map(unquoted)) {
    const content = await readInside(files, path).catch(() => undefined);
    if (content && content.length <= LARGEST_POINTER && content.toString('latin1').startsWith(POINTER)) pointers.push(path);
  }
  return pointers;
}

function some(paths: readonly string[]): string {
  const named = paths.slice(0, 5).join(', ') + (paths.length > 5 ? ` and ${paths.length - 5} more files` : '');
  return `${named} ${paths.length === 1 ? 'is' : 'are'}`;
}
