import type { Observable } from './observable.ts';

/** `useSyncExternalStore` of React, or of `preact/compat`. */
export type ExternalStoreHook = <T>(subscribe: (listener: () => void) => () => void, get: () => T) => T;

/** A hook that gives an observable's value and renders again when it is another: `const useValue = createHook(useSyncExternalStore)`. */
export function createHook(useSyncExternalStore: ExternalStoreHook): <T>(observable: Observable<T>) => T {
  // The functions that belong to an observable must stay the same, or every rendering would subscribe anew.
  const bound = new WeakMap<object, Pick<Observable<unknown>, 'get' | 'subscribe'>>();
  return <T>(observable: Observable<T>): T => {
    let own = bound.get(observable) as Pick<Observable<T>, 'get' | 'subscribe'> | undefined;
    if (!own) {
      own = { get: () => observable.get(), subscribe: (listener) => observable.subscribe(listener) };
      bound.set(observable, own);
    }
    return useSyncExternalStore(own.subscribe, own.get);
  };
}
