import type { Finding } from '@bindery/wire/events.ts';
import type { PythonBase, Step } from './plan.ts';

/** What a pack may look at: the tree's file names and contents, and where the configuration lies. Reading is recorded. */
export interface PlanTree {
  /** All paths, sorted. */
  readonly paths: readonly string[];
  has(path: string): boolean;
  /** Text of a regular file (UTF-8, BOM removed), undefined where there is none. */
  text(path: string): Promise<string | undefined>;
  /** `binder/`, `.binder/` or empty: where configuration files are looked for (binder.md §4.1). */
  readonly config: string;
}

export interface PackOptions {
  readonly conda: 'channels' | 'pypi';
  readonly strict: boolean;
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
