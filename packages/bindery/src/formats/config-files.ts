import type { PlanTree } from '../contracts/pack.ts';

/** Path of the conda file that counts, if there is one: `.yml` before `.yaml`. */
export function condaFile(tree: PlanTree): string | undefined {
  return ['environment.yml', 'environment.yaml'].map((name) => tree.config + name).find((path) => tree.has(path));
}

/** `path`, as seen from folder `from`, as a path of the tree; undefined when it leads out of it. `''` is the tree's own folder. */
export function resolvePath(from: string, path: string): string | undefined {
  if (path.startsWith('/') || path.startsWith('~') || path.includes('\\')) return undefined;
  const parts: string[] = [];
  for (const part of `${from}/${path}`.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** The folder a path lies in; `''` at the top. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Path of the Pipenv file that counts, if there is one: the lock before the wishes. */
export function pipFile(tree: PlanTree): string | undefined {
  return ['Pipfile.lock', 'Pipfile'].map((name) => tree.config + name).find((path) => tree.has(path));
}
