/**
 * A value that changes, in the shape that `useSyncExternalStore` wants: `get` gives the same object until the value is another, and `subscribe`
 * returns what ends the subscription. Listeners are told that something changed, not what.
 */
export interface Observable<T> {
  get(): T;
  subscribe(listener: () => void): () => void;
}

/** Who wants to be told. A listener that throws does not keep the others from hearing; its error is thrown where nobody waits. */
export class Listeners {
  readonly #all = new Set<{ call: () => void }>();

  add(listener: () => void): () => void {
    const entry = { call: listener };
    this.#all.add(entry);
    return () => this.#all.delete(entry);
  }

  tell(): void {
    for (const entry of Array.from(this.#all)) {
      if (!this.#all.has(entry)) continue;
      try {
        entry.call();
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** A value that its owner sets. */
export class Value<T> implements Observable<T> {
  readonly #listeners = new Listeners();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.#listeners.tell();
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }
}
