import type { Digest, Instant } from '@bindery/wire/ids.ts';
import type { Finding } from '@bindery/wire/events.ts';

/** One thing to do, in order. A closed union: whoever applies steps handles every `uses`. */
export type Step =
  /** Packages from a Python index. `requirements` are PEP 508 lines; `constraints` likewise. Local paths are left out of them and become `local`. */
  | {
      readonly uses: 'python';
      readonly because: string;
      readonly inputs: readonly string[];
      readonly requirements: readonly string[];
      readonly constraints: readonly string[];
      /** What the repository's file says of indexes, each one word: `--pre`, `--index-url=https://…`, `--find-links=./wheels`. Never credentials. */ readonly options: readonly string[];
    }
  /** Exactly what a lock file of the repository says, as requirement lines with hashes. */
  | {
      readonly uses: 'locked-python';
      readonly because: string;
      readonly inputs: readonly string[];
      readonly requirements: readonly string[];
      /** Indexes beside the configured one, as with `python`. */
      readonly options?: readonly string[];
    }
  /** A package in the repository itself: `pip install [-e] <path>`, built in the sandbox. */
  | {
      readonly uses: 'local';
      readonly because: string;
      readonly inputs: readonly string[];
      readonly path: string;
      readonly editable: boolean;
      readonly extras: readonly string[];
    }
  | {
      readonly uses: 'conda';
      readonly because: string;
      readonly inputs: readonly string[];
      readonly channels: readonly string[];
      /** Match specifications of conda; with `from: 'pypi'` PEP 508 requirements, `python` itself left out. */
      readonly specs: readonly string[];
      readonly from: 'channels' | 'pypi';
    }
  | { readonly uses: 'apt'; readonly because: string; readonly inputs: readonly string[]; readonly packages: readonly string[] }
  /** A program of the repository, run once at build time in the repository's folder. */
  | { readonly uses: 'run'; readonly because: string; readonly inputs: readonly string[]; readonly path: string };

/** A set of rules by which files are read. `repo2docker` prefers Python 3.10 and reads no `uv.lock`; this builder's own take the newest Python that fits. */
export type Epoch = '2026' | 'repo2docker';

export interface PythonBase {
  /** PEP 440 specifier that the interpreter must meet: `==3.10.*`, `>=3.9`, or empty for any. */
  readonly requires: string;
  /** `newest` interpreter that satisfies, or exactly `X.Y`. */
  readonly prefer: string;
  readonly because: string;
}

/** What a tree needs; pure data, computed from its files alone, hashed canonically. */
export interface BuildPlan {
  readonly version: 1;
  /** The rules by which files were read; part of the hash, so that a new rule never changes an old plan silently. */
  readonly epoch: Epoch;
  readonly layout: 'split' | 'joint' | 'auto';
  readonly layoutBecause: string;
  readonly base: { readonly python: PythonBase };
  readonly steps: readonly Step[];
  /** Path of the repository's `start` script, run before the server with the server's command as its arguments. */
  readonly start?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Files whose content the plan depends on; `tree` when the build itself may read any (content-dependent). */
  readonly reads: readonly string[] | 'tree';
  /** Packages as they were at this instant. */
  readonly asOf?: Instant;
  readonly findings: readonly Finding[];
}

/** One package, exactly. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `wheel`: the index has a wheel with one of these hashes for this machine; `source`: must be built in the sandbox. */
  readonly from: 'wheel' | 'source';
  /** It lies in a folder of the repository that the plan names by `--find-links`, and is installed from there, as if it were a source. */
  readonly own?: true;
  /** `sha256:…` of the files the index vouches for; empty for direct references (`name @ git+https://…`). */
  readonly hashes: readonly string[];
  /** The requirement line to install: `name==version` or `name @ url`. */
  readonly requirement: string;
}

export interface Interpreter {
  /** Real path of the executable. */
  readonly path: string;
  /** `3.11.7` */
  readonly version: string;
  /** Folder that must be visible for it to run (`sys.base_prefix`). */
  readonly prefix: string;
  /** Identity of this build of it: implementation, version, platform tag, soabi. */
  readonly build: string;
  readonly from: 'machine' | 'managed';
}

/** What a plan resolved to. `id` covers what is installed (interpreter, layout, packages), not how it came about: different plans may share it. */
export interface Lock {
  readonly version: 1;
  readonly id: Digest;
  /** The plan that it was made for; with the tree, where its packages have a say. */
  readonly planId: Digest;
  readonly python: Interpreter;
  /** Settled layout, with the reason. */
  readonly layout: 'split' | 'joint';
  readonly layoutBecause: string;
  readonly packages: readonly LockedPackage[];
  /** Exact conda packages (URL and sha256), when the plan has a conda step that comes from channels. */
  readonly conda?: readonly {
    readonly url: string;
    readonly sha256: string;
    readonly name: string;
    readonly version: string;
    /** The channel's own record of it, as JSON. */
    readonly record: string;
  }[];
  readonly asOf?: Instant;
  readonly madeAt: Instant;
  /** What people should know of it: which interpreter and why, what was left out. */
  readonly notes: readonly string[];
  /** True when the repository pins everything or `asOf` is given: then it is kept for ever. */
  readonly fixed: boolean;
}

/** A lock as a builder makes it; the stage that keeps locks says for which plan. */
export type UnkeyedLock = Omit<Lock, 'planId'>;
