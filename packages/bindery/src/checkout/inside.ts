import { constants } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { BinderyError } from '@bindery/wire/errors.ts';
import { bytesFromPath, pathFromBytes } from './path-bytes.ts';

/** Links that are followed on the way to one file. */
const LINKS = 40;
/** Largest file that is read into memory, in bytes. */
const LARGEST = 64 * 2 ** 20;

/**
 * Content of a regular file below `root`; undefined where there is none. Symbolic links are followed as long as they stay
 * inside; one that leads out (or into `.git`, or in circles) is `tree_invalid`. Nothing may change below `root` meanwhile.
 */
export async function readInside(root: string, path: string): Promise<Buffer | undefined> {
  const real = await realInside(root, path);
  if (real === undefined) return undefined;
  const file = await open(absolute(root, real), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(ignoreMissing);
  if (!file) return undefined;
  try {
    const info = await file.stat();
    if (!info.isFile()) return undefined;
    if (info.size > LARGEST) throw new BinderyError('tree_invalid', `${path} is too large to be read (${info.size} bytes).`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The path without links that `path` leads to, as segments; undefined where nothing is. */
async function realInside(root: string, path: string): Promise<string[] | undefined> {
  const todo = path.split('/').toReversed();
  const done: string[] = [];
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (done.pop() === undefined) throw leadsOut(path);
      continue;
    }
    if (part.includes('\0')) return undefined;
    if (done.length === 0 && part === '.git') throw leadsOut(path);
    done.push(part);
    const info = await lstat(absolute(root, done)).catch(ignoreMissing);
    if (!info) return undefined;
    if (!info.isSymbolicLink()) {
      if (todo.length > 0 && !info.isDirectory()) return undefined;
      continue;
    }
    links += 1;
    const target = await readlink(absolute(root, done), { encoding: 'buffer' });
    if (links > LINKS || target[0] === 47) throw leadsOut(path);
    done.pop();
    todo.push(...pathFromBytes(target).split('/').toReversed());
  }
  return done;
}

function absolute(root: string, parts: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bytesFromPath(parts.join('/'))]);
}

function leadsOut(path: string): BinderyError {
  return new BinderyError('tree_invalid', `${path} is a symbolic link that leads out of the repository.`, {
    hint: 'Replace it by the file it is meant to show.',
  });
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO'].includes(error.code ?? '')) return undefined;
  throw error;
}
