import type { Role } from '@bindery/wire/roles.ts';
import type { RelayRoom } from '../relay/relay-room.ts';

/** A notebook in a folder, as the Contents API describes it. */
export interface NotebookFile {
  readonly path: string;
  readonly name: string;
  readonly lastModified: string;
  readonly size: number | null;
  readonly writable: boolean;
}

/** What is to be run. */
export interface RunRequest {
  /** The name of the document. */
  readonly document: string;
  readonly cell: string;
  readonly kernel: string;
  readonly sourceHash?: string;
  readonly allowStdin: boolean;
}

/** What somebody is to do whose role does not allow it, or with a file that is not shared with him. */
export type Least = 'edit' | 'execute';

/**
 * A Jupyter server with its shared documents, as one guest may use it. Everything throws a `BinderyError` that says why not: `forbidden` where the
 * guest may not.
 */
export interface Desk {
  readonly role: Role;
  /** What is shared with who may not run code. */
  readonly path: string;
  /** Fails unless the guest may do so. */
  must(least: Least): void;

  notebooks(folder: string | undefined, most: number): Promise<readonly NotebookFile[]>;
  /** The name of a notebook's document. */
  documentOf(path: string): Promise<string>;
  /** The path of a document's file; undefined where there is none any more. */
  pathOf(document: string): string | undefined;
  /** Whether a document is one of those that the guest may see. */
  sees(document: string): boolean;
  /** A document that the guest may see, opened if it is not. */
  room(document: string): Promise<RelayRoom>;
  /** The same, which stays open until it is left; `ended` is told when the server closes it before. */
  stay(document: string, ended: () => void): Promise<{ readonly room: RelayRoom; readonly leave: () => void }>;
  /** The document of the server's tables, as they are now. */
  server(): Promise<RelayRoom>;

  create(path: string, kernel: string | undefined): Promise<void>;
  rename(path: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;

  /** The kernel that a notebook has; undefined where it has none. */
  kernelOf(path: string): Promise<string | undefined>;
  /** The kernel of a notebook, started where it has none: of the kernelspec of this name, else of the one that is the server's. */
  startKernel(path: string, name: string | undefined): Promise<string>;
  /** Has a cell run; comes with the execution when the request is safe. */
  run(request: RunRequest): Promise<string>;
  cancel(document: string, execution: string): Promise<boolean>;
  interrupt(kernel: string): Promise<void>;
  restart(kernel: string): Promise<void>;
  answer(document: string, question: string, value: string): Promise<void>;

  /** The address of an output that is too large for its document. */
  blobUrl(digest: string): string;
}

/** Documents that are no notebook's: that of the server's tables, and the room of those who have JupyterLab open. */
export const SERVER = 'server';
export const EVERYBODY = 'JupyterLab:globalAwareness';
