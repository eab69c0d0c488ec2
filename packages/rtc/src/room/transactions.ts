import * as Y from 'yjs';

/** Marks a Yjs transaction that was taken back, for undo to pass over. */
export const TAKEN_BACK = Symbol('taken back');

/**
 * Transactions that happen as a whole or not at all. One inside another is a part of it: when a part fails, the whole is taken back, also
 * where somebody between them caught the error. Nobody, here or elsewhere, ever sees the half of one.
 */
export class Transactions {
  readonly #doc: Y.Doc;
  #failure: { readonly error: unknown } | undefined;
  #isOpen = false;

  constructor(doc: Y.Doc) {
    this.#doc = doc;
  }

  /** Runs `body`, which must not be asynchronous, and returns what it returns. Throws what it throws, with nothing changed. */
  run<T>(body: () => T, origin: unknown): T {
    return this.#isOpen ? this.#part(body) : this.#whole(body, origin);
  }

  #part<T>(body: () => T): T {
    try {
      return synchronous(body());
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  #whole<T>(body: () => T, origin: unknown): T {
    let result: { readonly value: T } | undefined;
    let failure: { readonly error: unknown } | undefined;
    this.#doc.transact((transaction) => {
      const start = new Start(this.#doc, transaction);
      this.#isOpen = true;
      this.#failure = undefined;
      try {
        result = { value: this.#part(body) };
      } catch {
        // Kept as the failure of the whole.
      } finally {
        this.#isOpen = false;
      }
      failure = this.#failure;
      if (!failure) return;
      start.takeBack();
      transaction.meta.set(TAKEN_BACK, true);
    }, origin);
    if (failure) throw failure.error;
    return (result as { readonly value: T }).value;
  }
}

function synchronous<T>(value: T): T {
  const isPromise = typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
  if (isPromise) throw new TypeError('A transaction ends when its function returns: it must not be asynchronous.');
  return value;
}

type DeleteSet = ReturnType<typeof Y.createDeleteSet>;

/**
 * Where a document stood inside a Yjs transaction. Taking back is what undo does, inside the same Yjs transaction: what came is deleted, what
 * went is put in again. So one update leaves, and whoever observes is told once.
 */
class Start {
  readonly #doc: Y.Doc;
  readonly #transaction: Y.Transaction;
  readonly #clock: number;
  readonly #deleted: ReadonlyMap<number, number>;

  constructor(doc: Y.Doc, transaction: Y.Transaction) {
    this.#doc = doc;
    this.#transaction = transaction;
    this.#clock = Y.getState(doc.store, doc.clientID);
    this.#deleted = new Map([...transaction.deleteSet.clients].map(([client, items]) => [client, items.length]));
  }

  takeBack(): void {
    const manager = new Y.UndoManager(this.#doc, { ignoreRemoteMapChanges: true });
    manager.undoStack.push({ insertions: this.#came(), deletions: this.#went(), meta: new Map() });
    manager.undo();
    manager.destroy();
  }

  #came(): DeleteSet {
    const came = Y.createDeleteSet();
    const length = Y.getState(this.#doc.store, this.#doc.clientID) - this.#clock;
    if (length > 0) came.clients.set(this.#doc.clientID, [{ clock: this.#clock, len: length }]);
    return came;
  }

  #went(): DeleteSet {
    const went = Y.createDeleteSet();
    for (const [client, items] of this.#transaction.deleteSet.clients) {
      went.clients.set(client, items.slice(this.#deleted.get(client) ?? 0));
    }
    return Y.mergeDeleteSets([went]);
  }
}
