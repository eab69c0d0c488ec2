import type { IndexSettings } from '../../clients/package-index.ts';
import { IndexReader } from '../../clients/package-page.ts';
import { normalised } from './lock-wishes.ts';

/** Pages of an index that are asked for at once. */
const AT_ONCE = 16;

/** Tells packages that exist as sources alone for this machine from those that have wheels of other Pythons. Asks the index once a package. */
export class SourceOnly {
  readonly #reader: IndexReader;
  readonly #signal: AbortSignal;
  readonly #files = new Map<string, Promise<readonly string[] | undefined>>();

  private constructor(reader: IndexReader, signal: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  static async open(index: IndexSettings, signal: AbortSignal): Promise<SourceOnly> {
    return new SourceOnly(await IndexReader.open(index), signal);
  }

  /** True when no Python has a wheel for this machine of the version (of any, where none is given), or when the index does not know the package. */
  async has(name: string, version: string | undefined): Promise<boolean> {
    const wheels = (await this.#names(name))?.filter(forThisMachine) ?? [];
    return !wheels.some((file) => version === undefined || file.split('-')[1]?.toLowerCase() === version.toLowerCase());
  }

  /** Which of the specifications name a project that the index does not have. */
  async unknown(specs: readonly string[], nameOf: (spec: string) => string): Promise<Set<string>> {
    const unknown = new Set<string>();
    const left = specs.values();
    const work = async (): Promise<void> => {
      for (const spec of left) if ((await this.#names(nameOf(spec))) === undefined) unknown.add(spec);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return new Set(specs.filter((spec) => unknown.has(spec)));
  }

  #names(name: string): Promise<readonly string[] | undefined> {
    const key = normalised(name);
    const known = this.#files.get(key) ?? this.#reader.files(key, this.#signal).then((files) => files?.map((file) => file.name));
    this.#files.set(key, known);
    return known;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

/** The platform is a wheel's last tag (PEP 425, 600); whether libc is old enough is left to uv. */
function forThisMachine(file: string): boolean {
  const tag = /-([^-]+)\.whl$/.exec(file)?.[1];
  if (tag === undefined || tag === 'any') return tag === 'any';
  const [system, machine] = process.platform === 'darwin' ? ['macosx', 'arm64'] : ['linux', 'aarch64'];
  return tag.includes(system) && (tag.includes(process.arch === 'arm64' ? machine : 'x86_64') || tag.includes('universal2'));
}
