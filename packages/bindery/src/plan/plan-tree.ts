import { BinderyError } from '@bindery/wire/errors.ts';
import type { PlanTree } from '../contracts/pack.ts';
import type { Tree } from '../contracts/source.ts';
import { decodeText } from '../formats/text.ts';

/** No environment file is larger. */
const MOST_BYTES = 10 * 2 ** 20;

/** The tree as packs see it; one is opened for each pack, and knows what that pack read. */
export class RecordingTree implements PlanTree {
  readonly paths: readonly string[];
  readonly config: string;
  readonly reads = new Set<string>();
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
    this.paths = files.paths;
    this.config = files.config;
  }

  has(path: string): boolean {
    return this.#files.sizes.has(path);
  }

  hasFolder(path: string): boolean {
    return this.#files.folders.has(path);
  }

  async text(path: string): Promise<string | undefined> {
    if (!this.has(path)) return undefined;
    this.reads.add(path);
    return (await this.#files.read(path)).text;
  }

  async endsLinesAsWindows(path: string): Promise<boolean> {
    return this.has(path) && (await this.#files.read(path)).crlf;
  }
}

/** One environment file as it was read. */
interface FileText {
  readonly text: string | undefined;
  readonly crlf: boolean;
}

/** What all packs share: the names once, and the text of each file once. */
export interface Files {
  readonly paths: readonly string[];
  readonly folders: ReadonlySet<string>;
  readonly sizes: ReadonlyMap<string, number>;
  readonly config: string;
  read(path: string): Promise<FileText>;
}

/** Lists a tree and settles where its configuration lies. Throws `plan_conflict` when there are two places. */
export async function openFiles(tree: Tree): Promise<Files> {
  const sizes = new Map<string, number>();
  const folders = new Set<string>();
  for await (const entry of tree.list()) {
    if (entry.type !== 'submodule') sizes.set(entry.path, entry.type === 'file' ? entry.size : 0);
    for (let at = entry.path.lastIndexOf('/'); at > 0; at = entry.path.lastIndexOf('/', at - 1)) {
      const folder = entry.path.slice(0, at);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  const texts = new Map<string, Promise<FileText>>();
  const read = (path: string): Promise<FileText> => {
    const known = texts.get(path) ?? readText(tree, path, sizes.get(path) ?? 0);
    texts.set(path, known);
    return known;
  };
  return { paths: [...sizes.keys()].toSorted(), folders, sizes, config: configFolder(folders), read };
}

function configFolder(folders: ReadonlySet<string>): string {
  const found = ['binder', '.binder'].filter((name) => folders.has(name));
  if (found.length > 1)
    throw new BinderyError('plan_conflict', 'The repository has both a binder and a .binder folder.', {
      hint: 'Keep one of the two: only one can hold the environment files.',
    });
  return found[0] === undefined ? '' : `${found[0]}/`;
}

async function readText(tree: Tree, path: string, size: number): Promise<FileText> {
  const bytes = size > MOST_BYTES ? undefined : await tree.read(path);
  const large = Math.max(size, bytes?.length ?? 0);
  if (large > MOST_BYTES)
    throw new BinderyError('file_invalid', `${path} has ${(large / 2 ** 20).toFixed(1)} MB; an environment file may have 10 MB at most.`, {
      hint: 'Environment files name packages; put data into files of other names.',
    });
  if (bytes === undefined) return { text: undefined, crlf: false };
  const end = bytes.indexOf(10);
  return { text: decodeText(bytes), crlf: end > 0 && bytes[end - 1] === 13 };
}
