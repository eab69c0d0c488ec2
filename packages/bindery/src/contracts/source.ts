import type { Digest, Instant } from '@bindery/wire/ids.ts';
import type { OpenPath } from '@bindery/wire/link.ts';

/** An immutable reference to content: a repository at a commit. What a link resolves to. */
export interface Source {
  readonly provider: string;
  /** Short printable name, `user/repo`. */
  readonly slug: string;
  /** Where the content is fetched from, without credentials; becomes `origin` of the session's work tree. */
  readonly url: string;
  /** The commit: 40 (sha1) or 64 (sha256) lower-case hex digits. */
  readonly ref: string;
  /** Where a person can look at this very commit. */
  readonly refUrl?: string;
  /** Full name of the branch or tag that was asked for (`refs/heads/main`), if it was one. */
  readonly branch?: string;
  /** What to open, where the link's ref turned out to reach further into its path (`tree/feature/x/docs`). */
  readonly open?: OpenPath;
  /** What people should know about how it was found: a snapshot of a changed folder, a shortened commit. */
  readonly note?: string;
}

/** One file of a tree. `path` is relative, `/`-separated, as Git has it. */
export interface Entry {
  readonly path: string;
  readonly type: 'file' | 'symlink' | 'submodule';
  readonly executable: boolean;
  /** Bytes. */
  readonly size: number;
}

/** A source's files: read-only, content-addressed. */
export interface Tree {
  /** Identity of the files alone (not of the commit): two commits with the same files have the same. */
  readonly id: Digest;
  readonly committedAt: Instant;
  list(): AsyncIterable<Entry>;
  /** Content of a regular file; undefined where there is none. Symlinks inside the tree are followed, others are not. */
  read(path: string): Promise<Buffer | undefined>;
  /** A folder on this machine that holds the files as a Git work tree (`.git` included), never to be written to. */
  readonly folder: string;
}
