import * as Y from 'yjs';
import { Value, type Observable } from '../observable.ts';
import { TAKEN_BACK } from './transactions.ts';

/** How many steps can be undone and redone. */
export interface HistoryDepth {
  readonly undo: number;
  readonly redo: number;
}

export interface HistoryOptions {
  /** Milliseconds within which changes become one step: 500. With 0 every transaction is one. */
  readonly joinMs?: number;
  /** Most steps that are kept: 200. */
  readonly maxSteps?: number;
}

/** One person's steps back and forth. What others did, and what was said not to be undone, it leaves alone. */
export class History {
  readonly depth: Observable<HistoryDepth>;
  readonly #depth = new Value<HistoryDepth>({ undo: 0, redo: 0 });
  readonly #manager: Y.UndoManager;
  readonly #maxSteps: number;

  /** Follows the transactions of this document that have this origin. */
  constructor(doc: Y.Doc, origin: unknown, options: HistoryOptions = {}) {
    this.depth = this.#depth;
    this.#maxSteps = options.maxSteps ?? 200;
    this.#manager = new Y.UndoManager(doc, {
      trackedOrigins: new Set([origin]),
      captureTimeout: options.joinMs ?? 500,
      captureTransaction: (transaction) => !transaction.meta.has(TAKEN_BACK),
    });
    for (const event of ['stack-item-added', 'stack-item-popped', 'stack-cleared'] as const) this.#manager.on(event, () => this.#told());
  }

  /** Makes the edits of an editor that is bound to a shared text (their origin) steps of this history. */
  follow(origin: unknown): void {
    this.#manager.addTrackedOrigin(origin);
  }

  /** Takes the last step back; false when there is none. */
  undo(): boolean {
    return this.#manager.undo() !== null;
  }

  /** Does the last step again that was taken back; false when there is none. */
  redo(): boolean {
    return this.#manager.redo() !== null;
  }

  /** Ends the step: what comes next is one of its own. */
  cut(): void {
    this.#manager.stopCapturing();
  }

  end(): void {
    this.#manager.destroy();
  }

  #told(): void {
    const { undoStack, redoStack } = this.#manager;
    undoStack.splice(0, undoStack.length - this.#maxSteps);
    const { undo, redo } = this.#depth.get();
    if (undo !== undoStack.length || redo !== redoStack.length) this.#depth.set({ undo: undoStack.length, redo: redoStack.length });
  }
}
