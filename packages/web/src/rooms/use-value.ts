import { useSyncExternalStore } from 'preact/compat';
import { createHook } from '@bindery/rtc/hooks.ts';

/** An observable's value; what uses it is drawn again when it is another. */
export const useValue = createHook(useSyncExternalStore);
