import type { Finding } from '@bindery/wire/events.ts';
import type { Epoch, PythonBase, Step } from './plan.ts';

/** What a pack may look at: the tree's file names and contents, and where the configuration lies. Reading is recorded. */
export interface PlanTree {
  /** All paths, sorted. */
  readonly paths: readonly string[];
  has(path: string): boolean;
  hasFolder(path: string): boolean;
  /**
   * Text of a regular file with `\n` line ends, whatever it was saved as (formats/text.ts); undefined where there is none or where a link
   * leads out of the tree. Throws `file_invalid` above 10 MB.
   */
  text(path: string): Promise<string | undefined>;
  /** True where the first line of a file ends as Windows ends lines: `text` does not show it. */
  endsLinesAsWindows(path: string): Promise<boolean>;
  /** `binder/`, `.binder/` or empty: where configuration files are looked for (binder.md §4.1). */
  readonly config: string;
}

export interface PackOptions {
  readonly conda: 'channels' | 'pypi';
  /** The rules by which files are read: this builder's own, or repo2docker's where the two differ. */
  readonly epoch: Epoch;
  /** `X.Y` that was asked for in place of what the files say. */
  readonly python?: string | undefined;
  /** True where `postBuild` is to be left out. */
  readonly skipPostBuild?: boolean | undefined;
}

/** A pack's part of a plan. */
export interface Part {
  readonly python?: PythonBase;
  readonly steps: readonly Step[];
  readonly findings: readonly Finding[];
  readonly start?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** True when building reads the tree's content. */
  readonly contentDependent?: boolean;
  /** Why the one-environment layout is needed, if it is. */
  readonly joint?: string;
}

/** A detector that contributes part of a plan. Pure: the same tree gives the same part. */
export interface Pack {
  readonly id: string;
  /** Files it would use, as found in this tree. */
  detect(tree: PlanTree): readonly string[];
  plan(tree: PlanTree, options: PackOptions): Promise<Part>;
}
