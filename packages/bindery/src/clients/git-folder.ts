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

/** The folders that git must see to read the repository at `path`: linked work trees keep theirs elsewhere. */
export async function gitFolders(path: string): Promise<string[]> {
  const pointer = await readFile(join(path, '.git'), 'utf8').catch(() => undefined);
  const linked = pointer === undefined ? undefined : /^gitdir: (.+)$/m.exec(pointer.slice(0, 4096))?.[1];
  if (!linked) return [path];
  const gitDir = isAbsolute(linked) ? linked : resolve(path, linked);
  const common = await readFile(join(gitDir, 'commondir'), 'utf8').catch(() => undefined);
  return [path, gitDir, ...(common === undefined ? [] : [resolve(gitDir, common.trim())])].filter((folder) => dirname(folder) !== folder);
}
