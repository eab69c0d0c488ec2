import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/**
 * What a folder of this machine is to Git. A folder inside a repository is `plain`: its own content is meant. A repository
 * whose files were never checked out is as good as a `bare` one.
 */
export async function folderKind(path: string): Promise<'missing' | 'file' | 'repository' | 'bare' | 'plain'> {
  const there = await stat(path).catch(() => undefined);
  if (!there) return 'missing';
  if (!there.isDirectory()) return 'file';
  const names = await readdir(path).catch((): string[] => []);
  if (names.includes('.git')) return names.length === 1 ? 'bare' : 'repository';
  const marks = await Promise.all(['HEAD', 'objects', 'refs'].map((name) => stat(join(path, name)).catch(() => undefined)));
  return marks.every(Boolean) ? 'bare' : 'plain';
}

/** Repositories that may borrow from one another in a row; git itself follows five. */
const MOST_BORROWED = 5;

/** The part of the repository or folder at `path` that git, running as `uid` where that is given, may not read; what lies deeper it finds itself. */
export async function closedPart(path: string, uid: number | undefined): Promise<string | undefined> {
  for (const part of [path, join(path, '.git'), join(path, '.git', 'objects')]) {
    const info = await stat(part).catch((error: NodeJS.ErrnoException) => error.code);
    if (info === 'EACCES' || info === 'EPERM') return part;
    if (typeof info !== 'object' || uid === undefined) continue;
    const wanted = info.isDirectory() ? 5 : 4;
    const granted = info.uid === uid ? info.mode >> 6 : info.gid === uid ? info.mode >> 3 : info.mode;
    if ((granted & wanted) !== wanted) return part;
  }
  return undefined;
}

/** The folders that git must see to read the repository at `path`: linked work trees keep theirs elsewhere, and clones may borrow files. */
export async function gitFolders(path: string): Promise<string[]> {
  const own = await ownFolders(path);
  const borrowed = await Promise.all(
    own.flatMap((folder) => [borrowedBy(join(folder, 'objects')), borrowedBy(join(folder, '.git', 'objects'))]),
  );
  return [...new Set([...own, ...borrowed.flat()])].filter((folder) => dirname(folder) !== folder);
}

/** Stores of files that a store names as its alternates (`git clone --shared`, `--reference`), and theirs; what is no store is left out. */
async function borrowedBy(store: string, left = MOST_BORROWED): Promise<string[]> {
  const text = left === 0 ? '' : await readFile(join(store, 'info', 'alternates'), 'utf8').catch(() => '');
  const named = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const found = await Promise.all(
    named.slice(0, 20).map(async (line) => {
      const other = resolve(store, line);
      const packs = await stat(join(other, 'pack')).catch(() => undefined);
      return packs?.isDirectory() === true ? [other, ...(await borrowedBy(other, left - 1))] : [];
    }),
  );
  return found.flat();
}

async function ownFolders(path: string): Promise<string[]> {
  const pointer = await readFile(join(path, '.git'), 'utf8').catch(() => undefined);
  const linked = pointer === undefined ? undefined : /^gitdir: (.+)$/m.exec(pointer.slice(0, 4096))?.[1];
  if (!linked) return [path];
  const gitDir = isAbsolute(linked) ? linked : resolve(path, linked);
  const common = await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => undefined);
  return [path, gitDir, ...(common === undefined ? [] : [resolve(gitDir, common.trim())])];
}
